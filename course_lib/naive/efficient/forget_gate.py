"""The factor on a state, head by head."""

import math

import numpy as np
from jaxtyping import Float64

__all__ = ["forget_gate"]


def forget_gate(
    x: Float64[np.ndarray, "T H"],
    log_rate: Float64[np.ndarray, " H"],
    bias: Float64[np.ndarray, " H"],
) -> Float64[np.ndarray, "T H"]:
    """What a sigmoid leaves, to the power of the head's rate."""
    alpha = np.zeros(x.shape)
    for t, row in enumerate(x):
        for h, entry in enumerate(row):
            left = 1 / (1 + math.exp(entry + bias[h]))
            alpha[t, h] = left ** math.exp(log_rate[h])
    return alpha
