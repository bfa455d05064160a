"""Two short tasks from the chapters before: weights without one key, and the mean of the past."""

from __future__ import annotations

from typing import Any

from grading.exercise import Answer, Exercise, Inputs, Misconception, Output, Probe
from grading.exercises.shared.drawing import normal
from grading.exercises.shared.fitting import shares
from grading.late import Tensor, torch

__all__ = ["MEAN_OF_PAST", "WITHOUT_KEY"]


def _weights(s: int, *shape: int) -> Any:
    return lambda generator: {"weights": normal(generator, *shape).softmax(-1), "s": s}


def _fitted(inputs: Inputs) -> Inputs:
    """Let the rows sum to 1, and keep the key among those that are left."""
    weights = shares(inputs["weights"], -1)
    return inputs | {"weights": weights, "s": min(inputs["s"], weights.shape[-1] - 1)}


def _without(weights: Tensor, s: int) -> Tensor:
    return weights * (torch.arange(weights.shape[-1]) != s)


def _shared_out(weights: Tensor, s: int) -> Tensor:
    left = _without(weights, s)
    return left / left.sum(-1, keepdim=True)


def _evenly(weights: Tensor, s: int) -> Tensor:
    free = weights[..., s : s + 1] / (weights.shape[-1] - 1)
    return (weights + free) * (torch.arange(weights.shape[-1]) != s)


def _by_logarithms(weights: Tensor, s: int) -> Tensor:
    away = torch.arange(weights.shape[-1]) == s
    return weights.log().masked_fill(away, -torch.inf).softmax(-1)


def _by_parts(weights: Tensor, s: int) -> Tensor:
    rest = 1 - weights[..., s : s + 1]
    before, behind = weights[..., :s], weights[..., s + 1 :]
    return torch.cat([before / rest, torch.zeros_like(rest), behind / rest], -1)


WITHOUT_KEY = Exercise(
    name="without_key", slug="masks", task="warm-up-without", title="Warm-up: without one key",
    kind="warm-up", points=0.25, difficulty=1, importance=2, minutes=5,
    parameters=("weights", "s"), outputs=(Output(name="weights", axes="... T S"),),
    axes={"weights": "... T S"}, fitted=_fitted, reference=_shared_out,
    equation="softmax#eq-softmax",
    next_rung="A mask does this for many keys at once, before the softmax instead of behind it.",
    probes=(
        Probe(name="a batch, without key 2", draw=_weights(2, 3, 4, 5), single=True,
              half=True, sizes={"B": 3, "T": 4, "S": 5}),
        Probe(name="a batch with heads, without key 0", draw=_weights(0, 2, 3, 5, 4),
              sizes={"B": 2, "H": 3, "T": 5, "S": 4}),
        Probe(name="one sequence, without the last key", draw=_weights(5, 3, 6),
              sizes={"T": 3, "S": 6}),
        Probe(name="two keys", draw=_weights(1, 1, 2), edge=True),
    ),
    misconceptions=(
        Misconception(code="KEY-LOST", wrong=_without, sentence=(
            "What the key had is lost, so the row no longer sums to 1. The others share it out.")),
        Misconception(code="KEY-EVEN", wrong=_evenly, sentence=(
            "What the key had is handed out in equal parts. The others keep their proportions: "
            "each grows by one factor.")),
        Misconception(code="KEY-ONLY", wrong=lambda weights, s: weights
                      * (torch.arange(weights.shape[-1]) == s), sentence=(
            "Only the key that has to go is left.")),
        Misconception(code="KEY-SOFTMAX", wrong=lambda weights, s: _without(weights, s).softmax(-1),
                      sentence=(
            "A softmax is applied to weights. Its e⁰ = 1 gives the key a weight again, and the "
            "others come out nearly equal.")),
        Misconception(code="KEY-FIRST", wrong=lambda weights, s: _shared_out(weights, 0), sentence=(
            "The first key is taken out, whichever is named.")),
    ),
    alternatives=(_by_logarithms, _by_parts),
)  # fmt: skip


def _values(*shape: int) -> Any:
    return lambda generator: {"value": normal(generator, *shape)}


def _count(value: Tensor) -> Tensor:
    return torch.arange(1, value.shape[-2] + 1, dtype=value.dtype)[:, None]


def _past(value: Tensor) -> Tensor:
    return value.cumsum(-2) / _count(value)


def _weighted(diagonal: int) -> Answer:
    """Return the mean of what a triangle of equal weights allows; nothing gives 0."""

    def mean(value: Tensor) -> Tensor:
        T = value.shape[-2]
        lower = torch.ones(T, T, dtype=value.dtype).tril(diagonal)
        return lower / lower.sum(-1, keepdim=True).clamp(min=1) @ value

    return mean


def _along_the_first(value: Tensor) -> Tensor:
    counts = torch.arange(1, len(value) + 1).reshape(-1, *[1] * (value.ndim - 1))
    return value.cumsum(0) / counts


def _by_slices(value: Tensor) -> Tensor:
    return torch.stack([value[..., : t + 1, :].mean(-2) for t in range(value.shape[-2])], -2)


MEAN_OF_PAST = Exercise(
    name="mean_of_past", slug="masks", task="warm-up-past", title="Warm-up: the mean so far",
    kind="warm-up", points=0.25, difficulty=1, importance=2, minutes=5,
    parameters=("value",), outputs=(Output(name="output", axes="... T Dv"),),
    axes={"value": "... T Dv"}, reference=_past, equation="queries-keys-values#eq-weighted-sum",
    next_rung="That was causal attention with queries of zeros.",
    probes=(
        Probe(name="a batch", draw=_values(3, 5, 2), gradient=True, single=True, half=True,
              sizes={"B": 3, "T": 5, "Dv": 2}),
        Probe(name="a batch with heads", draw=_values(2, 3, 4, 5),
              sizes={"B": 2, "H": 3, "T": 4, "Dv": 5}),
        Probe(name="one sequence", draw=_values(6, 3), sizes={"T": 6, "Dv": 3}),
        Probe(name="one position", draw=_values(1, 2), edge=True),
    ),
    misconceptions=(
        Misconception(code="PAST-SUM", wrong=lambda value: value.cumsum(-2), sentence=(
            "The values are added up and not divided. Output t is a mean of t + 1 values.")),
        Misconception(code="PAST-ALL", wrong=lambda value: value.mean(-2, keepdim=True)
                      .expand_as(value), sentence=(
            "Every position gets the mean of all. Position t may use the values 0 to t only.")),
        Misconception(code="PAST-T", wrong=lambda value: value.cumsum(-2) / value.shape[-2],
                      sentence=(
            "Every sum is divided by T. Position t has t + 1 values to average.")),
        Misconception(code="PAST-STRICT", wrong=_weighted(-1), sentence=(
            "A position's own value is left out. It belongs to the mean.")),
        Misconception(code="PAST-FUTURE", wrong=lambda value: _past(value.flip(-2)).flip(-2),
                      sentence=(
            "These are means of what is still to come, from t to the end.")),
        Misconception(code="PAST-AXIS", wrong=lambda value: value.cumsum(-1)
                      / torch.arange(1, value.shape[-1] + 1), also=(_along_the_first,), sentence=(
            "The mean runs along another axis than the positions, which are the last axis but "
            "one, however many stand before it.")),
    ),
    alternatives=(_weighted(0), _by_slices),
)  # fmt: skip
