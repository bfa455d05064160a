"""A window, one query and one key at a time."""

import math

import numpy as np
from jaxtyping import Float64

from course_lib.naive.softmax import softmax

__all__ = ["sliding_attention"]


def sliding_attention(
    query: Float64[np.ndarray, "H T D"],
    key: Float64[np.ndarray, "G S D"],
    value: Float64[np.ndarray, "G S Dv"],
    window: int,
) -> Float64[np.ndarray, "H T Dv"]:
    """Query t stands at position S - T + t, and walks back W steps at most."""
    num_heads, num_queries, size = query.shape
    shared = num_heads // key.shape[0]
    output = np.zeros((num_heads, num_queries, value.shape[2]))
    for h in range(num_heads):
        for t in range(num_queries):
            position = key.shape[1] - num_queries + t
            near = [position - step for step in range(window) if position - step >= 0]
            scores = [
                sum(query[h, t, d] * key[h // shared, s, d] for d in range(size)) / math.sqrt(size)
                for s in near
            ]
            if near:
                for s, weight in zip(near, softmax(np.array(scores)), strict=True):
                    output[h, t] += weight * value[h // shared, s]
    return output
