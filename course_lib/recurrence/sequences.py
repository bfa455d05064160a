"""A whole sequence, step after step: each state needs the one before it."""

import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.recurrence.cells import gru_step, lstm_step, rnn_step
from course_lib.shapes import require_axes

__all__ = ["gru_forward", "lstm_forward", "rnn_forward"]


def rnn_forward(
    x: Float[Tensor, "*batch T C"],
    h0: Float[Tensor, "*batch N"],
    w_x: Float[Tensor, "C N"],
    w_h: Float[Tensor, "N N"],
    b: Float[Tensor, " N"],
) -> Float[Tensor, "*batch T N"]:
    r"""Read a sequence with ``rnn_step`` and return every state.

    .. math:: h_t = \tanh(x_t W_x + h_{t-1} W_h + b), \qquad t = 1, \dots, T

    Args:
        x: the inputs, one row per step.
        h0: the state before the first step.
        w_x: weights of the input.
        w_h: weights of the state.
        b: bias.

    Returns:
        hs: row t is the state after step t; h0 is not among the rows. NaN at a step makes the rows
        from there on NaN, none before.

    Raises:
        ValueError: if there is no step, or what ``rnn_step`` refuses.

    Source: Elman 1990, "Finding structure in time".
    Cost: 2 B T (C N + N²) FLOPs in T steps that cannot run side by side: O(T) sequential
    operations in Table 1 of Vaswani et al. 2017 (arXiv:1706.03762).
    """
    _require_steps(x)
    h, states = h0, []
    for t in range(x.shape[-2]):
        h = rnn_step(x[..., t, :], h, w_x, w_h, b)
        states.append(h)
    return torch.stack(states, dim=-2)


def lstm_forward(
    x: Float[Tensor, "*batch T C"],
    h0: Float[Tensor, "*batch N"],
    c0: Float[Tensor, "*batch N"],
    w: Float[Tensor, "_ _"],
    b: Float[Tensor, " _"],
) -> tuple[Float[Tensor, "*batch T N"], Float[Tensor, "*batch T N"]]:
    """Read a sequence with ``lstm_step`` and return every state and every cell.

    Args:
        x: the inputs, one row per step.
        h0: the state before the first step.
        c0: the cell before the first step.
        w: the weights of ``lstm_step``: gates i, f, g, o.
        b: bias, in the same order.

    Returns:
        hs and cs: row t is the state, and the cell, after step t. PyTorch returns the last cell
        alone. NaN at a step makes the rows from there on NaN, none before.

    Raises:
        ValueError: if there is no step, or what ``lstm_step`` refuses.

    Source: Hochreiter and Schmidhuber 1997, with a forget gate; see ``lstm_step``.
    Cost: 8 B T (C + N) N FLOPs, four times those of ``rnn_forward``.
    """
    _require_steps(x)
    h, c = h0, c0
    states, cells = [], []
    for t in range(x.shape[-2]):
        h, c = lstm_step(x[..., t, :], h, c, w, b)
        states.append(h)
        cells.append(c)
    return torch.stack(states, dim=-2), torch.stack(cells, dim=-2)


def gru_forward(
    x: Float[Tensor, "*batch T C"],
    h0: Float[Tensor, "*batch N"],
    w_x: Float[Tensor, "C _"],
    w_h: Float[Tensor, "N _"],
    b_x: Float[Tensor, " _"],
    b_h: Float[Tensor, " _"],
) -> Float[Tensor, "*batch T N"]:
    """Read a sequence with ``gru_step`` and return every state.

    Args:
        x: the inputs, one row per step.
        h0: the state before the first step.
        w_x: weights of the input: r, z, n.
        w_h: weights of the state, in the same order.
        b_x: bias beside the input.
        b_h: bias beside the state.

    Returns:
        hs: row t is the state after step t. NaN at a step makes the rows from there on NaN, none
        before.

    Raises:
        ValueError: if there is no step, or what ``gru_step`` refuses.

    Source: Cho et al. 2014 (arXiv:1406.1078), in PyTorch's form; see ``gru_step``.
    Cost: 6 B T (C + N) N FLOPs, three times those of ``rnn_forward``.
    """
    _require_steps(x)
    h, states = h0, []
    for t in range(x.shape[-2]):
        h = gru_step(x[..., t, :], h, w_x, w_h, b_x, b_h)
        states.append(h)
    return torch.stack(states, dim=-2)


def _require_steps(x: Tensor) -> None:
    require_axes("x", x, "*batch T C")
    if x.shape[-2] == 0:
        raise ValueError(
            f"a sequence has at least one step; x has T = {x.shape[-2]}; shape {tuple(x.shape)}"
        )
