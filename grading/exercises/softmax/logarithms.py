"""logsumexp and log_softmax: the softmax's logarithms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from grading.exercise import Answer, Exercise, Inputs, Misconception, Output, Probe
from grading.exercises.shared.drawing import normal
from grading.exercises.shared.recognising import fails_only_on, is_right
from grading.exercises.shared.shifts import SHIFTS
from grading.exercises.softmax.probes import WIDE, three_axes
from grading.exercises.softmax.stable import FORBIDDEN
from grading.late import Tensor, late, torch

__all__ = ["LOGSUMEXP", "LOG_SOFTMAX"]

library = late("course_lib.softmax")


EMPTY = "a row of −∞"


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
    return lambda x, axis: library.logsumexp(x, fixed)


def _naive_lse(x: Tensor, axis: int) -> Tensor:
    return x.exp().sum(axis).log()


def _forgets_maximum(x: Tensor, axis: int) -> Tensor:
    shift = x.amax(axis, keepdim=True).clamp(min=-1e300)
    return (x - shift).exp().sum(axis).log()


def _subtracts_infinity(x: Tensor, axis: int) -> Tensor:
    top = x.amax(axis, keepdim=True)
    return ((x - top).exp().sum(axis, keepdim=True).log() + top).squeeze(axis)


def _keeps_axis(x: Tensor, axis: int) -> Any:
    return library.logsumexp(x, axis).unsqueeze(axis)


def _one_maximum(x: Tensor, axis: int) -> Tensor:
    return (x - x.max()).exp().sum(axis).log() + x.max()


def _by_pairs(x: Tensor, axis: int) -> Tensor:
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
    axes={"x": "H T S"},
    outputs=(Output(name="log-sum-exp", axes="..."),),
    reference=lambda x, axis: library.logsumexp(x, axis),
    equation="eq-logsumexp", forbidden=FORBIDDEN,
    next_rung="One number a row is all that attention needs to keep of a softmax.",
    probes=(
        *three_axes(),
        Probe(name=EMPTY, draw=_empty_row, sizes={"T": 3, "S": 4}, control=True),
    ),
    misconceptions=(
        Misconception(code="LSE-NAIVE", wrong=_naive_lse, sentence=(
            "The exponentials are taken without the row's maximum: exp(1000) is infinite, "
            "exp(−1000) is 0 with the logarithm −∞. Take it out first.")),
        Misconception(code="LSE-SHIFT", wrong=_shifted(SHIFTS[0]), also=tuple(
            _shifted(shift) for shift in SHIFTS[1:]),
            recognise=fails_only_on(WIDE, besides=(EMPTY,)), sentence=(
            "What you take out is not the row's maximum. Only the maximum bounds the exponentials: "
            "with less, e⁷¹⁰ and all above are infinite, with more, all may become 0.")),
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
    alternatives=(_by_pairs, _where_finite),
)  # fmt: skip


def _fixed_log_softmax(fixed: int) -> Answer:
    return lambda x, axis: x.log_softmax(fixed)


def _log_of_softmax(x: Tensor, axis: int) -> Tensor:
    return x.softmax(axis).log()


def _log_of_padded(number: float) -> Answer:
    return lambda x, axis: (x.softmax(axis) + number).log()


def _has_a_floor(seen: Mapping[str, Any], truth: Mapping[str, Any]) -> bool:
    """Recognise one number that every weight is added to, or that is the least weight."""
    view = seen.get(APART)
    if not isinstance(view, list) or not np.isfinite(view[0]).all() or view[0].min() < -700:
        return False
    number = np.exp(view[0].min())
    floors: tuple[Callable[[Any], Any], ...] = (
        lambda weights: weights + number, lambda weights: np.maximum(weights, number),
    )  # fmt: skip
    return number < 0.05 and any(
        all(is_right(seen[name], [np.log(floor(np.exp(truth[name][0])))]) for name in seen)
        for floor in floors
    )


APART = "scores far apart"


def _log_shifted(shift: Callable[[Tensor, int], Tensor]) -> Answer:
    def log_softmax(x: Tensor, axis: int) -> Tensor:
        moved = x - shift(x, axis)
        return moved - moved.exp().sum(axis, keepdim=True).log()

    return log_softmax


def _wide(generator: torch.Generator) -> Inputs:
    return {"x": 500 * normal(generator, 4, 6), "axis": -1}


def _log_rows(x: Tensor, axis: int) -> Tensor:
    moved = x.movedim(axis, -1)
    top = moved.amax(-1, keepdim=True)
    logs = (moved - top) - torch.log(torch.exp(moved - top).sum(-1, keepdim=True))
    return logs.movedim(-1, axis)


def _log_by_pairs(x: Tensor, axis: int) -> Tensor:
    return torch.sub(x, _by_pairs(x, axis).unsqueeze(axis))


LOG_SOFTMAX = Exercise(
    name="log_softmax", slug="softmax", task="log-softmax", title="Log-softmax",
    kind="implement", points=0.75, difficulty=2, importance=2, minutes=15,
    parameters=("x", "axis"), outputs=(Output(name="log-weights", axes="..."),),
    axes={"x": "H T S"},
    reference=lambda x, axis: library.log_softmax(x, axis), equation="eq-log-softmax",
    forbidden=FORBIDDEN,
    next_rung="A loss is the mean of some of these numbers. None of them is ever −∞.",
    probes=(
        *three_axes(),
        Probe(name=APART, draw=_wide, sizes={"T": 4, "S": 6}, control=True),
    ),
    misconceptions=(
        Misconception(code="LSE-LOGSOFT", wrong=_log_of_softmax, sentence=(
            "This is the logarithm of the softmax. A weight below e⁻⁷⁴⁵ has already become 0, and "
            "its logarithm −∞. Stay in logarithms all the way.")),
        Misconception(code="LSE-NAIVE", wrong=lambda x, axis: x
                      - x.exp().sum(axis, keepdim=True).log(), sentence=(
            "The exponentials are taken without the row's maximum: exp(1000) is infinite.")),
        Misconception(code="LSE-EPSILON", wrong=_log_of_padded(1e-9), also=(
            *(_log_of_padded(number) for number in (1e-3, 1e-6, 1e-7, 1e-8, 1e-10, 1e-12)),
            lambda x, axis: x.softmax(axis).clamp(min=1e-9).log()), recognise=_has_a_floor,
            sentence=(
            "A small number is added inside the logarithm, or is the least that it sees. It hides "
            "the −∞ and makes every weight below it the same.")),
        Misconception(code="LSE-SHIFT", wrong=_log_shifted(SHIFTS[0]), also=tuple(
            _log_shifted(shift) for shift in SHIFTS[1:]),
            recognise=fails_only_on(WIDE, APART, whole_rows=True), sentence=(
            "What you subtract is not the row's maximum. Only the maximum bounds the exponentials: "
            "with less, e⁷¹⁰ and all above are infinite, with more, all may become 0.")),
        Misconception(code="LSE-NOKEEP", wrong=lambda x, axis: x - x.logsumexp(axis), sentence=(
            "The log-sum-exp has lost its axis, so it is matched with another one. Keep the axis, "
            "with size 1.")),
        Misconception(code="LSE-AXISFIXED", wrong=_fixed_log_softmax(-1), also=tuple(
            _fixed_log_softmax(axis) for axis in (0, 1, 2, -2)), sentence=(
            "The axis is not used: the softmax always runs along the same one.")),
        Misconception(code="LSE-ONLYSHIFT", wrong=lambda x, axis: x - x.amax(axis, keepdim=True),
                      sentence=(
            "Only the maximum is subtracted. The logarithm of the sum is missing, so the weights "
            "do not sum to 1.")),
        Misconception(code="LSE-SIGN", wrong=lambda x, axis: -x.log_softmax(axis), sentence=(
            "The sign is turned round. Logarithms of weights are never above 0; their negative is "
            "the loss.")),
    ),
    alternatives=(_log_rows, _log_by_pairs),
)  # fmt: skip
