"""Rotary positions: each pair of entries is one complex number, times cos + i sin."""

import math

import numpy as np
from jaxtyping import Float64, Int

__all__ = ["halves_to_interleaved", "interleaved_to_halves", "rope", "rope_inv_freq", "rotate"]

Frequencies = Float64[np.ndarray, " pairs"]
Heads = Float64[np.ndarray, "T D"]
Positions = Int[np.ndarray, " T"]
Columns = Float64[np.ndarray, "C columns"]


def rope_inv_freq(rotary_dim: int, base: float) -> Frequencies:
    """The angle per position of each pair: base^(-2i/D)."""
    return np.array(
        [math.exp(-2 * i / rotary_dim * math.log(base)) for i in range(rotary_dim // 2)]
    )


def rotate(
    x: Heads, positions: Positions, inv_freq: Frequencies, concentration: float = 1.0
) -> Heads:
    """Entry i is the real part and entry n + i the imaginary part of pair i."""
    half = len(inv_freq)
    result = x.copy()
    for row in range(len(x)):
        for i in range(half):
            pair = complex(x[row, i], x[row, half + i])
            angle = int(positions[row]) * float(inv_freq[i])
            turned = concentration * complex(math.cos(angle), math.sin(angle)) * pair
            result[row, i], result[row, half + i] = turned.real, turned.imag
    return result


def rope(x: Heads, positions: Positions, base: float) -> Heads:
    """All pairs of a head turn."""
    return rotate(x, positions, rope_inv_freq(x.shape[1], base))


def interleaved_to_halves(w: Columns, head_dim: int, rotary_dim: int | None = None) -> Columns:
    """In each head: column 2i goes to i, column 2i + 1 to n + i, the others stay."""
    result = w.copy()
    for first, pairs in _heads(w, head_dim, rotary_dim):
        for i in range(pairs):
            result[:, first + i] = w[:, first + 2 * i]
            result[:, first + pairs + i] = w[:, first + 2 * i + 1]
    return result


def halves_to_interleaved(w: Columns, head_dim: int, rotary_dim: int | None = None) -> Columns:
    """In each head: column i goes to 2i, column n + i to 2i + 1, the others stay."""
    result = w.copy()
    for first, pairs in _heads(w, head_dim, rotary_dim):
        for i in range(pairs):
            result[:, first + 2 * i] = w[:, first + i]
            result[:, first + 2 * i + 1] = w[:, first + pairs + i]
    return result


def _heads(w: Columns, head_dim: int, rotary_dim: int | None) -> list[tuple[int, int]]:
    """The first column of each head, and its pairs."""
    pairs = (head_dim if rotary_dim is None else rotary_dim) // 2
    return [(first, pairs) for first in range(0, w.shape[1], head_dim)]
