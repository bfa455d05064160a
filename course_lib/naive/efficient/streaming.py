"""A streaming cache, token by token."""

import math

import numpy as np
from jaxtyping import Bool, Float64, Int

from course_lib.naive.positions.rope import rope
from course_lib.naive.softmax import softmax

__all__ = ["streaming_keep", "streaming_mask", "streaming_step"]


def streaming_keep(
    num_keys: int, num_sinks: int, window: int
) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, " n"]]:
    """Let the tokens come in, one by one; with each, the oldest that is no sink may have to go."""
    kept: list[int] = []
    for token in range(num_keys):
        kept.append(token)
        recent = [s for s in kept if s >= num_sinks]
        if len(recent) > window:
            kept.remove(recent[0])
    return np.array(kept, dtype=np.int64), np.array(range(len(kept)), dtype=np.int64)


def streaming_mask(
    num_queries: int, num_keys: int, num_sinks: int, window: int
) -> Bool[np.ndarray, "T S"]:
    """Each query reads what a cache keeps when it is the newest token."""
    mask = np.zeros((num_queries, num_keys), dtype=bool)
    for t in range(num_queries):
        seen = num_keys - num_queries + t + 1
        for s in streaming_keep(max(seen, 0), num_sinks, window)[0]:
            mask[t, s] = True
    return mask


def streaming_step(
    query: Float64[np.ndarray, "H 1 D"],
    key: Float64[np.ndarray, "G S D"],
    value: Float64[np.ndarray, "G S Dv"],
    num_sinks: int,
    window: int,
    base: float,
) -> Float64[np.ndarray, "H 1 Dv"]:
    """Keep, turn by the place in the cache, compare, mix."""
    num_heads, _, size = query.shape
    shared = num_heads // key.shape[0]
    kept, positions = streaming_keep(key.shape[1], num_sinks, window)
    output = np.zeros((num_heads, 1, value.shape[2]))
    for h in range(num_heads):
        keys = rope(key[h // shared][kept], positions, base)
        newest = rope(query[h], positions[-1:], base)[0]
        scores = [sum(newest[d] * row[d] for d in range(size)) / math.sqrt(size) for row in keys]
        for s, weight in zip(kept, softmax(np.array(scores)), strict=True):
            output[h, 0] += weight * value[h // shared, s]
    return output
