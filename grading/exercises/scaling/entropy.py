"""weight_entropy: how widely a row of weights is spread."""

from __future__ import annotations

import math
from collections.abc import Callable

from grading.exercise import Answer, Exercise, Inputs, Misconception, Output, Probe
from grading.exercises.shared.drawing import normal
from grading.late import Tensor, late, torch

__all__ = ["WEIGHT_ENTROPY"]

library = late("course_lib.entropy")


def _rows(*shape: int) -> Callable[[torch.Generator], Inputs]:
    return lambda generator: {"scores": 2 * normal(generator, *shape)}


def _all_positive(generator: torch.Generator) -> Inputs:
    return {"scores": normal(generator, 2, 8).abs() + 0.1}


def _one_winner(generator: torch.Generator) -> Inputs:
    scores = normal(generator, 4, 6)
    scores[:, 2] += 5000.0  # every other weight underflows to 0
    scores[1, 3] = scores[1, 2]  # two share one row: entropy ln 2
    scores[2:] -= 5000.0  # here no exponential overflows: what fails does not for want of a maximum
    return {"scores": scores}


def _short(generator: torch.Generator) -> Inputs:
    return {"scores": torch.tensor([[0.0, 0.0], [0.0, 1.0]], dtype=torch.float64)}


def _entropy(base: float = math.e, axis: int = -1, sign: float = -1.0) -> Answer:
    def entropy(scores: Tensor) -> Tensor:
        weights = scores.softmax(axis)
        logs = weights.clamp(min=1e-300).log() / math.log(base)
        terms = torch.where(weights > 0, weights * logs, 0.0)
        return sign * terms.sum(axis)

    return entropy


def _naive(scores: Tensor) -> Tensor:
    weights = scores.softmax(-1)
    return -(weights * weights.log()).sum(-1)


def _of_scores(scores: Tensor) -> Tensor:
    return -(scores * scores.log()).sum(-1)


def _padded(number: float) -> Answer:
    def entropy(scores: Tensor) -> Tensor:
        weights = scores.softmax(-1)
        return -(weights * (weights + number).log()).sum(-1)

    return entropy


def _padded_weights(pad: Callable[[Tensor], Tensor]) -> Answer:
    def entropy(scores: Tensor) -> Tensor:
        weights = pad(scores.softmax(-1))
        return -(weights * weights.log()).sum(-1)

    return entropy


def _added(number: float) -> Answer:
    return lambda weights: weights + number


def _at_least(number: float) -> Answer:
    return lambda weights: weights.clamp(min=number)


#: What people add, or take as the least weight, so that a logarithm stays finite.
SMALL = tuple(10.0**-power for power in range(2, 11))


def _mixed(normal_axis: int, sum_axis: int) -> Answer:
    def entropy(scores: Tensor) -> Tensor:
        logs = scores.log_softmax(normal_axis)
        return -(logs.exp() * logs).sum(sum_axis)

    return entropy


def _from_logarithms(scores: Tensor) -> Tensor:
    logs = scores.log_softmax(-1)
    return -(logs.exp() * logs).sum(-1)


def _from_lse(scores: Tensor) -> Tensor:
    return scores.logsumexp(-1) - (scores.softmax(-1) * scores).sum(-1)


WEIGHT_ENTROPY = Exercise(
    name="weight_entropy", slug="scaling", task="entropy", title="The entropy of a row",
    kind="implement", points=1.5, difficulty=2, importance=2, minutes=20,
    parameters=("scores",), outputs=(Output(name="entropy", axes="..."),),
    axes={"scores": "B H T S"}, reference=lambda scores: library.weight_entropy(scores),
    equation="eq-entropy",
    part="course_lib.entropy.weight_entropy",
    next_rung="e to this power reads as the number of keys that a head listens to.",
    probes=(
        Probe(name="a batch of rows", draw=_rows(3, 5, 7), gradient=True, single=True, half=True,
              sizes={"B": 3, "T": 5, "S": 7}),
        Probe(name="rows of a batch with heads", draw=_rows(2, 3, 4, 5),
              sizes={"B": 2, "H": 3, "T": 4, "S": 5}),
        Probe(name="one row alone", draw=_rows(6), sizes={"S": 6}),
        Probe(name="positive scores", draw=_all_positive, sizes={"T": 2, "S": 8}),
        Probe(name="weights that underflow to 0", draw=_one_winner, sizes={"T": 4, "S": 6},
              control=True),
        Probe(name="two keys", draw=_short, edge=True),
    ),
    misconceptions=(
        Misconception(code="ENT-0LOG0", wrong=_naive, sentence=(
            "A weight of 0 gives 0 · ln 0 = 0 · (−∞) = NaN. Its contribution is 0: compute the "
            "logarithms of the weights from the scores, or leave such terms out.")),
        Misconception(code="ENT-LOG2", wrong=_entropy(base=2), sentence=(
            "The logarithm has base 2, which gives bits. The contract asks for nats, base e.")),
        Misconception(code="ENT-LOG10", wrong=_entropy(base=10), sentence=(
            "The logarithm has base 10. The contract asks for nats, base e.")),
        Misconception(code="ENT-AXIS", wrong=_entropy(axis=-2), also=(
            *(_entropy(axis=axis) for axis in (0, 1, 2)),
            *(_mixed(-1, axis) for axis in (-2, 0, 1)),
            *(_mixed(axis, -1) for axis in (-2, 0, 1))), sentence=(
            "The softmax or the sum runs over another axis than the keys. One row of scores, the "
            "last axis, gives one entropy.")),
        Misconception(code="ENT-SIGN", wrong=_entropy(sign=1.0), sentence=(
            "The sign is missing: logarithms of weights are negative, an entropy is not.")),
        Misconception(code="ENT-SCORES", wrong=_of_scores, sentence=(
            "The formula is applied to the scores. It needs the weights: the softmax comes "
            "first.")),
        Misconception(code="ENT-EPSILON", wrong=_padded(1e-3), also=(
            *(_padded(number) for number in SMALL[:-1] if number != 1e-3),
            *(_padded_weights(_added(number)) for number in SMALL),
            *(_padded_weights(_at_least(number)) for number in SMALL)),
            sentence=(
            "A small number is added to the weights or inside the logarithm, or is the least that "
            "a weight may be. It avoids the NaN and changes values; the weights' logarithms can be "
            "had exactly from the scores.")),
        Misconception(code="ENT-LOGITS", wrong=lambda scores: -(
            scores.softmax(-1) * scores).sum(-1), sentence=(
            "The scores stand in the place of the weights' logarithms. A logarithm of a weight is "
            "the score less the row's log-sum-exp.")),
        Misconception(code="ENT-POWER", wrong=lambda scores: _from_logarithms(scores).exp(),
                      sentence=(
            "This is e to the power of the entropy, which reads as a number of keys. The entropy "
            "itself is asked for.")),
        Misconception(code="ENT-NOWEIGHT", wrong=lambda scores: -scores.log_softmax(-1).sum(-1),
                      sentence=(
            "The logarithms are added up without their weights. Each counts as often as its key is "
            "read.")),
        Misconception(code="ENT-MEAN", wrong=lambda scores: _from_logarithms(scores)
                      / scores.shape[-1], also=(
            lambda scores: _from_logarithms(scores) / math.log(scores.shape[-1]),), sentence=(
            "The sum is divided by the number of keys or by its largest possible value. The "
            "contract asks for the sum itself.")),
    ),
    alternatives=(_from_logarithms, _from_lse, _entropy()),
)  # fmt: skip
