"""softmax: stable, along any axis."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from grading.exercise import Answer, Exercise, Law, Misconception, Output, Seen
from grading.exercises.shared.pairs import pair_of
from grading.exercises.shared.recognising import fails_only_on
from grading.exercises.shared.shifts import SHIFTS, at_least
from grading.exercises.softmax.forbidden import FORBIDDEN
from grading.exercises.softmax.probes import LOWEST, WIDE, along_an_axis
from grading.late import Tensor, late, torch

__all__ = ["SOFTMAX"]

library = late("course_lib.softmax")


def _overflows(x: Tensor, axis: int) -> Tensor:
    return x.exp() / x.exp().sum(axis, keepdim=True)


def _one_maximum(x: Tensor, axis: int) -> Tensor:
    exps = (x - x.max()).exp()
    return exps / exps.sum(axis, keepdim=True)


def _one_mean(x: Tensor, axis: int) -> Tensor:
    exps = (x - x.mean()).exp()
    return exps / exps.sum(axis, keepdim=True)


def _shifted(shift: Callable[[Tensor, int], Tensor]) -> Answer:
    def softmax(x: Tensor, axis: int) -> Tensor:
        exps = (x - shift(x, axis)).exp()
        return exps / exps.sum(axis, keepdim=True)

    return softmax


def _largest_size(x: Tensor, axis: int) -> Tensor:
    return x.abs().amax(axis, keepdim=True)


def _mean_and_maximum(x: Tensor, axis: int) -> Tensor:
    return x.mean(axis, keepdim=True) + x.amax(axis, keepdim=True)


def _rescaled(divide: Callable[[Tensor, int], Tensor]) -> Answer:
    def softmax(x: Tensor, axis: int) -> Tensor:
        return torch.softmax(divide(x, axis), axis)

    return softmax


def _spread(x: Tensor, axis: int) -> Tensor:
    return x.amax(axis, keepdim=True) - x.amin(axis, keepdim=True)


def _fixed(fixed: int) -> Answer:
    def softmax(x: Tensor, axis: int) -> Tensor:
        exps = (x - x.amax(fixed, keepdim=True)).exp()
        return exps / exps.sum(fixed, keepdim=True)

    return softmax


def _no_keepdim(x: Tensor, axis: int) -> Tensor:
    exps = (x - x.amax(axis, keepdim=True)).exp()
    return exps / exps.sum(axis)


def _no_keepdim_maximum(x: Tensor, axis: int) -> Tensor:
    exps = (x - x.amax(axis)).exp()
    return exps / exps.sum(axis, keepdim=True)


def _no_keepdim_no_maximum(x: Tensor, axis: int) -> Tensor:
    return x.exp() / x.exp().sum(axis)


def _no_keepdim_one_maximum(x: Tensor, axis: int) -> Tensor:
    exps = (x - x.max()).exp()
    return exps / exps.sum(axis)


def _neither_keepdim(x: Tensor, axis: int) -> Tensor:
    exps = (x - x.amax(axis)).exp()
    return exps / exps.sum(axis)


def _in_place(x: Tensor, axis: int) -> Tensor:
    x -= x.amax(axis, keepdim=True)
    exps = x.exp()
    return exps / exps.sum(axis, keepdim=True)


def _all_entries(x: Tensor, axis: int) -> Tensor:
    exps = (x - x.max()).exp()
    return exps / exps.sum()


def _no_exponential(x: Tensor, axis: int) -> Tensor:
    return x / x.sum(axis, keepdim=True)


def _clamped(x: Tensor, axis: int) -> Tensor:
    exps = x.clamp(max=80.0, min=-80.0).exp()
    return exps / exps.sum(axis, keepdim=True)


def _padded_sum(number: float) -> Answer:
    def softmax(x: Tensor, axis: int) -> Tensor:
        exps = (x - x.amax(axis, keepdim=True)).exp()
        return exps / (exps.sum(axis, keepdim=True) + number)

    return softmax


def _padded_powers(number: float) -> Answer:
    def softmax(x: Tensor, axis: int) -> Tensor:
        exps = (x - x.amax(axis, keepdim=True)).exp() + number
        return exps / exps.sum(axis, keepdim=True)

    return softmax


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
        Misconception(code="SM-OVERFLOW", wrong=_overflows, sentence=(
            "The exponentials are taken without the row's maximum. exp(1000) is infinite, and a "
            "row near −1000 becomes 0/0. Subtract it first.")),
        Misconception(code="SM-GLOBALMAX", wrong=_one_maximum, sentence=(
            "One number, the maximum or mean of everything, is subtracted from all rows. A row "
            "that lies 1000 away from it then under- or overflows. Each needs its own maximum."),
            also=(_one_mean,)),
        Misconception(code="SM-SHIFT", wrong=_shifted(SHIFTS[0]), also=tuple(
            _shifted(shift) for shift in (
                *SHIFTS[1:], _largest_size, _mean_and_maximum)),
            recognise=fails_only_on(WIDE, besides=(LOWEST,)), sentence=(
            "What you subtract is not the row's maximum. Only the maximum bounds the exponentials: "
            "with it the largest is e⁰ = 1. With less, e⁷¹⁰ and all above are infinite; with more, "
            "all may become 0.")),
        Misconception(code="SM-FLOORED", wrong=_shifted(at_least(0.0)), also=tuple(
            _shifted(at_least(least)) for least in (-1.0, -10.0, -100.0)), sentence=(
            "What you subtract is never below a number such as 0. In a row whose scores all lie "
            "near −1000 every exponential is 0, and the row is 0/0. A running maximum starts at "
            "−∞.")),
        pair_of("SM", lambda x, axis: (x - x.max(axis, keepdim=True)).exp()),
        Misconception(code="SM-BASE", wrong=_rescaled(lambda x, axis: x * math.log(2)), also=(
            _rescaled(lambda x, axis: x * math.log(10)),), sentence=(
            "The powers have another base than e: 2 or 10. The weights are then those of scores "
            "that were multiplied.")),
        Misconception(code="SM-NEGATED", wrong=_rescaled(lambda x, axis: -x), sentence=(
            "The scores have the other sign: the lowest one gets the largest weight.")),
        Misconception(code="SM-LOG", wrong=lambda x, axis: x.log_softmax(axis), sentence=(
            "These are the weights' logarithms. They are negative, and their exponentials sum to "
            "1.")),
        Misconception(code="SM-RESCALED", wrong=_rescaled(
            lambda x, axis: (x - x.mean(axis, keepdim=True)) / x.std(axis, keepdim=True)), also=(
            _rescaled(lambda x, axis: (x - x.amin(axis, keepdim=True)) / _spread(x, axis)),
            _rescaled(lambda x, axis: x / x.amax(axis, keepdim=True)),
            _rescaled(lambda x, axis: x / x.norm(dim=axis, keepdim=True))), sentence=(
            "The scores are divided by their own spread or size. Subtracting changes no weight; "
            "dividing changes all of them.")),
        Misconception(code="SM-AXISFIXED", wrong=_fixed(-1), also=tuple(
            _fixed(axis) for axis in (0, 1, 2, -2)), sentence=(
            "The axis is not used: the softmax always runs along the same one.")),
        Misconception(code="SM-NOKEEP", wrong=_no_keepdim,
                      also=(_no_keepdim_maximum, _neither_keepdim, _no_keepdim_no_maximum,
                            _no_keepdim_one_maximum), sentence=(
            "The maximum or the sum has lost its axis, so it is matched with another one: "
            "keepdim=True keeps it, with size 1. A square input would have hidden it.")),
        Misconception(code="SM-INPLACE", wrong=_in_place, shows="inputs", sentence=(
            "Something writes into the caller's tensor: an operator such as -=, a method such as "
            "sub_, an assignment to x[…].")),
        Misconception(code="SM-ALL", wrong=_all_entries, sentence=(
            "The sum runs over all entries. Each row along the axis sums to 1 by itself.")),
        Misconception(code="SM-NOEXP", wrong=_no_exponential, sentence=(
            "The scores are divided by their sum without the exponential. Negative scores give "
            "negative weights.")),
        Misconception(code="SM-CLAMP", wrong=_clamped, sentence=(
            "The scores are cut off to keep the exponential finite. Scores of 1000 and 1001 then "
            "get equal weights.")),
        Misconception(code="SM-EPSILON", wrong=_padded_sum(1e-3), also=(
            *(_padded_sum(number) for number in (1e-2, 1e-4, 1e-5, 1e-6)),
            *(_padded_powers(10.0**-power) for power in range(3, 9))), sentence=(
            "A number is added to the exponentials or their sum. With the maximum subtracted the "
            "sum is at least 1, so nothing needs protecting, and the weights move.")),
    ),
    alternatives=(_by_rows, _by_logarithm, _shifted_by_minimum_and_maximum),
)  # fmt: skip
