"""Recurrent cells for one example, one unit at a time."""

import math

import numpy as np
from jaxtyping import Float64

__all__ = ["gru_step", "lstm_step", "rnn_step"]

Vector = Float64[np.ndarray, " N"]


def rnn_step(
    x: Float64[np.ndarray, " C"],
    h: Vector,
    w_x: Float64[np.ndarray, "C N"],
    w_h: Float64[np.ndarray, "N N"],
    b: Vector,
) -> Vector:
    """Each unit: the tanh of what it hears from the inputs, from the old units, and its bias."""
    new = np.zeros(len(h))
    for n in range(len(h)):
        new[n] = math.tanh(_column(x, w_x, n) + _column(h, w_h, n) + b[n])
    return new


def lstm_step(
    x: Float64[np.ndarray, " C"],
    h: Vector,
    c: Vector,
    w: Float64[np.ndarray, "_ _"],
    b: Float64[np.ndarray, " _"],
) -> tuple[Vector, Vector]:
    """Unit n has its gates in the columns n, N + n, 2 N + n and 3 N + n: i, f, g, o."""
    size = len(h)
    both = np.array([*x, *h])
    new_h, new_c = np.zeros(size), np.zeros(size)
    for n in range(size):
        i, f, g, o = (_column(both, w, gate * size + n) + b[gate * size + n] for gate in range(4))
        new_c[n] = _sigmoid(f) * c[n] + _sigmoid(i) * math.tanh(g)
        new_h[n] = _sigmoid(o) * math.tanh(new_c[n])
    return new_h, new_c


def gru_step(
    x: Float64[np.ndarray, " C"],
    h: Vector,
    w_x: Float64[np.ndarray, "C _"],
    w_h: Float64[np.ndarray, "N _"],
    b_x: Float64[np.ndarray, " _"],
    b_h: Float64[np.ndarray, " _"],
) -> Vector:
    """Unit n has its parts in the columns n, N + n and 2 N + n: reset, update, new value."""
    size = len(h)
    new = np.zeros(size)
    for n in range(size):
        from_x = [_column(x, w_x, part * size + n) + b_x[part * size + n] for part in range(3)]
        from_h = [_column(h, w_h, part * size + n) + b_h[part * size + n] for part in range(3)]
        reset = _sigmoid(from_x[0] + from_h[0])
        update = _sigmoid(from_x[1] + from_h[1])
        value = math.tanh(from_x[2] + reset * from_h[2])
        new[n] = (1 - update) * value + update * h[n]
    return new


def _column(
    vector: Float64[np.ndarray, " C"], matrix: Float64[np.ndarray, "C _"], column: int
) -> float:
    total = 0.0
    for row in range(len(vector)):
        total += vector[row] * matrix[row, column]
    return total


def _sigmoid(number: float) -> float:
    if number >= 0:
        return 1 / (1 + math.exp(-number))
    return math.exp(number) / (1 + math.exp(number))  # exp(1e4) would overflow
