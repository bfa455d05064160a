"""log_softmax: the logarithms of the weights."""

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
from grading.exercises.softmax.logarithms import by_pairs
from grading.exercises.softmax.probes import LOWEST, WIDE, along_an_axis
from grading.late import Tensor, late, torch

__all__ = ["LOG_SOFTMAX"]

library = late("course_lib.softmax")


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
    return torch.sub(x, by_pairs(x, axis).unsqueeze(axis))


LOG_SOFTMAX = Exercise(
    name="log_softmax", slug="softmax", task="log-softmax", title="Log-softmax",
    kind="implement", points=0.75, difficulty=2, importance=2, minutes=15,
    parameters=("x", "axis"), outputs=(Output(name="log-weights", axes="..."),),
    defaults={"axis": -1}, axes={"x": "B H T S"},
    reference=lambda x, axis: library.log_softmax(x, axis), equation="eq-log-softmax",
    part="course_lib.softmax.log_softmax",
    forbidden=FORBIDDEN,
    next_rung="A loss is the mean of some of these numbers. None of them is ever −∞.",
    probes=(
        *along_an_axis(),
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
            recognise=fails_only_on(WIDE, APART, besides=(LOWEST,), whole_rows=True), sentence=(
            "What you subtract is not the row's maximum. Only the maximum bounds the exponentials: "
            "with less, e⁷¹⁰ and all above are infinite, with more, all may become 0.")),
        Misconception(code="LSE-FLOORED", wrong=_log_shifted(at_least(0.0)), also=tuple(
            _log_shifted(at_least(least)) for least in (-1.0, -10.0, -100.0)), sentence=(
            "What you subtract is never below a number such as 0. Where all scores of a row lie "
            "near −1000 every exponential is 0, and the logarithm of their sum −∞.")),
        Misconception(code="LSE-GLOBALMAX", wrong=_log_shifted(lambda x, axis: x.max()), sentence=(
            "One maximum is subtracted from all rows. A row that lies 1000 lower underflows: its "
            "sum is 0 and its logarithm −∞. Each row needs its own.")),
        pair_of("LSE", lambda x, axis: x - x.max(axis, keepdim=True)),
        Misconception(code="LSE-BASE", wrong=lambda x, axis: x.log_softmax(axis) / math.log(2),
                      also=(lambda x, axis: x.log_softmax(axis) / math.log(10),), sentence=(
            "The logarithm has another base than e: 2 or 10. The contract asks for the natural "
            "one, which undoes exp.")),
        Misconception(code="LSE-WEIGHTS", wrong=lambda x, axis: x.softmax(axis), sentence=(
            "These are the weights. Their logarithms are asked for.")),
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
