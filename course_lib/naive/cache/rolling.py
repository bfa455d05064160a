"""A ring of slots, token by token."""

import numpy as np
from jaxtyping import Float64

__all__ = ["rolling_write"]


def rolling_write(
    ring: Float64[np.ndarray, "W D"], new: Float64[np.ndarray, "T D"], position: int
) -> Float64[np.ndarray, "W D"]:
    """Each token in turn goes to the slot of its position modulo W, over what was there."""
    result = ring.copy()
    for t in range(len(new)):
        result[(position + t) % len(ring)] = new[t]
    return result
