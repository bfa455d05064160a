"""The contribution of one head: the layer without it is subtracted from the whole layer."""

import numpy as np
from jaxtyping import Float64

from course_lib.naive.attention.heads import multi_head_attention

__all__ = ["head_contribution"]

Matrix = Float64[np.ndarray, "_ _"]


def head_contribution(
    x: Float64[np.ndarray, "T C"],
    w_q: Matrix,
    w_k: Matrix,
    w_v: Matrix,
    w_o: Matrix,
    b_o: Float64[np.ndarray, " C"],
    num_heads: int,
    head: int,
) -> Float64[np.ndarray, "T C"]:
    """Silence the head by rows of zeros in w_o; what is then missing is what it had added."""
    silenced = w_o.copy()
    size = len(w_o) // num_heads
    for row in range(head * size, (head + 1) * size):
        silenced[row] = 0.0
    whole = multi_head_attention(x, w_q, w_k, w_v, w_o, num_heads) + b_o
    rest = multi_head_attention(x, w_q, w_k, w_v, silenced, num_heads) + b_o
    return np.asarray(whole - rest)
