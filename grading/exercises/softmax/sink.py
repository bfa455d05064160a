"""softmax_with_sink: one more score in the denominator."""

from __future__ import annotations

import math
from typing import Any

from grading.exercise import Answer, Exercise, Misconception, Output
from grading.exercises.shared.pairs import pair_of
from grading.exercises.shared.recognising import fails_only_on
from grading.exercises.shared.shifts import SHIFTS, at_least
from grading.exercises.shared.stepwise import mistake
from grading.exercises.softmax.sink_probes import PROBES, WIDE
from grading.late import Tensor, late, torch
from grading.steps import Instead, Pipeline, Step

__all__ = ["SOFTMAX_WITH_SINK"]

library = late("course_lib.softmax")


def _column(scores: Tensor, sink: Any) -> Tensor:
    extra = torch.as_tensor(sink, dtype=scores.dtype)
    extra = extra[:, None, None] if extra.ndim else extra
    return extra.expand(*scores.shape[:-1], 1)


def _joined(scores: Tensor, sink: Any) -> Tensor:
    return torch.cat([scores, _column(scores, sink)], -1).softmax(-1)[..., :-1]


def _renormalised(scores: Tensor, sink: Any) -> Tensor:
    weights = _joined(scores, sink)
    return weights / weights.sum(-1, keepdim=True)


def _all_in_base(base: float) -> Answer:
    number = math.log(base)
    return lambda scores, sink: _joined(scores * number, sink * number)


def _compose(do: Any) -> Answer:
    def softmax_with_sink(scores: Tensor, sink: Any) -> Any:
        column = do.column(scores, sink)
        top = do.top(scores, column)
        powers, extra = (scores - top).exp(), do.extra(column, top)
        total = powers.sum(-1, keepdim=True) + extra
        return do.give(powers / total, extra / total)

    return softmax_with_sink


def _maximum(scores: Tensor, column: Tensor) -> Tensor:
    return torch.maximum(scores.amax(-1, keepdim=True), column)


def _of_scores(scores: Tensor, column: Tensor) -> Tensor:
    return scores.amax(-1, keepdim=True)


def _by_scores(shift: Answer) -> Answer:
    return lambda scores, column: shift(scores, -1)


def _nothing(scores: Tensor, column: Tensor) -> Tensor:
    return torch.zeros_like(column)


def _along_queries(scores: Tensor, sink: Any) -> Tensor:
    """Lay one sink a head along the queries: an axis too few."""
    extra = torch.as_tensor(sink, dtype=scores.dtype)
    return extra[None, :, None] if extra.ndim else _column(scores, sink)


def _along_keys(scores: Tensor, sink: Any) -> Tensor:
    return torch.as_tensor(sink, dtype=scores.dtype)


def _times(factor: float) -> Answer:
    """Take the sink's power in another base than that of the scores."""
    return lambda scores, sink: _column(scores, sink) * factor


def _zero(scores: Tensor, sink: Any) -> Tensor:
    return _column(scores, 0.0)


def _power(column: Tensor, top: Tensor) -> Tensor:
    return (column - top).exp()


def _unshifted(column: Tensor, top: Tensor) -> Tensor:
    return column.exp()


def _sink_itself(column: Tensor, top: Tensor) -> Tensor:
    return column


STEPS = Pipeline(
    compose=_compose,
    steps=(
        Step(name="column", right=_column, wrong={
            "SINK-ZERO": (Instead(_zero, extra=_power),),
            "SINK-BASE": tuple(
                _times(factor) for factor in (math.log(2), 1 / math.log(2), math.log(10))),
            "SINK-HEADAXIS": (
                Instead(_along_queries, top=_of_scores), Instead(_along_keys, top=_of_scores))}),
        Step(name="top", right=_maximum, wrong={
            "SINK-OVERFLOW": (_nothing,),
            "SINK-GLOBALMAX": (lambda scores, column: scores.max(),),
            "SINK-FLOORED": tuple(
                _by_scores(at_least(least)) for least in (0.0, -1.0, -10.0, -100.0)),
            "SINK-SHIFT": tuple(_by_scores(shift) for shift in SHIFTS)}),
        Step(name="extra", right=_power, wrong={
            "SINK-NOEFFECT": (lambda column, top: torch.zeros_like(column),),
            "SINK-UNSHIFTED": (Instead(_unshifted, top=_of_scores), _unshifted),
            "SINK-TWICE": (lambda column, top: 2 * _power(column, top),),
            "SINK-NOEXP": (
                Instead(_sink_itself, top=_of_scores), Instead(_sink_itself, top=_nothing))}),
        Step(name="give", right=lambda weights, sink_weight: weights, wrong={
            "SINK-KEEP": (lambda weights, rest: torch.cat([weights, rest], -1),),
            "SINK-FIRST": (lambda weights, rest: torch.cat([rest, weights], -1)[..., :-1],)}),
    ),
)  # fmt: skip


def _by_sigmoid(scores: Tensor, sink: Any) -> Tensor:
    lse = scores.logsumexp(-1, keepdim=True)
    return scores.softmax(-1) * torch.sigmoid(lse - _column(scores, sink))


def _by_logarithms(scores: Tensor, sink: Any) -> Tensor:
    total = torch.logaddexp(scores.logsumexp(-1, keepdim=True), _column(scores, sink))
    return (scores - total).exp()


SOFTMAX_WITH_SINK = Exercise(
    name="softmax_with_sink", slug="softmax", task="sink", title="A softmax with a sink",
    kind="implement", points=1.0, difficulty=3, importance=3, minutes=25,
    parameters=("scores", "sink"), outputs=(Output(name="weights", axes="... H T S"),),
    axes={"scores": "... H T S", "sink": "H"},
    reference=lambda scores, sink: library.softmax_with_sink(scores, sink), equation="eq-sink",
    part="course_lib.softmax.softmax_with_sink",
    next_rung="With the sink at −∞ this is the softmax; with 0 it is called softmax1.",
    probes=PROBES,
    misconceptions=(
        mistake(STEPS, "SINK-KEEP", (
            "The sink's own column is still there. Nothing can be read at it: drop it after the "
            "softmax.")),
        mistake(STEPS, "SINK-NOEFFECT", (
            "The sink has no effect: the keys share out all of 1. It was left out, or added to "
            "every score, which a softmax ignores, or the weights were normalised again."),
            lambda scores, sink: (scores + _column(scores, sink)).softmax(-1), _renormalised),
        mistake(STEPS, "SINK-NOEXP", (
            "The sink is added to the denominator without its exponential. It is a score like "
            "any other.")),
        mistake(STEPS, "SINK-ZERO", (
            "The sink is taken as 0 whatever it is: 1 is added to the denominator. That is the "
            "special case called softmax1.")),
        mistake(STEPS, "SINK-UNSHIFTED", (
            "A maximum is subtracted from the scores and not from the sink. It cancels only if "
            "every exponent of the denominator loses it, the sink's too.")),
        mistake(STEPS, "SINK-TWICE", (
            "The sink is counted twice in the denominator, as a column and as a number added to "
            "the sum, for example.")),
        mistake(STEPS, "SINK-BASE", (
            "The powers of the sink, or all powers, have another base than e. Where exp2 computes "
            "them, the exponents of scores and sink are both divided by ln 2."),
            _all_in_base(2), _all_in_base(10)),
        mistake(STEPS, "SINK-GLOBALMAX", (
            "One maximum is subtracted from all rows. Where a row lies 1000 lower all of its "
            "exponentials are 0, the sink's too, and the row is 0/0. Each row needs its own.")),
        mistake(STEPS, "SINK-FLOORED", (
            "What you subtract is never below a number such as 0. Where the scores and the sink "
            "lie near −1000 every exponential is 0, and the row is 0/0.")),
        pair_of("SINK", lambda scores, sink: (scores - scores.max(-1, keepdim=True)).exp()),
        mistake(STEPS, "SINK-OVERFLOW", (
            "The exponentials are taken without a maximum of the row: scores near 1000 give "
            "∞/∞.")),
        mistake(STEPS, "SINK-SHIFT", (
            "What you subtract is not the row's maximum. Only the maximum bounds the exponentials: "
            "with less, e⁷¹⁰ and all above are infinite, with more, all may become 0."),
            recognise=fails_only_on(WIDE)),
        mistake(STEPS, "SINK-HEADAXIS", (
            "The sinks lie along another axis than the heads. There is one a head: H is the third "
            "axis from the right.")),
        mistake(STEPS, "SINK-FIRST", (
            "The sink stands first, and the last column was dropped: that was a key.")),
        Misconception(code="SINK-MAX", wrong=STEPS.answer({"top": _of_scores}), shows="gradient",
                      sentence=(
            "What is subtracted follows the scores alone, and the sink is no part of it. A sink of "
            "1000 then overflows in the denominator; the weights survive as 0, their gradient is "
            "NaN.")),
    ),
    steps=STEPS,
    alternatives=(_joined, _by_sigmoid, _by_logarithms),
)  # fmt: skip
