"""softmax_with_sink: one more logit in the denominator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from grading.exercise import Answer, Exercise, Inputs, Misconception, Output, Probe
from grading.exercises.shared.drawing import normal
from grading.exercises.shared.recognising import fails_only_on
from grading.exercises.shared.shifts import SHIFTS
from grading.late import Tensor, late, torch

__all__ = ["SOFTMAX_WITH_SINK"]

library = late("course_lib.softmax")

SIZES = {"B": 2, "H": 3, "T": 5, "S": 7}


def _per_head(generator: torch.Generator) -> Inputs:
    return {"scores": normal(generator, 2, 3, 5, 7), "sink": normal(generator, 3)}


def _high_sink(generator: torch.Generator) -> Inputs:
    inputs = _per_head(generator)
    inputs["sink"][1] = 1000.0
    return inputs


def _high_scores(generator: torch.Generator) -> Inputs:
    inputs = _per_head(generator)
    return {"scores": inputs["scores"] + 1000.0, "sink": inputs["sink"] + 1000.0}


WIDE = "scores from −1000 to 1000 in one row"


def _wide(generator: torch.Generator) -> Inputs:
    inputs = _per_head(generator)
    inputs["scores"][..., 1], inputs["scores"][..., 3] = -1000.0, 1000.0
    return inputs


def _number(generator: torch.Generator) -> Inputs:
    return {"scores": normal(generator, 3, 5, 7), "sink": 1.5}


def _two(generator: torch.Generator) -> Inputs:
    return {"scores": torch.zeros(1, 2, 2, dtype=torch.float64), "sink": 1.0}


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
    next_rung="With the sink at −∞ this is the softmax; with 0 it is called softmax1.",
    probes=(
        Probe(name="one sink a head, all sizes different", draw=_per_head, sizes=SIZES,
              gradient=True, single=True),
        Probe(name="a number as sink", draw=_number, sizes={"H": 3, "T": 5, "S": 7}),
        Probe(name="scores and sink near 1000", draw=_high_scores, sizes=SIZES, control=True),
        Probe(name=WIDE, draw=_wide, sizes=SIZES, control=True),
        Probe(name="one head's sink at 1000", draw=_high_sink, sizes=SIZES, gradient=True,
              control=True),
        Probe(name="two queries, two keys, equal scores", draw=_two, edge=True),
    ),
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
