"""Pages are laid side by side again, slot by slot, and read as any cache."""

import numpy as np
from jaxtyping import Float64, Int

from course_lib.naive.exact.blockwise import blockwise_attention

__all__ = ["paged_attention"]


def paged_attention(
    query: Float64[np.ndarray, "H D"],
    key_pages: Float64[np.ndarray, "_ _ G D"],
    value_pages: Float64[np.ndarray, "_ _ G Dv"],
    table: Int[np.ndarray, " _"],
    length: int,
) -> Float64[np.ndarray, "H Dv"]:
    """One sequence: position s stands in slot s mod P of the page that the table names."""
    size, groups, value_dim = value_pages.shape[1:]
    keys = np.zeros((groups, length, query.shape[1]))
    values = np.zeros((groups, length, value_dim))
    for s in range(length):
        page = table[s // size]
        keys[:, s], values[:, s] = key_pages[page, s % size], value_pages[page, s % size]
    output, _ = blockwise_attention(query[:, None], keys, values, False)
    return output[:, 0]
