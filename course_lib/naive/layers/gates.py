"""Pair by pair."""

import math

import numpy as np
from jaxtyping import Float64

__all__ = ["oai_swiglu", "sigmoid_gate"]


def oai_swiglu(
    x: Float64[np.ndarray, "T _"], alpha: float = 1.702, limit: float = 7.0
) -> Float64[np.ndarray, "T F"]:
    """A gate and what it gates, one number each."""
    result = np.zeros((len(x), x.shape[1] // 2))
    for t, row in enumerate(x):
        for i in range(x.shape[1] // 2):
            gate, up = min(row[2 * i], limit), max(-limit, min(row[2 * i + 1], limit))
            result[t, i] = gate / (1 + math.exp(-alpha * gate)) * (up + 1)
    return result


def sigmoid_gate(
    x: Float64[np.ndarray, "T _"], gate: Float64[np.ndarray, "T _"]
) -> Float64[np.ndarray, "T _"]:
    """The share that passes, times what comes; a row's only gate is for all of it."""
    result = np.zeros(x.shape)
    for t, row in enumerate(x):
        for i, entry in enumerate(row):
            result[t, i] = entry / (1 + math.exp(-gate[t, i if gate.shape[1] > 1 else 0]))
    return result
