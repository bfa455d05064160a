"""A vector for each position, number by number."""

import math

import numpy as np
from jaxtyping import Float64, Int

__all__ = ["learned", "sinusoidal"]


def sinusoidal(
    num_positions: int, d_model: int, base: float = 10000.0
) -> Float64[np.ndarray, "T C"]:
    """Wave i turns by base^(-2i/C) per position; its sine, then its cosine."""
    table = np.zeros((num_positions, d_model))
    for t in range(num_positions):
        for i in range((d_model + 1) // 2):
            angle = t / base ** (2 * i / d_model)
            table[t, 2 * i] = math.sin(angle)
            if 2 * i + 1 < d_model:
                table[t, 2 * i + 1] = math.cos(angle)
    return table


def learned(
    table: Float64[np.ndarray, "S C"], positions: Int[np.ndarray, " T"]
) -> Float64[np.ndarray, "T C"]:
    """The row of each position."""
    return np.array([[table[t, c] for c in range(table.shape[1])] for t in positions])
