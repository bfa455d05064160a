"""The short convolution, one product at a time."""

import numpy as np
from jaxtyping import Float64

__all__ = ["short_convolution"]

Rows = Float64[np.ndarray, "_ C"]


def short_convolution(
    x: Float64[np.ndarray, "T C"],
    kernel: Float64[np.ndarray, "W C"],
    before: Rows | None = None,
) -> tuple[Float64[np.ndarray, "T C"], Rows]:
    """Token s, seen from token t, has the weight of the row that is t - s before the last."""
    width = len(kernel)
    first = np.zeros((width - 1, x.shape[1])) if before is None else before
    y = np.zeros(x.shape)
    for t in range(len(x)):
        for c in range(x.shape[1]):
            for back in range(width):
                s = t - back
                seen = x[s, c] if s >= 0 else first[width - 1 + s, c]
                y[t, c] += kernel[width - 1 - back, c] * seen
    everything = [*first, *x]
    return y, np.array(everything[len(x) :]).reshape(width - 1, x.shape[1])
