"""Looking something up, one key at a time."""

import math

import numpy as np
from jaxtyping import Float64

from course_lib.naive.softmax import softmax

__all__ = ["hard_lookup", "kernel_regression", "soft_lookup"]


def hard_lookup(
    query: Float64[np.ndarray, "T D"],
    keys: Float64[np.ndarray, "S D"],
    values: Float64[np.ndarray, "S Dv"],
) -> Float64[np.ndarray, "T Dv"]:
    """Walk along the keys and remember the nearest one so far."""
    output = np.zeros((len(query), values.shape[1]))
    for t in range(len(query)):
        nearest, smallest = 0, math.inf
        for s in range(len(keys)):
            distance = _distance(query[t], keys[s])
            if distance < smallest:
                nearest, smallest = s, distance
        output[t] = values[nearest]
    return output


def soft_lookup(
    query: Float64[np.ndarray, "T D"],
    keys: Float64[np.ndarray, "S D"],
    values: Float64[np.ndarray, "S Dv"],
    temperature: float,
) -> Float64[np.ndarray, "T Dv"]:
    """Each value, times its share, is added to the output."""
    output = np.zeros((len(query), values.shape[1]))
    for t in range(len(query)):
        scores = np.array([-_distance(query[t], key) / temperature for key in keys])
        weights = softmax(scores)
        for s in range(len(keys)):
            output[t] += weights[s] * values[s]
    return output


def kernel_regression(
    xq: Float64[np.ndarray, " T"],
    xk: Float64[np.ndarray, " S"],
    y: Float64[np.ndarray, " S"],
    width: float,
) -> Float64[np.ndarray, " T"]:
    """Sum the kernel times the height, and the kernel; both without the largest exponent."""
    estimates = np.zeros(len(xq))
    for t in range(len(xq)):
        exponents = [-((xq[t] - place) ** 2) / (2 * width**2) for place in xk]
        above, below = 0.0, 0.0
        for exponent, height in zip(exponents, y, strict=True):
            kernel = math.exp(exponent - max(exponents))
            above += kernel * height
            below += kernel
        estimates[t] = above / below
    return estimates


def _distance(one: Float64[np.ndarray, " D"], other: Float64[np.ndarray, " D"]) -> float:
    total = 0.0
    for d in range(len(one)):
        total += (one[d] - other[d]) ** 2
    return total
