"""The feed-forward network: two matrices and a bend, or three matrices with a gate."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.layers.activations import gelu, relu, silu
from course_lib.layers.affine import affine
from course_lib.shapes import require_projection

__all__ = [
    "bilinear",
    "feed_forward",
    "gated_feed_forward",
    "geglu",
    "glu",
    "reglu",
    "swiglu",
]


def feed_forward(
    x: Float[Tensor, "*batch C"],
    w_in: Float[Tensor, "C F"],
    b_in: Float[Tensor, " F"] | None,
    w_out: Float[Tensor, "F C"],
    b_out: Float[Tensor, " C"] | None,
    activation: Callable[[Tensor], Tensor],
) -> Float[Tensor, "*batch C"]:
    r"""Widen each vector, bend every entry, and come back.

    .. math:: y = f(x W_1 + b_1) \, W_2 + b_2

    Args:
        x: vectors; each is transformed on its own, by the same matrices.
        w_in: W₁.
        b_in: b₁; None leaves it out.
        w_out: W₂.
        b_out: b₂; None leaves it out.
        activation: f, applied entry by entry: ``relu``, ``gelu``, ``gelu_tanh``, ...

    Returns:
        One vector for each. NaN in a vector makes its result NaN, and no other's.

    Raises:
        ValueError: if a matrix has not one row per entry of what it multiplies, or a bias not one
            number per column.

    Source: Vaswani et al. 2017 (arXiv:1706.03762), eq. 2, where f is ReLU.
    Cost: 4 C F FLOPs a vector; 2 C F + F + C parameters.
    """
    hidden = activation(affine(x, w_in, b_in, names=("x", "w_in")))
    return affine(hidden, w_out, b_out, names=("the hidden layer", "w_out"))


def gated_feed_forward(
    x: Float[Tensor, "*batch C"],
    w_gate: Float[Tensor, "C F"],
    w_up: Float[Tensor, "C F"],
    w_down: Float[Tensor, "F C"],
    activation: Callable[[Tensor], Tensor],
) -> Float[Tensor, "*batch C"]:
    r"""Multiply two projections entry by entry, one of them bent: it opens or closes the other.

    .. math:: y = \big(f(x W_{gate}) \odot x W_{up}\big) \, W_{down}

    Args:
        x: vectors; each is transformed on its own, by the same matrices.
        w_gate: W, whose product is bent.
        w_up: V, whose product is let through.
        w_down: W₂, back to the size of x.
        activation: f, applied entry by entry.

    Returns:
        One vector for each. NaN in a vector makes its result NaN, and no other's.

    Raises:
        ValueError: if a matrix has not one row per entry of what it multiplies, or w_gate and w_up
            differ in their columns.

    Source: Shazeer 2020 (arXiv:2002.05202), eq. 6, without biases as there.
    Cost: 6 C F FLOPs a vector; 3 C F parameters. F = 2/3 of an ungated network's width costs the
    same.
    """
    require_projection("x", x, "w_gate", w_gate)
    require_projection("x", x, "w_up", w_up)
    if w_gate.shape[1] != w_up.shape[1]:
        raise ValueError(
            "each entry has its own gate, so w_gate and w_up have the same number of columns F; "
            f"w_gate has {w_gate.shape[1]} and w_up {w_up.shape[1]}; "
            f"shapes {tuple(w_gate.shape)} and {tuple(w_up.shape)}"
        )
    hidden = activation(x @ w_gate) * (x @ w_up)
    return affine(hidden, w_down, names=("the hidden layer", "w_down"))


def glu(
    x: Float[Tensor, "*batch C"],
    w_gate: Float[Tensor, "C F"],
    w_up: Float[Tensor, "C F"],
    w_down: Float[Tensor, "F C"],
) -> Float[Tensor, "*batch C"]:
    r"""Gate with a sigmoid: every gate lies between 0 and 1.

    .. math:: y = \big(\sigma(x W_{gate}) \odot x W_{up}\big) \, W_{down}

    Args:
        x: vectors; each is transformed on its own.
        w_gate: makes the gate.
        w_up: makes what is gated.
        w_down: back to the size of x.

    Returns:
        One vector for each. NaN in a vector makes its result NaN, and no other's.

    Source: Dauphin et al. 2017 (arXiv:1612.08083), eq. 1; as a feed-forward network Shazeer 2020
    (arXiv:2002.05202), eq. 6.
    """
    return gated_feed_forward(x, w_gate, w_up, w_down, torch.sigmoid)


def bilinear(
    x: Float[Tensor, "*batch C"],
    w_gate: Float[Tensor, "C F"],
    w_up: Float[Tensor, "C F"],
    w_down: Float[Tensor, "F C"],
) -> Float[Tensor, "*batch C"]:
    r"""Gate with the bare projection: the product is all that bends.

    .. math:: y = (x W_{gate} \odot x W_{up}) \, W_{down}

    Args:
        x: vectors; each is transformed on its own.
        w_gate: one factor.
        w_up: the other factor.
        w_down: back to the size of x.

    Returns:
        One vector for each. NaN in a vector makes its result NaN, and no other's.

    Source: Shazeer 2020 (arXiv:2002.05202), eq. 6.
    """
    return gated_feed_forward(x, w_gate, w_up, w_down, _identity)


def reglu(
    x: Float[Tensor, "*batch C"],
    w_gate: Float[Tensor, "C F"],
    w_up: Float[Tensor, "C F"],
    w_down: Float[Tensor, "F C"],
) -> Float[Tensor, "*batch C"]:
    r"""Gate with ReLU.

    .. math:: y = \big(\max(x W_{gate}, 0) \odot x W_{up}\big) \, W_{down}

    Args:
        x: vectors; each is transformed on its own.
        w_gate: makes the gate.
        w_up: makes what is gated.
        w_down: back to the size of x.

    Returns:
        One vector for each. NaN in a vector makes its result NaN, and no other's.

    Source: Shazeer 2020 (arXiv:2002.05202), eq. 6.
    """
    return gated_feed_forward(x, w_gate, w_up, w_down, relu)


def geglu(
    x: Float[Tensor, "*batch C"],
    w_gate: Float[Tensor, "C F"],
    w_up: Float[Tensor, "C F"],
    w_down: Float[Tensor, "F C"],
) -> Float[Tensor, "*batch C"]:
    r"""Gate with GELU, in its exact form.

    .. math:: y = \big(\mathrm{GELU}(x W_{gate}) \odot x W_{up}\big) \, W_{down}

    Args:
        x: vectors; each is transformed on its own.
        w_gate: makes the gate.
        w_up: makes what is gated.
        w_down: back to the size of x.

    Returns:
        One vector for each. NaN in a vector makes its result NaN, and no other's.

    Source: Shazeer 2020 (arXiv:2002.05202), eq. 6. Gemma gates with the tanh form:
    ``gated_feed_forward`` with ``gelu_tanh``.
    """
    return gated_feed_forward(x, w_gate, w_up, w_down, gelu)


def swiglu(
    x: Float[Tensor, "*batch C"],
    w_gate: Float[Tensor, "C F"],
    w_up: Float[Tensor, "C F"],
    w_down: Float[Tensor, "F C"],
) -> Float[Tensor, "*batch C"]:
    r"""Gate with SiLU (Swish): the feed-forward network of Llama and most models since.

    .. math:: y = \big(\mathrm{SiLU}(x W_{gate}) \odot x W_{up}\big) \, W_{down}

    Args:
        x: vectors; each is transformed on its own.
        w_gate: makes the gate.
        w_up: makes what is gated.
        w_down: back to the size of x.

    Returns:
        One vector for each. NaN in a vector makes its result NaN, and no other's.

    Source: Shazeer 2020 (arXiv:2002.05202), eq. 6.

    >>> one = torch.ones(1, 1)
    >>> swiglu(torch.tensor([2.0]), one, one, one)  # 2 σ(2) · 2
    tensor([3.5232])
    """
    return gated_feed_forward(x, w_gate, w_up, w_down, silu)


def _identity(x: Tensor) -> Tensor:
    return x
