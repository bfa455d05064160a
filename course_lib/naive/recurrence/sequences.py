"""A sequence of one example: the cell's twin, again and again."""

import numpy as np
from jaxtyping import Float64

from course_lib.naive.recurrence.cells import gru_step, lstm_step, rnn_step

__all__ = ["gru_forward", "lstm_forward", "rnn_forward"]


def rnn_forward(
    x: Float64[np.ndarray, "T C"],
    h0: Float64[np.ndarray, " N"],
    w_x: Float64[np.ndarray, "C N"],
    w_h: Float64[np.ndarray, "N N"],
    b: Float64[np.ndarray, " N"],
) -> Float64[np.ndarray, "T N"]:
    """Row t is made from input t and row t - 1; before row 0 stands h0."""
    hs = np.zeros((len(x), len(h0)))
    for t in range(len(x)):
        hs[t] = rnn_step(x[t], hs[t - 1] if t else h0, w_x, w_h, b)
    return hs


def lstm_forward(
    x: Float64[np.ndarray, "T C"],
    h0: Float64[np.ndarray, " N"],
    c0: Float64[np.ndarray, " N"],
    w: Float64[np.ndarray, "_ _"],
    b: Float64[np.ndarray, " _"],
) -> tuple[Float64[np.ndarray, "T N"], Float64[np.ndarray, "T N"]]:
    """Two rows a step, the state's and the cell's."""
    hs, cs = np.zeros((len(x), len(h0))), np.zeros((len(x), len(h0)))
    for t in range(len(x)):
        h, c = (hs[t - 1], cs[t - 1]) if t else (h0, c0)
        hs[t], cs[t] = lstm_step(x[t], h, c, w, b)
    return hs, cs


def gru_forward(
    x: Float64[np.ndarray, "T C"],
    h0: Float64[np.ndarray, " N"],
    w_x: Float64[np.ndarray, "C _"],
    w_h: Float64[np.ndarray, "N _"],
    b_x: Float64[np.ndarray, " _"],
    b_h: Float64[np.ndarray, " _"],
) -> Float64[np.ndarray, "T N"]:
    """Row t is made from input t and row t - 1; before row 0 stands h0."""
    hs = np.zeros((len(x), len(h0)))
    for t in range(len(x)):
        hs[t] = gru_step(x[t], hs[t - 1] if t else h0, w_x, w_h, b_x, b_h)
    return hs
