"""A table of vectors, read row by row and compared number by number."""

import numpy as np
from jaxtyping import Float64, Int64

__all__ = ["embed", "unembed"]


def embed(
    ids: Int64[np.ndarray, " T"], table: Float64[np.ndarray, "V C"]
) -> Float64[np.ndarray, "T C"]:
    """Row t is the sum over the vocabulary of (1 for the token's id, else 0) times its row."""
    num_tokens, width = table.shape
    result = np.zeros((len(ids), width))
    for t in range(len(ids)):
        for v in range(num_tokens):
            one_hot = 1.0 if v == ids[t] else 0.0
            for c in range(width):
                result[t, c] += one_hot * table[v, c]
    return result


def unembed(
    hidden: Float64[np.ndarray, "T C"], table: Float64[np.ndarray, "V C"]
) -> Float64[np.ndarray, "T V"]:
    """Logit (t, v) is the dot product of row t of hidden with row v of the table."""
    result = np.zeros((len(hidden), len(table)))
    for t in range(len(hidden)):
        for v in range(len(table)):
            for c in range(table.shape[1]):
                result[t, v] += hidden[t, c] * table[v, c]
    return result
