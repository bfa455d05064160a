"""Keys that no query may read, one after the other."""

import numpy as np
from jaxtyping import Bool, Float64

__all__ = ["zero_unread"]


def zero_unread(
    query: Float64[np.ndarray, "H T D"],
    key: Float64[np.ndarray, "G S D"],
    value: Float64[np.ndarray, "G S Dv"],
    may_attend: Bool[np.ndarray, "H T S"],
) -> tuple[Float64[np.ndarray, "G S D"], Float64[np.ndarray, "G S Dv"]]:
    """Only what a query of the group may read is kept; the rest stays zero."""
    num_heads, num_queries, _ = query.shape
    shared = num_heads // key.shape[0]
    keys, values = np.zeros(key.shape), np.zeros(value.shape)
    for h in range(num_heads):
        for t in range(num_queries):
            for s in range(key.shape[1]):
                if may_attend[h, t, s]:
                    keys[h // shared, s] = key[h // shared, s]
                    values[h // shared, s] = value[h // shared, s]
    return keys, values
