"""Multi-head attention, head by head: the output is the sum of what each head contributes."""

import numpy as np
from jaxtyping import Bool, Float64

from course_lib.naive.attention.dot_product import project_qkv, scaled_dot_product_attention

__all__ = [
    "cross_attention",
    "merge_heads",
    "mha_flops",
    "mha_param_count",
    "multi_head_attention",
    "split_heads",
]

Matrix = Float64[np.ndarray, "_ _"]
Mask = Bool[np.ndarray, "T S"]


def split_heads(x: Float64[np.ndarray, "T _"], num_heads: int) -> Float64[np.ndarray, "H T D"]:
    """Entry i of a row is entry i mod D of head i // D."""
    num_queries, width = x.shape
    size = width // num_heads
    heads = np.zeros((num_heads, num_queries, size))
    for t in range(num_queries):
        for i in range(width):
            heads[i // size, t, i % size] = x[t, i]
    return heads


def merge_heads(x: Float64[np.ndarray, "H T D"]) -> Float64[np.ndarray, "T _"]:
    """A row is the first head's entries, then the second's, and so on."""
    rows = []
    for t in range(x.shape[1]):
        row = []
        for h in range(x.shape[0]):
            row.extend(x[h, t])
        rows.append(row)
    return np.array(rows)


def multi_head_attention(
    x: Float64[np.ndarray, "T C"],
    w_q: Matrix,
    w_k: Matrix,
    w_v: Matrix,
    w_o: Matrix,
    num_heads: int,
    may_attend: Mask | None = None,
) -> Float64[np.ndarray, "T C"]:
    """Cross-attention to itself."""
    return cross_attention(x, x, w_q, w_k, w_v, w_o, num_heads, may_attend)


def cross_attention(
    x: Float64[np.ndarray, "T C"],
    context: Float64[np.ndarray, "S C"],
    w_q: Matrix,
    w_k: Matrix,
    w_v: Matrix,
    w_o: Matrix,
    num_heads: int,
    may_attend: Mask | None = None,
) -> Float64[np.ndarray, "T C"]:
    """Each head attends with its own columns, and adds its output times its own rows of w_o."""
    size, value_size = w_q.shape[1] // num_heads, w_v.shape[1] // num_heads
    result = np.zeros((len(x), w_o.shape[1]))
    for h in range(num_heads):
        columns, first = slice(h * size, (h + 1) * size), h * value_size
        own_v = w_v[:, first : first + value_size]
        query, key, value = project_qkv(x, w_q[:, columns], w_k[:, columns], own_v, context)
        output, _ = scaled_dot_product_attention(query, key, value, may_attend)
        for t in range(len(x)):
            for c in range(w_o.shape[1]):
                for d in range(value_size):
                    result[t, c] += output[t, d] * w_o[first + d, c]
    return result


def mha_param_count(C: int, H: int, D: int, bias: bool) -> int:
    """Head by head: three matrices of C rows and D columns, one of D rows and C columns."""
    count = 0
    for _ in range(H):
        for rows, columns in ((C, D), (C, D), (C, D), (D, C)):
            count += rows * columns
        if bias:
            count += D + D + D
    return count + (C if bias else 0)  # the last bias is shared: it is added after the sum


def mha_flops(B: int, T: int, S: int, C: int, H: int, D: int) -> int:
    """Every entry of every product, a multiplication and an addition for each of its terms."""
    products = 0
    for _ in range(B):
        for _ in range(H):
            for rows in (T, S, S):  # queries, keys, values
                products += rows * D * C
            for _ in range(T):
                products += S * D  # scores
                products += D * S  # the mean of the values
                products += C * D  # the output's projection
    return 2 * products
