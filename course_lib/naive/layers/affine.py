"""A matrix and its bias, one product at a time."""

import numpy as np
from jaxtyping import Float64

__all__ = ["affine"]


def affine(
    x: Float64[np.ndarray, "rows entries"],
    weight: Float64[np.ndarray, "entries columns"],
    bias: Float64[np.ndarray, " columns"] | None = None,
) -> Float64[np.ndarray, "rows columns"]:
    """Each number is a sum over the entries of its row, and the bias of its column."""
    result = np.zeros((len(x), weight.shape[1]))
    for t in range(len(x)):
        for i in range(weight.shape[1]):
            for c in range(len(weight)):
                result[t, i] += x[t, c] * weight[c, i]
            if bias is not None:
                result[t, i] += bias[i]
    return result
