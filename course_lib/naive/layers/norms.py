"""The norm of one vector, number by number."""

import math

import numpy as np
from jaxtyping import Float64

__all__ = ["layer_norm", "rms_norm", "rms_norm_unit_offset", "unit_length"]

Vector = Float64[np.ndarray, " C"]


def layer_norm(x: Vector, g: Vector, b: Vector, eps: float) -> Vector:
    """Distance from the mean over the standard deviation, times g, plus b."""
    size = len(x)
    mean = sum(x) / size
    variance = sum((entry - mean) ** 2 for entry in x) / size
    deviation = math.sqrt(variance + eps)
    return np.array([g[i] * (x[i] - mean) / deviation + b[i] for i in range(size)])


def rms_norm(x: Vector, g: Vector, eps: float) -> Vector:
    """Each entry over the root of the mean square, times g."""
    root = _root_mean_square(x, eps)
    return np.array([g[i] * x[i] / root for i in range(len(x))])


def rms_norm_unit_offset(x: Vector, g: Vector, eps: float) -> Vector:
    """Each entry over the root of the mean square, times one plus g."""
    root = _root_mean_square(x, eps)
    return np.array([(1.0 + g[i]) * x[i] / root for i in range(len(x))])


def unit_length(x: Vector, eps: float) -> Vector:
    """Each entry over the vector's length."""
    length = math.sqrt(sum(float(entry) ** 2 for entry in x) + eps)
    return np.array([entry / length for entry in x])


def _root_mean_square(x: Vector, eps: float) -> float:
    return math.sqrt(sum(float(entry) ** 2 for entry in x) / len(x) + eps)
