"""One step of a recurrent network: the input and the old state make the new state."""

import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.kinds import require_same_dtype
from course_lib.shapes import require_axes, require_projection

__all__ = ["gru_step", "lstm_step", "rnn_step"]


def rnn_step(
    x: Float[Tensor, "*batch C"],
    h: Float[Tensor, "*batch N"],
    w_x: Float[Tensor, "C N"],
    w_h: Float[Tensor, "N N"],
    b: Float[Tensor, " N"],
) -> Float[Tensor, "*batch N"]:
    r"""Mix the input with the old state and squash the sum.

    .. math:: h' = \tanh(x W_x + h W_h + b)

    Args:
        x: the input of this step.
        h: the state that the step before left.
        w_x: weights of the input.
        w_h: weights of the state; column n makes unit n of the new state.
        b: bias.

    Returns:
        The new state, each unit between -1 and 1. NaN makes all of its row NaN; an infinite input
        closes in on ±1.

    Raises:
        ValueError: if x and h differ in their leading axes, or a weight does not fit.

    Source: Elman 1990, "Finding structure in time". Rows stand on the left: what papers and
    PyTorch write as W h is h @ w_h here, so their matrices are the transposes of ours. PyTorch
    splits b into two biases, which are only ever added.

    >>> one = torch.ones(1, 1)
    >>> rnn_step(one, one, 0 * one, 0.5 * one, torch.zeros(1))
    tensor([[0.4621]])
    """
    _require_fit(x, h, w_x, w_h, {"w_x": w_x, "w_h": w_h, "b": b}, gates=1)
    return torch.tanh(x @ w_x + h @ w_h + b)


def lstm_step(
    x: Float[Tensor, "*batch C"],
    h: Float[Tensor, "*batch N"],
    c: Float[Tensor, "*batch N"],
    w: Float[Tensor, "_ _"],
    b: Float[Tensor, " _"],
) -> tuple[Float[Tensor, "*batch N"], Float[Tensor, "*batch N"]]:
    r"""Keep a part of the cell, write a part of something new, and show a part of the result.

    .. math::
        (\hat\imath, \hat f, \hat g, \hat o) &= [x, h]\, W + b \\
        c' &= \sigma(\hat f) \odot c + \sigma(\hat\imath) \odot \tanh(\hat g) \\
        h' &= \sigma(\hat o) \odot \tanh(c')

    The way from c to c' is a product with a gate between 0 and 1: where it stays near 1, a
    gradient passes through many steps.

    Args:
        x: the input of this step.
        h: the state: what the step before showed.
        c: the cell: what the step before kept.
        w: C + N rows, those of x above those of h; 4 N columns, N for each of the gates i, f, g, o
            in this order.
        b: bias, in the same order.

    Returns:
        The new state and the new cell. NaN in x or h makes both NaN, in c its own unit alone. An
        infinite input saturates the gates.

    Raises:
        ValueError: if x, h and c differ in their leading axes, h and c in their size, or w or b
            does not fit.

    Source: Hochreiter and Schmidhuber 1997; with the forget gate of Gers et al. 2000 and without
    its peepholes, as in Graves 2013 (arXiv:1308.0850), eq. 7 to 11, without the terms in c.
    PyTorch has the same order of gates, w in two matrices, transposed, and two biases.

    >>> x, h, c = torch.zeros(1, 1), torch.zeros(1, 1), torch.tensor([[2.0]])
    >>> lstm_step(x, h, c, torch.zeros(2, 4), torch.tensor([0.0, 100.0, 0.0, 100.0]))
    (tensor([[0.9640]]), tensor([[2.]]))
    """
    require_axes("x", x, "*batch C")
    require_axes("w", w, "rows columns")
    require_same_dtype(x=x, h=h, c=c, w=w, b=b)
    if c.shape != h.shape:
        raise ValueError(
            "h and c have one entry per unit; "
            f"h has {h.numel()} entries and c {c.numel()}; shapes {tuple(h.shape)} and "
            f"{tuple(c.shape)}"
        )
    size = x.shape[-1] + h.shape[-1]
    if w.shape[0] != size:
        raise ValueError(
            "w has a row for each entry of x and, below, one for each entry of h; "
            f"C + N = {x.shape[-1]} + {h.shape[-1]} = {size} and w has {w.shape[0]} rows; "
            f"shapes {tuple(x.shape)}, {tuple(h.shape)} and {tuple(w.shape)}"
        )
    w_x, w_h = w[: x.shape[-1]], w[x.shape[-1] :]
    _require_fit(x, h, w_x, w_h, {"w": w, "b": b}, gates=4)
    write, keep, new, show = (torch.cat([x, h], dim=-1) @ w + b).chunk(4, dim=-1)
    c = torch.sigmoid(keep) * c + torch.sigmoid(write) * torch.tanh(new)
    return torch.sigmoid(show) * torch.tanh(c), c


def gru_step(
    x: Float[Tensor, "*batch C"],
    h: Float[Tensor, "*batch N"],
    w_x: Float[Tensor, "C _"],
    w_h: Float[Tensor, "N _"],
    b_x: Float[Tensor, " _"],
    b_h: Float[Tensor, " _"],
) -> Float[Tensor, "*batch N"]:
    r"""Move each unit of the state a part of the way to a new value.

    .. math::
        (r_x, z_x, n_x) &= x W_x + b_x \\
        (r_h, z_h, n_h) &= h W_h + b_h \\
        r &= \sigma(r_x + r_h) \\
        z &= \sigma(z_x + z_h) \\
        n &= \tanh(n_x + r \odot n_h) \\
        h' &= (1 - z) \odot n + z \odot h

    Args:
        x: the input of this step.
        h: the state that the step before left.
        w_x: weights of the input; 3 N columns, N for each of r (reset), z (update) and n (new
            value) in this order.
        w_h: weights of the state, in the same order.
        b_x: bias beside the input.
        b_h: bias beside the state. For n it stands inside the reset, so it cannot be added to b_x.

    Returns:
        The new state, between the old one and n. NaN makes all of its row NaN; an infinite input
        saturates the gates.

    Raises:
        ValueError: if x and h differ in their leading axes, or a weight does not fit.

    Source: Cho et al. 2014 (arXiv:1406.1078), eq. 5 to 8. They reset the state before its matrix,
    (r ⊙ h) W, with no bias; this is PyTorch's form, which resets after it, r ⊙ (h W + b_h): one
    product instead of two.

    >>> x, h, zeros = torch.zeros(1, 1), torch.tensor([[2.0]]), torch.zeros(1, 3)
    >>> gru_step(x, h, zeros, zeros, torch.tensor([0.0, 0.0, 100.0]), torch.zeros(3))
    tensor([[1.5000]])
    """
    columns = {"w_x": w_x, "w_h": w_h, "b_x": b_x, "b_h": b_h}
    _require_fit(x, h, w_x, w_h, columns, gates=3)
    reset_x, update_x, new_x = (x @ w_x + b_x).chunk(3, dim=-1)
    reset_h, update_h, new_h = (h @ w_h + b_h).chunk(3, dim=-1)
    update = torch.sigmoid(update_x + update_h)
    new = torch.tanh(new_x + torch.sigmoid(reset_x + reset_h) * new_h)
    return (1 - update) * new + update * h


def _require_fit(
    x: Tensor, h: Tensor, w_x: Tensor, w_h: Tensor, columns: dict[str, Tensor], *, gates: int
) -> None:
    require_axes("x", x, "*batch C")
    require_axes("h", h, "*batch N")
    require_same_dtype(x=x, h=h, **columns)
    if x.shape[:-1] != h.shape[:-1]:
        raise ValueError(
            "x and h belong to the same examples, so their leading axes agree; "
            f"x has {tuple(x.shape[:-1])} and h {tuple(h.shape[:-1])}; "
            f"shapes {tuple(x.shape)} and {tuple(h.shape)}"
        )
    require_projection("x", x, "w_x", w_x)
    require_projection("h", h, "w_h", w_h)
    expected = gates * h.shape[-1]
    for name, weight in columns.items():
        require_axes(name, weight, "rows columns" if name.startswith("w") else "columns")
        if weight.shape[-1] != expected:
            each = "one column" if gates == 1 else f"{gates} columns, one a gate,"
            raise ValueError(
                f"{name} has {each} for each of the N units of the state; "
                f"N is {h.shape[-1]}, so {expected} columns, and {name} has {weight.shape[-1]}; "
                f"shapes {tuple(h.shape)} and {tuple(weight.shape)}"
            )
