"""Queries and keys for a wanted pattern, entry by entry."""

import math

import numpy as np
from jaxtyping import Float64

__all__ = ["make_qk_for"]


def make_qk_for(
    pattern: str, T: int
) -> tuple[Float64[np.ndarray, "T D"], Float64[np.ndarray, "T D"]]:
    """Key s is 1 on axis s; query t is long on the axis of the key that it wants."""
    query = np.zeros((T, T))
    key = np.zeros((T, T))
    length = math.sqrt(T) * (math.log(T) + 8.0)
    for t in range(T):
        key[t, t] = 1.0
        if pattern == "identity":
            query[t, t] = length
        elif pattern == "previous token":
            query[t, t - 1 if t > 0 else 0] = length
        elif pattern == "first token":
            query[t, 0] = length
    return query, key
