"""Scores before the softmax, one at a time."""

import math

import numpy as np
from jaxtyping import Bool, Float64

__all__ = ["mask_scores", "soft_cap"]


def soft_cap(scores: Float64[np.ndarray, "T S"], cap: float) -> Float64[np.ndarray, "T S"]:
    """Each score becomes cap times tanh(score / cap), with tanh(x) = 1 - 2 / (e^2x + 1)."""
    result = np.zeros(scores.shape)
    for t in range(scores.shape[0]):
        for s in range(scores.shape[1]):
            size = min(abs(scores[t, s]) / cap, 20.0)  # tanh(20) is 1 in float64
            bounded = cap * (1 - 2 / (math.exp(2 * size) + 1))
            result[t, s] = bounded if scores[t, s] >= 0 else -bounded
    return result


def mask_scores(
    scores: Float64[np.ndarray, "T S"], may_attend: Bool[np.ndarray, "T S"]
) -> Float64[np.ndarray, "T S"]:
    """Only what may be read keeps its score."""
    result = np.full(scores.shape, -math.inf)
    for t in range(scores.shape[0]):
        for s in range(scores.shape[1]):
            if may_attend[t, s]:
                result[t, s] = scores[t, s]
    return result
