"""sink_share: how much weight a sink takes as the keys become more."""

from __future__ import annotations

import math
from typing import Any

from grading.exercise import Exercise, Inputs, Misconception, Output, Probe, Seen, Tolerance
from grading.exercises.shared.measuring import far, undrawn
from grading.late import Tensor, late, torch

__all__ = ["SHARES", "SINK_SHARE"]

library = late("course_lib.softmax")

# Mean and spread of the sink's weight by (S, sink), over 400,000 rows; the tests measure again.
SHARES = {
    (4, 0.0): (0.1653, 0.0751), (30, 0.0): (0.0208, 0.0046), (30, 3.0): (0.2965, 0.0469),
    (10, 1.0): (0.1570, 0.0488),
}  # fmt: skip
#: So many rows, but few for the last key.
ROWS, FEW = 2000, 30


def _probe(S: int, sink: float) -> Probe:
    n = FEW if (S, sink) == list(SHARES)[-1] else ROWS

    def draw(generator: torch.Generator) -> Inputs:
        return {"S": S, "sink": sink, "n": n, "generator": generator}

    return Probe(name=f"S = {S}, sink = {sink:g}, {n} rows", draw=draw, sizes={"S": S, "n": n})


def _noise(inputs: Inputs) -> float:
    return SHARES[inputs["S"], inputs["sink"]][1] / math.sqrt(inputs["n"])


def _judge(one: Seen) -> str | None:
    S, sink = one.inputs["S"], one.inputs["sink"]
    if not far(one.outputs[0], SHARES[S, sink][0], _noise(one.inputs) + 2e-5):
        return None
    return (
        f"With S = {S} and sink = {sink:g} you measure {float(one.outputs[0]):.4g}. The sink's "
        "mean weight is another number there, by more than the noise of the draws."
    )


def _measure(share: Any) -> Any:
    def measure(S: int, sink: float, n: int, generator: torch.Generator) -> float:
        scores = torch.randn(n, S, generator=generator, dtype=torch.float64)
        return float(share(scores, sink))

    return measure


def _all(scores: Tensor, sink: float) -> Tensor:
    column = torch.full_like(scores[:, :1], sink)
    return torch.cat([scores, column], -1).softmax(-1)


def _reference(S: int, sink: float, n: int, generator: torch.Generator) -> float:
    scores = torch.randn(n, 1, 1, S, generator=generator, dtype=torch.float64)
    return float((1 - library.softmax_with_sink(scores, sink).sum(-1)).mean())


def _row_by_row(S: int, sink: float, n: int, generator: torch.Generator) -> float:
    total = 0.0
    for _ in range(n):
        powers = torch.randn(S, generator=generator).exp().sum().item()
        total += math.exp(sink) / (math.exp(sink) + powers)
    return total / n


def _by_sigmoid(scores: Tensor, sink: float) -> Tensor:
    return torch.sigmoid(sink - scores.logsumexp(-1)).mean()


def _own_seed(S: int, sink: float, n: int, generator: torch.Generator) -> Any:
    return _reference(S, sink, n, torch.Generator().manual_seed(0))


def _table(S: int, sink: float, n: int, generator: torch.Generator) -> float:
    return SHARES[S, sink][0]


def _global(S: int, sink: float, n: int, generator: torch.Generator) -> float:
    return float(_all(torch.randn(n, S), sink)[:, -1].mean())


def _always_as_many(S: int, sink: float, n: int, generator: torch.Generator) -> Any:
    return _reference(S, sink, ROWS, generator)


SINK_SHARE = Exercise(
    name="sink_share", slug="softmax", task="sink-share",
    title="What a sink takes from many keys", kind="measure", points=0.5, difficulty=2,
    importance=2, minutes=10, parameters=("S", "sink", "n", "generator"),
    outputs=(Output(name="share", kind="number"),), reference=_reference, equation="eq-sink",
    judge=_judge, noise=_noise, alike=Tolerance(rtol=0.08, atol=1e-6),
    next_rung="Twice as many keys nearly halve the share: a sink has to grow with the text.",
    probes=tuple(_probe(*key) for key in SHARES),
    misconceptions=(
        Misconception(code="SHARE-KEYS", wrong=_measure(lambda z, c: 1 - _all(z, c)[:, -1].mean()),
                      sentence=(
            "This is what the keys keep. The sink has the rest, which is missing from the sum of "
            "their weights.")),
        Misconception(code="SHARE-ZERO", wrong=_measure(lambda z, c: _all(z, 0.0)[:, -1].mean()),
                      sentence="The sink is taken as 0 whatever it is."),
        Misconception(code="SHARE-NOEXP", wrong=_measure(
            lambda z, c: (c / (c + z.exp().sum(-1))).mean()), sentence=(
            "The sink stands there without its exponential. It is a score like any other.")),
        Misconception(code="SHARE-ONEKEY", wrong=_measure(lambda z, c: _all(z, c)[:, :-1].mean()),
                      also=(_measure(lambda z, c: _all(z, c).mean()),), sentence=(
            "This is the mean weight of one key, or of all columns. Take the sink's own column.")),
        Misconception(code="SHARE-LARGEST", wrong=_measure(
            lambda z, c: _all(z, c)[:, :-1].amax(-1).mean()), sentence=(
            "This is the weight of the best key. The sink's own is asked for.")),
        Misconception(code="SHARE-NOSUM", wrong=_measure(
            lambda z, c: math.exp(c) / z.exp().sum(-1).mean()), also=(
            _measure(lambda z, c: (math.exp(c) / z.exp().sum(-1)).mean()),), sentence=(
            "The sink is compared with the keys alone. It belongs to the denominator too, so that "
            "all weights sum to 1.")),
        Misconception(code="SHARE-MEANSCORE", wrong=lambda S, sink, n, generator: math.exp(sink)
                      / (math.exp(sink) + S), sentence=(
            "Every score is taken at its mean, 0. The mean of an exponential is larger than the "
            "exponential of the mean: draw the scores.")),
        *undrawn("SHARE", (_table, _own_seed), (_global,), (_always_as_many,)),
    ),
    alternatives=(_measure(lambda z, c: _all(z, c)[:, -1].mean()), _row_by_row,
                  _measure(_by_sigmoid)),
)  # fmt: skip
