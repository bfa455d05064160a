"""spread_of_average: what uniform attention does to noise."""

from __future__ import annotations

import math
from typing import Any

from grading.exercise import Exercise, Inputs, Misconception, Output, Probe, Seen, Tolerance
from grading.exercises.shared.measuring import far, undrawn
from grading.late import Tensor, torch

__all__ = ["SPREAD_OF_AVERAGE"]

#: The outputs to draw, by S; few for the last one.
OUTPUTS = {4: 2000, 9: 2000, 25: 2000, 16: 30}


def _name(S: int) -> str:
    return f"S = {S}, {OUTPUTS[S]} outputs"


def _probe(S: int) -> Probe:
    def draw(generator: torch.Generator) -> Inputs:
        return {"S": S, "n": OUTPUTS[S], "generator": generator}

    return Probe(name=_name(S), draw=draw, sizes={"S": S, "n": OUTPUTS[S]})


def _noise(inputs: Inputs) -> float:
    return 1 / math.sqrt(2 * inputs["S"] * inputs["n"])


def _judge(one: Seen) -> str | None:
    S = one.inputs["S"]
    if not far(one.outputs[0], 1 / math.sqrt(S), _noise(one.inputs)):
        return None
    return (
        f"With S = {S} keys you measure {float(one.outputs[0]):.4g}. The spread of the outputs is "
        "another number there, by more than the noise of the draws."
    )


def _measure(
    spread: Any = lambda values: values.mean(-1).std(), draw: str = "randn", rows: Any = None
) -> Any:
    def measure(S: int, n: int, generator: torch.Generator) -> float:
        values = getattr(torch, draw)(rows or n, S, generator=generator, dtype=torch.float64)
        return float(spread(values.expand(n, S)))

    return measure


def _by_attention(S: int, n: int, generator: torch.Generator) -> Tensor:
    weights = torch.zeros(1, S).softmax(-1)
    value = torch.randn(n, S, 1, generator=generator)
    return (weights @ value).std()


def _one_by_one(S: int, n: int, generator: torch.Generator) -> float:
    outputs = [float(torch.randn(S, generator=generator).sum()) / S for _ in range(n)]
    mean = sum(outputs) / n
    return math.sqrt(sum((output - mean) ** 2 for output in outputs) / n)


def _own_seed(S: int, n: int, generator: torch.Generator) -> Any:
    return _measure()(S, n, torch.Generator().manual_seed(0))


def _global(S: int, n: int, generator: torch.Generator) -> float:
    return float(torch.randn(n, S).mean(-1).std())


def _always_as_many(S: int, n: int, generator: torch.Generator) -> float:
    return float(torch.randn(2000, S, generator=generator).mean(-1).std())


def _constant(S: int, n: int, generator: torch.Generator) -> float:
    torch.randn(n, S, generator=generator)
    return 1 / math.sqrt(S)


def _few(seen: Any, truth: Any) -> bool:
    """Recognise the spread of S means over n outputs: near 1/√n, and another one for each S."""
    views = {S: seen.get(_name(S)) for S in OUTPUTS}
    if not all(isinstance(view, list) and view for view in views.values()):
        return False
    near = [0.2 < float(view[0]) * math.sqrt(OUTPUTS[S]) < 2.5 for S, view in views.items()]
    return len({float(view[0]) for view in views.values()}) == len(views) and all(near)


SPREAD_OF_AVERAGE = Exercise(
    name="spread_of_average", slug="queries-keys-values", task="average",
    title="What uniform attention does to noise", kind="measure", points=0.5, difficulty=1,
    importance=2, minutes=10, parameters=("S", "n", "generator"),
    outputs=(Output(name="spread", kind="number"),), reference=_measure(),
    equation="eq-weighted-sum", judge=_judge, noise=_noise, alike=Tolerance(rtol=0.12, atol=1e-6),
    next_rung="Four times as many keys halve the spread: a head that reads all alike blurs.",
    probes=tuple(_probe(S) for S in OUTPUTS),
    misconceptions=(
        Misconception(code="AVG-SUM", wrong=_measure(lambda v: v.sum(-1).std()), sentence=(
            "The values are added up. Uniform attention gives each the weight 1/S, so the output "
            "is their mean.")),
        Misconception(code="AVG-VAR", wrong=_measure(lambda v: v.mean(-1).var()), sentence=(
            "This is the variance, the square of the standard deviation.")),
        Misconception(code="AVG-VALUES", wrong=_measure(lambda v: v.std()), also=(
            _measure(lambda v: v.std(-1).mean()),), sentence=(
            "This is the spread of the values. Average them first; the spread of the outputs is "
            "asked for.")),
        Misconception(code="AVG-AXIS", wrong=_measure(lambda v: v.mean(0).std()), recognise=_few,
                      sentence=(
            "The mean runs over the n outputs. Each output is the mean of its own S values.")),
        Misconception(code="AVG-SHARED", wrong=_measure(rows=1), sentence=(
            "All outputs are made of the same values, so they do not differ. Draw S values for "
            "each output.")),
        Misconception(code="AVG-UNIFORM", wrong=_measure(draw="rand"), sentence=(
            "torch.rand draws between 0 and 1, with the spread 0.29. The values of the task have "
            "the spread 1: torch.randn.")),
        *undrawn("AVG", (lambda S, n, generator: S**-0.5, _own_seed, _constant), (_global,),
                 (_always_as_many,)),
    ),
    alternatives=(_by_attention, _one_by_one),
)  # fmt: skip
