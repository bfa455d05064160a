"""The softmax of one row of scores, number by number."""

import math

import numpy as np
from jaxtyping import Bool, Float64

__all__ = [
    "log_softmax",
    "logsumexp",
    "masked_softmax",
    "softmax",
    "softmax_vjp",
    "softmax_with_sink",
]


Row = Float64[np.ndarray, " S"]


def softmax(x: Row) -> Row:
    """Weights of one row: exp(x_i - m) over their sum, m the largest score."""
    largest = max(x)
    exponentials = [math.exp(score - largest) for score in x]
    total = sum(exponentials)
    return np.array([exponential / total for exponential in exponentials])


def logsumexp(x: Row) -> float:
    """Logarithm of the sum of exp(x_i), minus infinity for a row of minus infinities."""
    largest = float(max(x))
    if largest == -math.inf:
        return -math.inf
    total = 0.0
    for score in x:
        total += math.exp(score - largest)
    return largest + math.log(total)


def log_softmax(x: Row) -> Row:
    """Logarithms of one row's weights: (x_i - m) - log sum exp(x_j - m)."""
    largest = max(x)
    total = 0.0
    for score in x:
        total += math.exp(score - largest)
    return np.array([(score - largest) - math.log(total) for score in x])


def softmax_vjp(weights: Row, grad_weights: Row) -> Row:
    """The whole Jacobian dp_i/dx_j = p_i (delta_ij - p_j), then its transpose times g."""
    size = len(weights)
    result = np.zeros(size)
    for j in range(size):
        for i in range(size):
            jacobian = weights[i] * ((1.0 if i == j else 0.0) - weights[j])
            result[j] += jacobian * grad_weights[i]
    return result


def softmax_with_sink(
    scores: Float64[np.ndarray, "H T S"], sink: Float64[np.ndarray, " H"] | float
) -> Float64[np.ndarray, "H T S"]:
    """Softmax over S + 1 scores, the sink last; then the last column is dropped."""
    num_heads, num_queries, num_keys = scores.shape
    weights = np.zeros((num_heads, num_queries, num_keys))
    for h in range(num_heads):
        score = float(sink) if isinstance(sink, float | int) else float(sink[h])
        for t in range(num_queries):
            weights[h, t] = softmax(np.array([*scores[h, t], score]))[:num_keys]
    return weights


def masked_softmax(
    scores: Float64[np.ndarray, "T S"], may_attend: Bool[np.ndarray, "T S"]
) -> Float64[np.ndarray, "T S"]:
    """Softmax of what is readable and above minus infinity; other weights stay zero."""
    num_queries, num_keys = scores.shape
    weights = np.zeros((num_queries, num_keys))
    for t in range(num_queries):
        readable = [s for s in range(num_keys) if may_attend[t, s] and scores[t, s] != -math.inf]
        if readable:
            for s, weight in zip(readable, softmax(scores[t, readable]), strict=True):
                weights[t, s] = weight
    return weights
