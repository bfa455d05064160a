"""What ALiBi takes from each score, pair by pair."""

import math

import numpy as np
from jaxtyping import Float64

__all__ = ["alibi_bias", "alibi_slopes"]


def alibi_slopes(num_heads: int) -> Float64[np.ndarray, " H"]:
    """A geometric series from its own ratio down; where H is no power of two, two of them."""
    if num_heads & (num_heads - 1) == 0:
        ratio = math.pow(2.0, -8.0 / num_heads)
        slopes = [ratio]
        for _ in range(num_heads - 1):
            slopes.append(slopes[-1] * ratio)
        return np.array(slopes)
    below = 1
    while 2 * below < num_heads:
        below *= 2
    finer = alibi_slopes(2 * below)
    return np.array([*alibi_slopes(below), *finer[::2]][:num_heads])


def alibi_bias(num_heads: int, num_queries: int, num_keys: int) -> Float64[np.ndarray, "H T S"]:
    """Minus the head's slope for each step between the query's position and the key's."""
    slopes = alibi_slopes(num_heads)
    bias = np.zeros((num_heads, num_queries, num_keys))
    for h in range(num_heads):
        for t in range(num_queries):
            position = num_keys - num_queries + t
            for s in range(num_keys):
                steps = position - s if s < position else s - position
                bias[h, t, s] = -slopes[h] * steps
    return bias
