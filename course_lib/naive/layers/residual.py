"""The residual connection, number by number."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float64

__all__ = ["inner_norm", "parallel", "post_norm", "pre_norm", "sandwich_norm"]

Vectors = Float64[np.ndarray, "T C"]
Sublayer = Callable[[Vectors], Vectors]


def pre_norm(x: Vectors, sublayer: Sublayer, norm: Sublayer) -> Vectors:
    """The sublayer reads what is normalised; its result is added to what is not."""
    return _sum(x, sublayer(norm(x)))


def post_norm(x: Vectors, sublayer: Sublayer, norm: Sublayer) -> Vectors:
    """The sum is normalised."""
    return norm(_sum(x, sublayer(x)))


def inner_norm(x: Vectors, sublayer: Sublayer, norm: Sublayer) -> Vectors:
    """What is added is normalised."""
    return _sum(x, norm(sublayer(x)))


def sandwich_norm(
    x: Vectors, sublayer: Sublayer, norm_before: Sublayer, norm_after: Sublayer
) -> Vectors:
    """What is read and what is added are normalised, each by its own norm."""
    return _sum(x, norm_after(sublayer(norm_before(x))))


def parallel(x: Vectors, attention: Sublayer, feed_forward: Sublayer, norm: Sublayer) -> Vectors:
    """Both halves read the same, and both are added."""
    return _sum(_sum(x, attention(norm(x))), feed_forward(norm(x)))


def _sum(first: Vectors, second: Vectors) -> Vectors:
    result = np.zeros(first.shape)
    for t in range(first.shape[0]):
        for c in range(first.shape[1]):
            result[t, c] = first[t, c] + second[t, c]
    return result
