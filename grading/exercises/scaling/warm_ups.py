"""Two short tasks from the chapter before: the weighted sum, and the shapes of cross-attention."""

from __future__ import annotations

from typing import Any

import numpy as np

from grading.exercise import Exercise, Inputs, Misconception, Output, Probe, Seen
from grading.exercises.shared.drawing import normal
from grading.exercises.shared.fitting import shares
from grading.late import Tensor, torch
from grading.observation.values import Array, Other, described

__all__ = ["CROSS_SHAPES", "WEIGHTED_SUM"]


def _weights_values(T: int, S: int, Dv: int, *leading: int) -> Any:
    def draw(generator: torch.Generator) -> Inputs:
        weights = normal(generator, *leading, T, S).softmax(-1)
        return {"weights": weights, "value": normal(generator, *leading, S, Dv)}

    return draw


def _square(generator: torch.Generator) -> Inputs:
    return {"weights": normal(generator, 2, 2).softmax(-1), "value": normal(generator, 2, 2)}


def _fitted(inputs: Inputs) -> Inputs:
    return inputs | {"weights": shares(inputs["weights"], -1)}


def _mean(weights: Tensor, value: Tensor) -> Any:
    return value.mean(-2, keepdim=True).expand(*weights.shape[:-1], value.shape[-1])


WEIGHTED_SUM = Exercise(
    name="weighted_sum", slug="scaling", task="warm-up-sum", title="Warm-up: the weighted sum",
    kind="warm-up", points=0.5, difficulty=1, importance=2, minutes=5,
    parameters=("weights", "value"), outputs=(Output(name="output", axes="... T Dv"),),
    axes={"weights": "... T S", "value": "... S Dv"}, fitted=_fitted,
    reference=lambda weights, value: weights @ value,
    equation="queries-keys-values#eq-weighted-sum",
    next_rung="Step 4 again: S disappears when weights meet values.",
    probes=(
        Probe(name="a batch", draw=_weights_values(4, 8, 6, 3), gradient=True, single=True,
              half=True, sizes={"B": 3, "T": 4, "S": 8, "Dv": 6}),
        Probe(name="a batch with heads", draw=_weights_values(6, 5, 7, 2, 3),
              sizes={"B": 2, "H": 3, "T": 6, "S": 5, "Dv": 7}),
        Probe(name="one sequence", draw=_weights_values(5, 3, 2),
              sizes={"T": 5, "S": 3, "Dv": 2}),
        Probe(name="two queries, two keys", draw=_square, edge=True),
    ),
    misconceptions=(
        Misconception(code="SUM-TRANSPOSED", wrong=lambda weights, value: weights.mT @ value,
                      sentence=(
            "The weights are transposed. Row t already lists the shares that query t takes.")),
        Misconception(code="SUM-MEAN", wrong=_mean, sentence=(
            "This is the plain mean of the values: the weights play no part.")),
        Misconception(code="SUM-SOFTMAX", wrong=lambda weights, value: weights.softmax(-1) @ value,
                      sentence=(
            "A softmax is applied to the weights. Each row sums to 1 already: mix the values in "
            "these proportions.")),
        Misconception(code="SUM-ELEM", wrong=lambda weights, value: weights * value, sentence=(
            "Weights and values are multiplied entry by entry. Every query needs a sum over all "
            "S values.")),
    ),
    alternatives=(
        lambda weights, value: torch.einsum("...ts,...sv->...tv", weights, value),
        lambda weights, value: (weights.unsqueeze(-1) * value.unsqueeze(-3)).sum(-2),
    ),
)  # fmt: skip


def _sizes(**sizes: int) -> Any:
    return lambda generator: dict(sizes)


def _shapes(one: Seen) -> tuple[Any, ...]:
    return tuple(np.array([float(size) for size in shape]) for shape in one.outputs)


def _judge(one: Seen) -> str | None:
    T, S, D, Dv = (one.inputs[letter] for letter in ("T", "S", "D", "Dv"))
    wanted_shapes = (("weights", (T, S)), ("output", (T, Dv)))
    given = f"With T, S, D, Dv = {T}, {S}, {D}, {Dv} "
    if all(isinstance(shape, int | float) for shape in one.outputs):
        return f"{given}one shape came back, {tuple(one.outputs)}; two are asked for."
    for (name, wanted), shape in zip(wanted_shapes, one.outputs, strict=True):
        if not isinstance(shape, tuple | list):
            return (
                f"{given}the shape of the {name} is {_said(shape)}; a tuple of sizes is asked for."
            )
        if tuple(shape) != wanted:
            return f"{given}the shape of the {name} is not {shape}."
    return None


def _said(value: Any) -> str:
    return described(value) if isinstance(value, Array | Other) else repr(value)


CROSS_SHAPES = Exercise(
    name="cross_attention_shapes", slug="scaling", task="warm-up-shapes",
    title="Warm-up: shapes of cross-attention", kind="warm-up", points=0.5, difficulty=1,
    importance=2, minutes=5, parameters=("T", "S", "D", "Dv"),
    outputs=(Output(name="weights' shape", kind="any"), Output(name="output's shape", kind="any")),
    reference=lambda T, S, D, Dv: ((T, S), (T, Dv)), equation="queries-keys-values#eq-sdpa",
    judge=_judge, view=_shapes, next_rung="D appears in neither: queries and keys use it up.",
    probes=tuple(
        Probe(name=name, draw=_sizes(**sizes), sizes=sizes)
        for name, sizes in (
            ("3 words read 11", {"T": 3, "S": 11, "D": 5, "Dv": 7}),
            ("9 words read 2", {"T": 9, "S": 2, "D": 8, "Dv": 4}),
        )
    ),
    misconceptions=(
        Misconception(code="SHAPE-ORDER", wrong=lambda T, S, D, Dv: ((T, Dv), (T, S)), sentence=(
            "The two shapes are returned in the other order: the weights' comes first.")),
        Misconception(code="SHAPE-TS", wrong=lambda T, S, D, Dv: ((S, T), (T, Dv)), sentence=(
            "The weights have one row a query and one column a key.")),
        Misconception(code="SHAPE-OUTS", wrong=lambda T, S, D, Dv: ((T, S), (S, Dv)), sentence=(
            "There is one output a query, however many keys it reads.")),
        Misconception(code="SHAPE-OUTD", wrong=lambda T, S, D, Dv: ((T, S), (T, D)), sentence=(
            "The output is a mixture of values and has their size, not that of queries and keys.")),
        Misconception(code="SHAPE-SQUARE", wrong=lambda T, S, D, Dv: ((T, T), (T, Dv)), sentence=(
            "That is the shape of self-attention. Here the keys come from another sequence.")),
    ),
    alternatives=(
        lambda T, S, D, Dv: [torch.Size((T, S)), torch.Size((T, Dv))],
        lambda T, S, D, Dv: ([T, S], [T, Dv]),
    ),
)  # fmt: skip
