"""The activations of one vector, number by number."""

import math

import numpy as np
from jaxtyping import Float64

__all__ = ["gelu", "gelu_tanh", "relu", "silu"]

Vector = Float64[np.ndarray, " F"]


def relu(x: Vector) -> Vector:
    """The number itself where it is positive, else zero."""
    return np.array([entry if entry > 0 else 0.0 for entry in x])


def gelu(x: Vector) -> Vector:
    """x times the standard normal distribution function at x."""
    return np.array([entry * (1.0 + math.erf(entry / math.sqrt(2.0))) / 2.0 for entry in x])


def gelu_tanh(x: Vector) -> Vector:
    """The same with a hyperbolic tangent of a cubic in place of erf."""
    root = math.sqrt(2.0 / math.pi)
    inner = [root * (entry + 0.044715 * entry**3) for entry in x]
    return np.array([entry * (1.0 + math.tanh(z)) / 2.0 for entry, z in zip(x, inner, strict=True)])


def silu(x: Vector) -> Vector:
    """x over 1 + exp(-x); the exponential is that of a number at most zero."""
    result = []
    for entry in x:
        small = math.exp(-abs(entry))
        result.append(entry / (1.0 + small) if entry >= 0 else entry * small / (1.0 + small))
    return np.array(result)
