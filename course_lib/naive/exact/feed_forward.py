"""The feed-forward network, one position at a time."""

import numpy as np
from jaxtyping import Float64

from course_lib.naive.layers.activations import relu
from course_lib.naive.layers.feed_forward import feed_forward

__all__ = ["blockwise_feed_forward"]


def blockwise_feed_forward(
    x: Float64[np.ndarray, "T C"],
    w_in: Float64[np.ndarray, "C F"],
    w_out: Float64[np.ndarray, "F C"],
    block: int,
) -> Float64[np.ndarray, "T C"]:
    """Blocks of one position, whatever the block is."""
    return np.stack([feed_forward(row, w_in, None, w_out, None, relu) for row in x])
