"""Rotary positions from a table: two numbers a pair and position, then four products a pair."""

import math

import numpy as np
from jaxtyping import Float64, Int

__all__ = ["rotate_by_table", "rotation_table"]

Table = tuple[Float64[np.ndarray, "T pairs"], Float64[np.ndarray, "T pairs"]]
Heads = Float64[np.ndarray, "T D"]


def rotation_table(
    positions: Int[np.ndarray, " T"],
    inv_freq: Float64[np.ndarray, " pairs"],
    concentration: float = 1.0,
) -> Table:
    """One cosine and one sine for each position and each pair."""
    shape = (len(positions), len(inv_freq))
    cosine, sine = np.zeros(shape), np.zeros(shape)
    for t in range(shape[0]):
        for i in range(shape[1]):
            angle = int(positions[t]) * float(inv_freq[i])
            cosine[t, i] = concentration * math.cos(angle)
            sine[t, i] = concentration * math.sin(angle)
    return cosine, sine


def rotate_by_table(x: Heads, table: Table) -> Heads:
    """A pair is a point of the plane; the table's row turns it."""
    cosine, sine = table
    half = cosine.shape[1]
    result = x.copy()
    for t in range(len(x)):
        for i in range(half):
            across, up = x[t, i], x[t, half + i]
            result[t, i] = across * cosine[t, i] - up * sine[t, i]
            result[t, half + i] = up * cosine[t, i] + across * sine[t, i]
    return result
