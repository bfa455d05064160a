"""All that stands before a sequence, piece after piece, is copied before its own keys."""

import numpy as np
from jaxtyping import Float64

from course_lib.naive.exact.blockwise import blockwise_attention

__all__ = ["cascade_attention"]


def cascade_attention(
    query: Float64[np.ndarray, "B H T D"],
    levels: list[tuple[Float64[np.ndarray, "_ G _ D"], Float64[np.ndarray, "_ G _ Dv"]]],
    key: Float64[np.ndarray, "B G S D"],
    value: Float64[np.ndarray, "B G S Dv"],
) -> Float64[np.ndarray, "B H T Dv"]:
    """Walk from the root of the tree to each sequence's own keys; then causal attention."""
    outputs = []
    for b in range(len(query)):
        keys, values = [], []
        for piece_keys, piece_values in levels:
            before = 0  # sequences of the pieces before
            n = 0
            while before + len(query) // len(piece_keys) <= b:
                before += len(query) // len(piece_keys)
                n += 1
            keys.append(piece_keys[n])
            values.append(piece_values[n])
        whole = np.concatenate([*keys, key[b]], axis=1), np.concatenate([*values, value[b]], axis=1)
        outputs.append(blockwise_attention(query[b], *whole, True)[0])
    return np.stack(outputs)
