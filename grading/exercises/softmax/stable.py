"""softmax: stable, along any axis."""

from __future__ import annotations

import numpy as np

from grading.exercise import Exercise, Law, Misconception, Output, Seen
from grading.exercises.shared.pairs import pair_of
from grading.exercises.shared.recognising import fails_only_on
from grading.exercises.shared.stepwise import mistake
from grading.exercises.softmax.forbidden import FORBIDDEN
from grading.exercises.softmax.probes import LOWEST, WIDE, along_an_axis
from grading.exercises.softmax.softmax_mistakes import STEPS
from grading.late import Tensor, late, torch

__all__ = ["SOFTMAX"]

library = late("course_lib.softmax")


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
    points=1.25, difficulty=2, importance=3, minutes=20, parameters=("x", "axis"),
    defaults={"axis": -1}, axes={"x": "B H T S"},
    outputs=(Output(name="weights", axes="..."),),
    reference=lambda x, axis: library.softmax(x, axis), equation="eq-softmax", forbidden=FORBIDDEN,
    probes=along_an_axis(),
    laws=(Law(rule="the weights sum to 1 along the axis", broken=_sums),),
    part="course_lib.softmax.softmax",
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
            "all may become 0."), recognise=fails_only_on(WIDE, besides=(LOWEST,))),
        mistake(STEPS, "SM-FLOORED", (
            "What you subtract is never below a number such as 0. In a row whose scores all lie "
            "near −1000 every exponential is 0, and the row is 0/0. A running maximum starts at "
            "−∞.")),
        pair_of("SM", lambda x, axis: (x - x.max(axis, keepdim=True)).exp()),
        mistake(STEPS, "SM-BASE", (
            "The powers have another base than e: 2 or 10. The weights are then those of scores "
            "that were multiplied.")),
        mistake(STEPS, "SM-NEGATED", (
            "The scores have the other sign: the lowest one gets the largest weight.")),
        Misconception(code="SM-LOG", wrong=lambda x, axis: x.log_softmax(axis), sentence=(
            "These are the weights' logarithms. They are negative, and their exponentials sum to "
            "1.")),
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
            "Scores beyond some number are taken for equal, as where they are cut off to keep the "
            "exponential finite: 1000 and 1001 then get equal weights.")),
        mistake(STEPS, "SM-EPSILON", (
            "A small number is added to the exponentials or their sum, or is the least that they "
            "may be. With the maximum subtracted the sum is at least 1, so nothing needs "
            "protecting, and the weights move.")),
    ),
    steps=STEPS,
    alternatives=(_by_rows, _by_logarithm, _shifted_by_minimum_and_maximum),
)  # fmt: skip
