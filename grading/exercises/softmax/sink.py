"""softmax_with_sink: one more logit in the denominator."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from grading.exercise import Answer, Exercise, Misconception, Output
from grading.exercises.shared.pairs import pair_of
from grading.exercises.shared.recognising import fails_only_on
from grading.exercises.shared.shifts import SHIFTS, at_least
from grading.exercises.softmax.sink_probes import PROBES, WIDE
from grading.late import Tensor, late, torch

__all__ = ["SOFTMAX_WITH_SINK"]

library = late("course_lib.softmax")


def _column(scores: Tensor, sink: Any) -> Tensor:
    logit = torch.as_tensor(sink, dtype=scores.dtype)
    logit = logit[:, None, None] if logit.ndim else logit
    return logit.expand(*scores.shape[:-1], 1)


def _kept(scores: Tensor, sink: Any) -> Tensor:
    return torch.cat([scores, _column(scores, sink)], -1).softmax(-1)


def _joined(scores: Tensor, sink: Any) -> Tensor:
    return _kept(scores, sink)[..., :-1]


def _renormalised(scores: Tensor, sink: Any) -> Tensor:
    weights = _joined(scores, sink)
    return weights / weights.sum(-1, keepdim=True)


def _no_exponential(scores: Tensor, sink: Any) -> Tensor:
    top = scores.amax(-1, keepdim=True)
    exps = (scores - top).exp()
    return exps / (exps.sum(-1, keepdim=True) + _column(scores, sink))


def _zero(scores: Tensor, sink: Any) -> Tensor:
    return _joined(scores, 0.0)


def _top_of_scores(scores: Tensor, sink: Any) -> Tensor:
    top = scores.amax(-1, keepdim=True)
    exps = (scores - top).exp()
    return exps / (exps.sum(-1, keepdim=True) + (_column(scores, sink) - top).exp())


def _shifted(shift: Callable[[Tensor, int], Tensor]) -> Answer:
    def softmax_with_sink(scores: Tensor, sink: Any) -> Tensor:
        by = shift(scores, -1)
        exps = (scores - by).exp()
        return exps / (exps.sum(-1, keepdim=True) + (_column(scores, sink) - by).exp())

    return softmax_with_sink


def _added(sink_powers: Callable[[Tensor, Tensor], Tensor]) -> Answer:
    """Make a softmax by hand with that much in the denominator for the sink."""

    def softmax_with_sink(scores: Tensor, sink: Any) -> Tensor:
        column = _column(scores, sink)
        top = torch.maximum(scores.amax(-1, keepdim=True), column)
        exps = (scores - top).exp()
        return exps / (exps.sum(-1, keepdim=True) + sink_powers(column, top))

    return softmax_with_sink


def _unshifted(scores: Tensor, sink: Any) -> Tensor:
    exps = (scores - scores.amax(-1, keepdim=True)).exp()
    return exps / (exps.sum(-1, keepdim=True) + _column(scores, sink).exp())


def _times(factor: float) -> Answer:
    """Take the sink's power in another base than that of the scores."""
    return lambda scores, sink: _joined(scores, sink * factor)


def _all_in_base(base: float) -> Answer:
    number = math.log(base)
    return lambda scores, sink: _joined(scores * number, sink * number)


def _overflows(scores: Tensor, sink: Any) -> Tensor:
    exps = scores.exp()
    return exps / (exps.sum(-1, keepdim=True) + _column(scores, sink).exp())


def _wrong_axis(scores: Tensor, sink: Any) -> Tensor:
    logit = torch.as_tensor(sink, dtype=scores.dtype)
    if logit.ndim == 0:
        return _joined(scores, sink)
    column = logit[None, :, None].expand(*scores.shape[:-1], 1)
    return torch.cat([scores, column], -1).softmax(-1)[..., :-1]


def _along_keys(scores: Tensor, sink: Any) -> Tensor:
    top = scores.amax(-1, keepdim=True)
    exps = (scores - top).exp()
    return exps / (exps.sum(-1, keepdim=True) + (torch.as_tensor(sink) - top).exp())


def _first_column(scores: Tensor, sink: Any) -> Tensor:
    return torch.cat([_column(scores, sink), scores], -1).softmax(-1)[..., :-1]


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
        Misconception(code="SINK-KEEP", wrong=_kept, sentence=(
            "The sink's own column is still there. Nothing can be read at it: drop it after the "
            "softmax.")),
        Misconception(code="SINK-NOEFFECT", wrong=lambda scores, sink: scores.softmax(-1), also=(
            lambda scores, sink: (scores + _column(scores, sink)).softmax(-1), _renormalised),
            sentence=(
            "The weights sum to 1, so the sink has no effect. It was left out, or added to every "
            "score, which a softmax ignores, or the weights were normalised again.")),
        Misconception(code="SINK-NOEXP", wrong=_no_exponential, also=(
            lambda scores, sink: scores.exp()
            / (scores.exp().sum(-1, keepdim=True) + _column(scores, sink)),), sentence=(
            "The sink is added to the denominator without its exponential. It is a logit, like a "
            "score.")),
        Misconception(code="SINK-ZERO", wrong=_zero, sentence=(
            "The sink is taken as 0 whatever it is: 1 is added to the denominator. That is the "
            "special case called softmax1.")),
        Misconception(code="SINK-UNSHIFTED", wrong=_unshifted, also=(
            _added(lambda sink, top: sink.exp()),), sentence=(
            "A maximum is subtracted from the scores and not from the sink. It cancels only if "
            "every exponent of the denominator loses it, the sink's too.")),
        Misconception(code="SINK-TWICE", wrong=_added(lambda sink, top: 2 * (sink - top).exp()),
                      sentence=(
            "The sink is counted twice in the denominator, as a column and as a number added to "
            "the sum, for example.")),
        Misconception(code="SINK-BASE", wrong=_times(math.log(2)), also=(
            _times(1 / math.log(2)), _times(math.log(10)), _all_in_base(2), _all_in_base(10)),
            sentence=(
            "The powers of the sink, or all powers, have another base than e. Where exp2 computes "
            "them, the exponents of scores and sink are both divided by ln 2.")),
        Misconception(code="SINK-GLOBALMAX", wrong=_shifted(lambda z, axis: z.max()), sentence=(
            "One maximum is subtracted from all rows. Where a row lies 1000 lower all of its "
            "exponentials are 0, the sink's too, and the row is 0/0. Each row needs its own.")),
        Misconception(code="SINK-FLOORED", wrong=_shifted(at_least(0.0)), also=tuple(
            _shifted(at_least(least)) for least in (-1.0, -10.0, -100.0)), sentence=(
            "What you subtract is never below a number such as 0. Where the scores and the sink "
            "lie near −1000 every exponential is 0, and the row is 0/0.")),
        pair_of("SINK", lambda scores, sink: (scores - scores.max(-1, keepdim=True)).exp()),
        Misconception(code="SINK-OVERFLOW", wrong=_overflows, sentence=(
            "The exponentials are taken without a maximum of the row: scores near 1000 give "
            "∞/∞.")),
        Misconception(code="SINK-SHIFT", wrong=_shifted(SHIFTS[0]), also=tuple(
            _shifted(shift) for shift in SHIFTS[1:]), recognise=fails_only_on(WIDE), sentence=(
            "What you subtract is not the row's maximum. Only the maximum bounds the exponentials: "
            "with less, e⁷¹⁰ and all above are infinite, with more, all may become 0.")),
        Misconception(code="SINK-HEADAXIS", wrong=_wrong_axis, also=(_along_keys,), sentence=(
            "The sinks lie along another axis than the heads. There is one a head: H is the third "
            "axis from the right.")),
        Misconception(code="SINK-FIRST", wrong=_first_column, sentence=(
            "The sink stands first, and the last column was dropped: that was a key.")),
        Misconception(code="SINK-MAX", wrong=_top_of_scores, shows="gradient", sentence=(
            "What is subtracted follows the scores alone, and the sink is no part of it. A sink of "
            "1000 then overflows in the denominator; the weights survive as 0, their gradient is "
            "NaN.")),
    ),
    alternatives=(_joined, _by_sigmoid, _by_logarithms),
)  # fmt: skip
