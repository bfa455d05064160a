"""A mixture of experts: each token passes through the few that were chosen for it."""

from functools import partial
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd import Function

from course_lib.exact.once import require_first_derivative
from course_lib.experts.routed import through_experts
from course_lib.kinds import require_same_dtype
from course_lib.layers.activations import silu
from course_lib.layers.feed_forward import swiglu
from course_lib.shapes import require_axes

__all__ = ["gated_moe_forward", "grouped_matmul", "moe_forward", "shared_experts"]


def grouped_matmul(
    rows: Float[Tensor, "_ C"], counts: Int[Tensor, " E"], weights: Float[Tensor, "E C F"]
) -> Float[Tensor, "_ F"]:
    r"""Multiply the first rows with the first matrix, the next ones with the second, and so on.

    .. math:: y_i = x_i W_{e(i)}, \qquad e(i) \text{ the expert of row } i

    The gradient is written by hand. ``weights[e]`` in a loop would make one of the size of all E
    matrices for each of them.

    Args:
        rows: the rows of expert 0, then those of expert 1, and so on.
        counts: how many rows each expert has; 0 will do.
        weights: one matrix per expert.

    Returns:
        One row for each. NaN stays in its row.

    Raises:
        ValueError: if the counts do not add up to the rows, if there is not one per matrix, or if
            the matrices have not one row per entry of x.
        ValueError: on the way back, where a gradient of the gradient is asked for.

    Source: Gale et al. 2022, MegaBlocks (arXiv:2211.15841), sec. 3, where it is one kernel;
    ``torch.nn.functional.grouped_mm`` in PyTorch.
    Cost: 2 C F FLOPs a row.
    """
    require_axes("rows", rows, "rows C")
    require_axes("weights", weights, "E C F")
    require_same_dtype(rows=rows, weights=weights)
    numbers = counts.tolist()
    if len(numbers) != len(weights) or sum(numbers) != len(rows) or min(numbers, default=0) < 0:
        raise ValueError(
            "each row belongs to one expert and each expert has one matrix; there are "
            f"{len(rows)} rows and {len(weights)} matrices, and {len(numbers)} counts that add up "
            f"to {sum(numbers)}"
        )
    if rows.shape[1] != weights.shape[1]:
        raise ValueError(
            f"a row has as many entries as a matrix has rows; a row has {rows.shape[1]} and a "
            f"matrix {weights.shape[1]}; shapes {tuple(rows.shape)} and {tuple(weights.shape)}"
        )
    product: Tensor = _Grouped.apply(rows, weights, numbers)  # type: ignore[no-untyped-call]
    return product


class _Grouped(Function):
    """Each product is written where it belongs: nothing is copied, there or on the way back."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, weights: Tensor, numbers: list[int]) -> Tensor:
        ctx.save_for_backward(rows, weights)
        ctx.numbers = numbers
        return _one_by_one(rows, weights, numbers)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        require_first_derivative("grouped_matmul", "a product for each expert")
        rows, weights = ctx.saved_tensors
        grad_weights = torch.empty_like(weights)
        parts = (torch.split(x, ctx.numbers) for x in (rows, gradient))
        for part, given, place in zip(*parts, grad_weights, strict=True):
            torch.mm(part.T, given, out=place)
        return _one_by_one(gradient, weights.mT, ctx.numbers), grad_weights, None


def _one_by_one(rows: Tensor, weights: Tensor, numbers: list[int]) -> Tensor:
    products = rows.new_empty(len(rows), weights.shape[2])
    parts = (torch.split(x, numbers) for x in (rows, products))
    for part, place, matrix in zip(*parts, weights, strict=True):
        torch.mm(part, matrix, out=place)
    return products


def moe_forward(
    x: Float[Tensor, "*batch T C"],
    experts: Int[Tensor, "*batch T A"],
    weights: Float[Tensor, "*batch T A"],
    w_up: Float[Tensor, "E C F"],
    w_down: Float[Tensor, "E F C"],
) -> Float[Tensor, "*batch T C"]:
    r"""Send each token through its A experts, and add up what they give by the weights.

    .. math:: y_t = \sum_a w_{ta}\, \mathrm{SiLU}(x_t U_{e}) D_{e}, \qquad e = i_{ta}

    The choices are sorted by expert, so that each expert multiplies once.

    Args:
        x: one vector per token.
        experts: which experts each token uses, from a router.
        weights: how much of each.
        w_up: U, one matrix per expert.
        w_down: D, one matrix per expert.

    Returns:
        One vector per token; with E = A = 1 and weight 1 a feed-forward network. NaN in a token
        stays there.

    Raises:
        ValueError: if an expert does not exist, or sizes or dtypes do not fit.

    Source: Shazeer et al. 2017 (arXiv:1701.06538), eq. 1, with SiLU as bend.
    Cost: 4 A C F FLOPs a token, however many experts there are; T A (C + F) numbers are held.
    """
    return through_experts(x, experts, weights, len(w_up), partial(_plain, w_up, w_down))


def gated_moe_forward(
    x: Float[Tensor, "*batch T C"],
    experts: Int[Tensor, "*batch T A"],
    weights: Float[Tensor, "*batch T A"],
    w_gate: Float[Tensor, "E C F"],
    w_up: Float[Tensor, "E C F"],
    w_down: Float[Tensor, "E F C"],
) -> Float[Tensor, "*batch T C"]:
    r"""Send each token through its A experts, each of them a SwiGLU network.

    .. math:: y_t = \sum_a w_{ta}\, \big(\mathrm{SiLU}(x_t G_{e}) \odot x_t U_{e}\big) D_{e},
        \qquad e = i_{ta}

    Args:
        x: one vector per token.
        experts: which experts each token uses, from a router.
        weights: how much of each.
        w_gate: G, one matrix per expert.
        w_up: U, one matrix per expert.
        w_down: D, one matrix per expert.

    Returns:
        One vector per token; with E = A = 1 and weight 1 it is ``swiglu``.

    Raises:
        ValueError: if an expert does not exist, or sizes or dtypes do not fit.

    Source: Mixtral (arXiv:2401.04088), sec. 2.1.
    Cost: 6 A C F FLOPs a token; T A (C + 2 F) numbers are held.
    """
    return through_experts(x, experts, weights, len(w_up), partial(_gated, w_gate, w_up, w_down))


def shared_experts(
    x: Float[Tensor, "*batch C"],
    w_gate: Float[Tensor, "E C F"],
    w_up: Float[Tensor, "E C F"],
    w_down: Float[Tensor, "E F C"],
) -> Float[Tensor, "*batch C"]:
    r"""Add up what all of some experts give, for every token: those that nobody chooses.

    .. math:: y = \sum_e \big(\mathrm{SiLU}(x G_e) \odot x U_e\big) D_e

    They hold what every token needs, beside the mixture. E of them are one network of width E F,
    and released models store them so.

    Args:
        x: one vector per token.
        w_gate: G, one matrix per expert.
        w_up: U, one matrix per expert.
        w_down: D, one matrix per expert.

    Returns:
        One vector per token, to be added to the mixture's.

    Raises:
        ValueError: if a matrix has not one row per entry of what it multiplies.

    Source: DeepSeekMoE (arXiv:2401.06066), sec. 3.2, eq. 9.
    Cost: 6 E C F FLOPs a token.
    """
    for name, w in (("w_gate", w_gate), ("w_up", w_up), ("w_down", w_down)):
        require_axes(name, w, "E _ _")
    gate, up = (w.transpose(0, 1).flatten(1) for w in (w_gate, w_up))  # C EF
    return swiglu(x, gate, up, w_down.flatten(0, 1))


def _plain(w_up: Tensor, w_down: Tensor, rows: Tensor, counts: Tensor) -> Tensor:
    return grouped_matmul(silu(grouped_matmul(rows, counts, w_up)), counts, w_down)


def _gated(w_gate: Tensor, w_up: Tensor, w_down: Tensor, rows: Tensor, counts: Tensor) -> Tensor:
    gate, up = (grouped_matmul(rows, counts, w) for w in (w_gate, w_up))
    return grouped_matmul(silu(gate) * up, counts, w_down)
