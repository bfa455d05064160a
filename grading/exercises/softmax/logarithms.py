"""logsumexp: the logarithm of the softmax's denominator."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from grading.exercise import Answer, Exercise, Inputs, Misconception, Output, Probe
from grading.exercises.shared.drawing import normal
from grading.exercises.shared.pairs import pair_of
from grading.exercises.shared.recognising import fails_only_on, is_right
from grading.exercises.shared.shifts import SHIFTS, at_least
from grading.exercises.softmax.forbidden import FORBIDDEN
from grading.exercises.softmax.probes import LOWEST, WIDE, along_an_axis
from grading.late import Tensor, late, torch

__all__ = ["LOGSUMEXP", "by_pairs"]

library = late("course_lib.softmax")


EMPTY = "a row of −∞ alone"


def _empty_row(generator: torch.Generator) -> Inputs:
    x = normal(generator, 3, 4)
    x[0] = -torch.inf
    x[1, 2] = -torch.inf
    return {"x": x, "axis": -1}


def _shifted(shift: Callable[[Tensor, int], Tensor]) -> Answer:
    def logsumexp(x: Tensor, axis: int) -> Tensor:
        by = shift(x, axis)
        return (x - by).exp().sum(axis).log() + by.squeeze(axis)

    return logsumexp


def _padded(number: float) -> Answer:
    def logsumexp(x: Tensor, axis: int) -> Tensor:
        top = x.amax(axis, keepdim=True)
        exps = (x - top.clamp(min=-1e300)).exp()
        return (exps.sum(axis) + number).log() + top.squeeze(axis)

    return logsumexp


def _lost_axis(x: Tensor, axis: int) -> Tensor:
    top = x.amax(axis)
    return (x - top).exp().sum(axis).log() + top


def _axis_too_many(x: Tensor, axis: int) -> Tensor:
    top = x.amax(axis, keepdim=True)
    return (x - top).exp().sum(axis).log() + top


def _fixed_axis(fixed: int) -> Answer:
    return lambda x, axis: x.logsumexp(fixed)


def _naive_lse(x: Tensor, axis: int) -> Tensor:
    return x.exp().sum(axis).log()


def _forgets_maximum(x: Tensor, axis: int) -> Tensor:
    shift = x.amax(axis, keepdim=True).clamp(min=-1e300)
    return (x - shift).exp().sum(axis).log()


def _subtracts_infinity(x: Tensor, axis: int) -> Tensor:
    top = x.amax(axis, keepdim=True)
    return ((x - top).exp().sum(axis, keepdim=True).log() + top).squeeze(axis)


def _other_logarithm(base: float) -> Answer:
    """Take the logarithm of the sum alone in another base; the maximum is added as it is."""

    def logsumexp(x: Tensor, axis: int) -> Tensor:
        top = x.amax(axis, keepdim=True).clamp(min=-1e300)
        return (x - top).exp().sum(axis).log() / math.log(base) + top.squeeze(axis)

    return logsumexp


def _filled(result: Tensor, number: float) -> Tensor:
    return torch.where(result.isneginf(), number, result)


def _finite_where_empty(seen: Mapping[str, Any], truth: Mapping[str, Any]) -> bool:
    """Recognise any finite number in the place of −∞, beside right ones everywhere else."""
    others = [name for name in seen if name != EMPTY]
    if not isinstance(seen.get(EMPTY), list) or len(seen[EMPTY]) != 1:
        return False
    mine, right = seen[EMPTY][0], truth[EMPTY][0]
    if mine.shape != right.shape or not np.isfinite(mine).all():
        return False
    known = np.isfinite(right)
    return is_right([mine[known]], [right[known]]) and all(
        is_right(seen[name], truth[name]) for name in others
    )


def _keeps_axis(x: Tensor, axis: int) -> Any:
    return library.logsumexp(x, axis).unsqueeze(axis)


def _one_maximum(x: Tensor, axis: int) -> Tensor:
    return (x - x.max()).exp().sum(axis).log() + x.max()


def by_pairs(x: Tensor, axis: int) -> Tensor:
    """Add one score after the other: another right way."""
    total = torch.full_like(x.select(axis, 0), -torch.inf)
    for part in x.unbind(axis):
        total = torch.logaddexp(total, part)
    return total


def _where_finite(x: Tensor, axis: int) -> Tensor:
    top = x.max(dim=axis, keepdim=True).values
    shift = torch.where(torch.isinf(top), torch.zeros_like(top), top)
    total = torch.exp(x - shift).sum(dim=axis)
    empty = total == 0
    logs = torch.log(torch.where(empty, torch.ones_like(total), total)) + shift.squeeze(axis)
    return torch.where(empty, torch.full_like(logs, -torch.inf), logs)


LOGSUMEXP = Exercise(
    name="logsumexp", slug="softmax", task="logsumexp", title="Log-sum-exp", kind="implement",
    points=1.0, difficulty=2, importance=3, minutes=15, parameters=("x", "axis"),
    defaults={"axis": -1}, axes={"x": "B H T S"},
    outputs=(Output(name="log-sum-exp", axes="..."),),
    reference=lambda x, axis: library.logsumexp(x, axis),
    equation="eq-logsumexp", forbidden=FORBIDDEN,
    part="course_lib.softmax.logsumexp",
    next_rung="One number a row is all that attention needs to keep of a softmax.",
    probes=(
        *along_an_axis(),
        Probe(name=EMPTY, draw=_empty_row, sizes={"T": 3, "S": 4}, control=True),
    ),
    misconceptions=(
        Misconception(code="LSE-NAIVE", wrong=_naive_lse, sentence=(
            "The exponentials are taken without the row's maximum: exp(1000) is infinite, "
            "exp(−1000) is 0 with the logarithm −∞. Take it out first.")),
        Misconception(code="LSE-SHIFT", wrong=_shifted(SHIFTS[0]), also=tuple(
            _shifted(shift) for shift in SHIFTS[1:]),
            recognise=fails_only_on(WIDE, besides=(EMPTY, LOWEST)), sentence=(
            "What you take out is not the row's maximum. Only the maximum bounds the exponentials: "
            "with less, e⁷¹⁰ and all above are infinite, with more, all may become 0.")),
        Misconception(code="LSE-FLOORED", wrong=_shifted(at_least(0.0)), also=tuple(
            _shifted(at_least(least)) for least in (-1.0, -10.0, -100.0)), sentence=(
            "What you take out is never below a number such as 0. Where all scores of a row lie "
            "near −1000 every exponential is 0, and the logarithm of their sum −∞.")),
        pair_of("LSE", lambda x, axis: (x - x.max(axis, keepdim=True)).exp().sum(axis).log()),
        Misconception(code="LSE-BASE", wrong=lambda x, axis: x.logsumexp(axis) / math.log(2), also=(
            lambda x, axis: x.logsumexp(axis) / math.log(10),
            *(_other_logarithm(base) for base in (2, 10))), sentence=(
            "The logarithm has another base than e: 2 or 10. The contract asks for the natural "
            "one, which undoes exp.")),
        Misconception(code="LSE-MEAN", wrong=lambda x, axis: x.logsumexp(axis)
                      - math.log(x.shape[axis]), sentence=(
            "This is the logarithm of the mean of the exponentials, less by the logarithm of their "
            "number. The sum is asked for.")),
        Misconception(code="LSE-ONLYMAX", wrong=lambda x, axis: x.amax(axis), sentence=(
            "This is the maximum alone. The other scores add to the sum as well: two equal ones "
            "give ln 2 more.")),
        Misconception(code="LSE-EMPTY", wrong=lambda x, axis: _filled(x.logsumexp(axis), 0.0),
                      also=(lambda x, axis: _filled(x.logsumexp(axis), -1e9),),
                      recognise=_finite_where_empty, sentence=(
            "A row of −∞ alone gets a finite number. The sum is empty, and the logarithm of an "
            "empty sum is −∞: what is carried from block to block has to know that nothing was "
            "read.")),
        Misconception(code="LSE-NOKEEP", wrong=_lost_axis, also=(_axis_too_many,), sentence=(
            "The maximum has lost its axis where it is subtracted, or has kept it where it is "
            "added again: it is matched with another axis.")),
        Misconception(code="LSE-EPSILON", wrong=_padded(1e-3), also=tuple(
            _padded(number) for number in (1e-4, 1e-5, 1e-6)), sentence=(
            "A small number is added to the sum. With the maximum taken out the sum is at least 1, "
            "so nothing needs protecting, and every value moves.")),
        Misconception(code="LSE-FORGETMAX", wrong=_forgets_maximum, also=(
            lambda x, axis: (x - x.amax(axis, keepdim=True)).exp().sum(axis).log(),), sentence=(
            "The maximum is subtracted and never added again. In the softmax it cancels; here it "
            "is part of the result.")),
        Misconception(code="LSE-NEGINF", wrong=_subtracts_infinity, sentence=(
            "A row of −∞ gives NaN, as (−∞) − (−∞) does. The logarithm of an empty sum is −∞.")),
        Misconception(code="LSE-KEEPDIM", wrong=_keeps_axis, sentence=(
            "The axis is still there with size 1. One number a row is asked for: drop the axis.")),
        Misconception(code="LSE-AXISFIXED", wrong=_fixed_axis(-1), also=tuple(
            _fixed_axis(axis) for axis in (0, 1, 2, -2)), sentence=(
            "The axis is not used: the sum always runs along the same one.")),
        Misconception(code="LSE-GLOBALMAX", wrong=_one_maximum, sentence=(
            "One maximum is subtracted from all rows. A row that lies 1000 lower underflows: its "
            "sum is 0 and its logarithm −∞.")),
    ),
    alternatives=(by_pairs, _where_finite),
)  # fmt: skip
