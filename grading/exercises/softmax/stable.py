"""softmax: stable, along any axis."""

from __future__ import annotations

import numpy as np

from grading.exercise import Exercise, Law, Misconception, Output, Seen
from grading.exercises.shared.recognising import fails_only_on
from grading.exercises.shared.stepwise import mistake
from grading.exercises.softmax.probes import WIDE, three_axes
from grading.exercises.softmax.softmax_mistakes import STEPS
from grading.late import Tensor, late, torch

__all__ = ["FORBIDDEN", "SOFTMAX"]

library = late("course_lib.softmax")

FORBIDDEN = (
    "torch.softmax", "torch.Tensor.softmax", "torch.nn.functional.softmax", "torch.logsumexp",
    "torch.Tensor.logsumexp", "torch.log_softmax", "torch.Tensor.log_softmax",
    "torch.nn.functional.log_softmax", "torch.special.softmax", "torch.special.log_softmax",
    "torch.special.logsumexp", "torch.nn.functional.softmin",
    "aten._softmax", "aten._log_softmax", "aten.logsumexp", "aten.logcumsumexp",
    "aten._softmax_backward_data", "aten._log_softmax_backward_data", "aten._safe_softmax",
    "aten._masked_softmax", "aten._scaled_dot_product_flash_attention_for_cpu",
    "aten._scaled_dot_product_attention_math",
)  # fmt: skip


def _in_place(x: Tensor, axis: int) -> Tensor:
    x -= x.amax(axis, keepdim=True)
    exps = x.exp()
    return exps / exps.sum(axis, keepdim=True)


def _by_rows(x: Tensor, axis: int) -> Tensor:
    rows = x.movedim(axis, -1).reshape(-1, x.shape[axis])
    made = []
    for row in rows:
        exps = torch.exp(row - max(row.tolist()))
        made.append(exps / exps.sum())
    moved = x.movedim(axis, -1)
    return torch.stack(made).reshape(moved.shape).movedim(-1, axis)


def _by_logarithm(x: Tensor, axis: int) -> Tensor:
    shifted = x - torch.max(x, dim=axis, keepdim=True).values
    return torch.exp(shifted - torch.log(torch.sum(torch.exp(shifted), dim=axis, keepdim=True)))


def _shifted_by_minimum_and_maximum(x: Tensor, axis: int) -> Tensor:
    middle = x.amax(axis, keepdim=True) - 3.0
    exps = torch.exp(x - middle)
    return exps / torch.einsum("...->...", exps.sum(dim=axis, keepdim=True))


def _sums(one: Seen) -> str | None:
    axis = one.inputs["axis"]
    sums = one.outputs[0].astype(float).sum(axis)
    if np.allclose(sums, 1, rtol=1e-4, atol=1e-4):
        return None
    worst = float(sums.reshape(-1)[np.abs(sums - 1).argmax()])
    return f"Along axis {axis} the weights sum to {worst:.4g} and not to 1"


SOFTMAX = Exercise(
    name="softmax", slug="softmax", task="softmax", title="A stable softmax", kind="implement",
    points=1.5, difficulty=2, importance=3, minutes=20, parameters=("x", "axis"),
    axes={"x": "H T S"},
    outputs=(Output(name="weights", axes="..."),),
    reference=lambda x, axis: library.softmax(x, axis), equation="eq-softmax", forbidden=FORBIDDEN,
    probes=three_axes(),
    laws=(Law(rule="the weights sum to 1 along the axis", broken=_sums),),
    next_rung="Adding a number to every score changes nothing: try it.",
    misconceptions=(
        mistake(STEPS, "SM-OVERFLOW", (
            "The exponentials are taken without the row's maximum. exp(1000) is infinite, and a "
            "row near −1000 becomes 0/0. Subtract it first.")),
        mistake(STEPS, "SM-GLOBALMAX", (
            "One number, the maximum or mean of everything, is subtracted from all rows. A row "
            "that lies 1000 away from it then under- or overflows. Each needs its own maximum.")),
        mistake(STEPS, "SM-SHIFT", (
            "What you subtract is not the row's maximum. Only the maximum bounds the exponentials: "
            "with it the largest is e⁰ = 1. With less, e⁷¹⁰ and all above are infinite; with more, "
            "all may become 0."), recognise=fails_only_on(WIDE)),
        mistake(STEPS, "SM-RESCALED", (
            "The scores are divided by their own spread or size. Subtracting changes no weight; "
            "dividing changes all of them.")),
        mistake(STEPS, "SM-AXISFIXED", (
            "The axis is not used: the softmax always runs along the same one.")),
        mistake(STEPS, "SM-NOKEEP", (
            "The maximum or the sum has lost its axis, so it is matched with another one: "
            "keepdim=True keeps it, with size 1. A square input would have hidden it.")),
        Misconception(code="SM-INPLACE", wrong=_in_place, shows="inputs", sentence=(
            "Something writes into the caller's tensor: an operator such as -=, a method such as "
            "sub_, an assignment to x[…].")),
        mistake(STEPS, "SM-ALL", (
            "The sum runs over all entries. Each row along the axis sums to 1 by itself.")),
        mistake(STEPS, "SM-NOEXP", (
            "The scores are divided by their sum without the exponential. Negative scores give "
            "negative weights.")),
        mistake(STEPS, "SM-CLAMP", (
            "The scores are cut off to keep the exponential finite. Scores of 1000 and 1001 then "
            "get equal weights.")),
        mistake(STEPS, "SM-EPSILON", (
            "A number is added to the exponentials or their sum. With the maximum subtracted the "
            "sum is at least 1, so nothing needs protecting, and the weights move.")),
    ),
    steps=STEPS,
    alternatives=(_by_rows, _by_logarithm, _shifted_by_minimum_and_maximum),
)  # fmt: skip
