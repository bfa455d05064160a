"""Attention of all queries, and then what follows, position by position."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float64

from course_lib.naive.exact.blockwise import blockwise_attention

__all__ = ["attend_then_feed"]


def attend_then_feed(
    query: Float64[np.ndarray, "H T D"],
    key: Float64[np.ndarray, "G S D"],
    value: Float64[np.ndarray, "G S Dv"],
    causal: bool,
    feed: Callable[[Float64[np.ndarray, " _"]], Float64[np.ndarray, " _"]],
    block: int,
) -> Float64[np.ndarray, "T _"]:
    """One vector is handed to feed at a time."""
    output, _ = blockwise_attention(query, key, value, causal)
    return np.stack([feed(output[:, t].flatten()) for t in range(output.shape[1])])
