"""score_variance and saturation: functions that measure, accepted within their standard error."""

from __future__ import annotations

import math
from typing import Any

from grading.exercise import Exercise, Inputs, Misconception, Output, Probe, Seen, Tolerance
from grading.exercises.shared.measuring import far, undrawn
from grading.late import Tensor, late, torch

__all__ = ["SATURATION", "SCORE_VARIANCE"]

library = late("course_lib.scaling")

PAIRS = 20_000


def _variance_probe(D: int, scale: float) -> Probe:
    def draw(generator: torch.Generator) -> Inputs:
        return {"D": D, "n": PAIRS, "generator": generator, "scale": scale}

    return Probe(name=f"D = {D}, scale = {scale:g}", draw=draw, sizes={"D": D})


def _judge_variance(one: Seen) -> str | None:
    D, n, scale = one.inputs["D"], one.inputs["n"], one.inputs["scale"]
    truth = scale**2 * D
    error = scale**2 * math.sqrt(2 * D * (D + 3) / n)
    if not far(one.outputs[0], truth, error):
        return None
    return (
        f"With D = {D} and scale = {scale:g} you measure {float(one.outputs[0]):.4g}. For "
        "independent components of variance 1 it is another number, by more than the noise of "
        "the draws."
    )


def _pairs(D: int, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    query, key = (torch.randn(n, D, generator=generator) for _ in range(2))
    return query, key


def _measure(score: Any, spread: Any = lambda scores, scale: (scale * scores).var()) -> Any:
    def measure(D: int, n: int, generator: torch.Generator, scale: float) -> float:
        query, key = _pairs(D, n, generator)
        return float(spread(score(query, key), scale))

    return measure


def _products(query: Tensor, key: Tensor) -> Tensor:
    return (query * key).sum(-1)


def _uniform(D: int, n: int, generator: torch.Generator, scale: float) -> float:
    query, key = (torch.rand(n, D, generator=generator) for _ in range(2))
    return float((scale * (query * key).sum(-1)).var())


def _own_seed(D: int, n: int, generator: torch.Generator, scale: float) -> Any:
    return _measure(_products)(D, n, torch.Generator().manual_seed(0), scale)


def _drawn_away(D: int, n: int, generator: torch.Generator, scale: float) -> float:
    _pairs(D, n, generator)
    return scale**2 * D


def _global(D: int, n: int, generator: torch.Generator, scale: float) -> float:
    return float((scale * (torch.randn(n, D) * torch.randn(n, D)).sum(-1)).var())


def _half_global(D: int, n: int, generator: torch.Generator, scale: float) -> float:
    query = torch.randn(n, D, generator=generator)
    return float((scale * (query * torch.randn(n, D)).sum(-1)).var())


def _by_einsum(D: int, n: int, generator: torch.Generator, scale: float) -> float:
    query, key = torch.randn(2, n, D, generator=generator, dtype=torch.float64)
    scores = torch.einsum("nd,nd->n", query, key) * scale
    return float((scores**2).mean() - scores.mean() ** 2)


def _in_chunks(D: int, n: int, generator: torch.Generator, scale: float) -> Any:
    total = squares = 0.0
    for _ in range(8):
        scores = scale * _products(*_pairs(D, n // 8, generator)).double()
        total, squares = total + float(scores.sum()), squares + float((scores**2).sum())
    return squares / n - (total / n) ** 2


SCORE_VARIANCE = Exercise(
    name="score_variance", slug="scaling", task="variance", title="The variance of a score",
    kind="measure", points=1.0, difficulty=2, importance=3, minutes=15,
    parameters=("D", "n", "generator", "scale"),
    outputs=(Output(name="variance", kind="number"),), 
    reference=lambda D, n, generator, scale: library.score_variance(D, n, generator, scale),
    equation="eq-variance", judge=_judge_variance, alike=Tolerance(rtol=0.1, atol=0),
    next_rung="scale = 1/√D makes this 1 for every D. That is why the root is there.",
    probes=(_variance_probe(16, 1.0), _variance_probe(16, 0.25), _variance_probe(25, 0.5)),
    misconceptions=(
        Misconception(code="VAR-D2", wrong=_measure(lambda q, k: q.sum(-1) * k.sum(-1)), sentence=(
            "This measures D². Sums of components are multiplied, so every component of the "
            "query meets every component of the key. A dot product pairs them one to one.")),
        Misconception(code="VAR-SCALE", wrong=_measure(_products, lambda z, c: c * z.var()),
                      sentence=(
            "The variance is multiplied by the scale. The scores are: a factor on a number acts "
            "on its variance as the square. The same slip turns √D into D.")),
        Misconception(code="VAR-NOSCALE", wrong=_measure(_products, lambda z, c: z.var()),
                      sentence="The scale is not used."),
        Misconception(code="VAR-STD", wrong=_measure(_products, lambda z, c: (c * z).std()),
                      sentence="This is the standard deviation, the root of the variance."),
        Misconception(code="VAR-SAME", wrong=_measure(lambda q, k: (q * q).sum(-1)), sentence=(
            "Query and key are the same vector, so they are not independent. Draw two.")),
        Misconception(code="VAR-UNIFORM", wrong=_uniform, sentence=(
            "torch.rand draws between 0 and 1, with mean ½ and variance 1/12. The rule needs mean "
            "0 and variance 1: torch.randn.")),
        Misconception(code="VAR-ELEMENT", wrong=_measure(lambda q, k: q * k), sentence=(
            "This is the variance of one product. A score adds up D of them.")),
        *undrawn("VAR", (lambda D, n, generator, scale: float(scale**2 * D), _own_seed,
                         _drawn_away), (_global, _half_global)),
    ),
    alternatives=(_by_einsum, _in_chunks),
)  # fmt: skip

# Mean and spread of the largest weight, over 100,000 trials; the tests measure them again.
LARGEST = {
    (64, 64, 1.0): (0.792, 0.204),
    (16, 32, 0.5): (0.367, 0.180),
    (9, 16, 1.0): (0.586, 0.233),
}
TRIALS = 1000


def _saturation_probe(D: int, S: int, scale: float) -> Probe:
    def draw(generator: torch.Generator) -> Inputs:
        return {"D": D, "S": S, "scale": scale, "trials": TRIALS, "generator": generator}

    return Probe(
        name=f"D = {D}, S = {S}, scale = {scale:g}", draw=draw, sizes={"D": D, "S": S}, edge=D == S
    )


def _judge_saturation(one: Seen) -> str | None:
    key = (one.inputs["D"], one.inputs["S"], one.inputs["scale"])
    truth, spread = LARGEST[key]
    if not far(one.outputs[0], truth, spread / math.sqrt(TRIALS) + 2e-4):
        return None
    return (
        f"With D = {key[0]}, S = {key[1]} and scale = {key[2]:g} you measure "
        f"{float(one.outputs[0]):.3f}. The mean largest weight is another number there."
    )


def _largest(
    change: Any = lambda scores, scale: scale * scores,
    pick: Any = lambda weights: weights.amax(-1).mean(),
    axis: int = -1,
) -> Any:
    def measure(D: int, S: int, scale: float, trials: int, generator: torch.Generator) -> float:
        query = torch.randn(trials, 1, D, generator=generator)
        key = torch.randn(trials, S, D, generator=generator)
        weights = change((query * key).sum(-1), scale).softmax(axis)
        return float(pick(weights))

    return measure


def _max_score(D: int, S: int, scale: float, trials: int, generator: torch.Generator) -> float:
    query = torch.randn(trials, 1, D, generator=generator)
    key = torch.randn(trials, S, D, generator=generator)
    return float((scale * (query * key).sum(-1)).amax(-1).mean())


def _largest_of_own_seed(
    D: int, S: int, scale: float, trials: int, generator: torch.Generator
) -> Any:
    return _largest()(D, S, scale, trials, torch.Generator().manual_seed(0))


def _largest_global(D: int, S: int, scale: float, trials: int, generator: torch.Generator) -> float:
    query, key = torch.randn(trials, 1, D), torch.randn(trials, S, D)
    return float((scale * (query * key).sum(-1)).softmax(-1).amax(-1).mean())


def _row_by_row(D: int, S: int, scale: float, trials: int, generator: torch.Generator) -> Any:
    total = 0.0
    for _ in range(trials):
        query = torch.randn(D, generator=generator)
        scores = scale * torch.randn(S, D, generator=generator) @ query
        total += torch.softmax(scores, 0).max().item()
    return torch.tensor(total / trials)


def _by_ratio(D: int, S: int, scale: float, trials: int, generator: torch.Generator) -> float:
    drawn = torch.randn(trials, S + 1, D, generator=generator, dtype=torch.float64)
    scores = scale * (drawn[:, 1:] @ drawn[:, 0, :, None])[..., 0]
    return float((1 / (scores - scores.amax(-1, keepdim=True)).exp().sum(-1)).mean())


SATURATION = Exercise(
    name="saturation", slug="scaling", task="saturation", title="How saturated is the softmax?",
    kind="measure", points=1.5, difficulty=2, importance=3, minutes=20,
    parameters=("D", "S", "scale", "trials", "generator"),
    outputs=(Output(name="largest weight", kind="number"),), 
    reference=lambda *inputs: library.saturation(*inputs),
    equation="eq-saturation", judge=_judge_saturation, alike=Tolerance(rtol=0.1, atol=0.002),
    next_rung="Now try D = 256 with scale 1, and with 1/16.",
    probes=tuple(_saturation_probe(*key) for key in LARGEST),
    misconceptions=(
        Misconception(code="SAT-NOSCALE", wrong=_largest(lambda z, c: z), sentence=(
            "The scale is not used.")),
        Misconception(code="SAT-DIVIDED", wrong=_largest(lambda z, c: z / c), sentence=(
            "The scores are divided by the scale. It is a factor: scores are multiplied by it.")),
        Misconception(code="SAT-MEAN", wrong=_largest(pick=lambda w: w.mean()), sentence=(
            "This is the mean of all weights, which is 1/S whatever the scores are. Take the "
            "largest of each row first.")),
        Misconception(code="SAT-MEANMAX", wrong=_largest(pick=lambda w: w.mean(0).max()), sentence=(
            "The mean over the trials comes before the maximum. Different keys win in different "
            "trials: take the largest weight of each trial first.")),
        Misconception(code="SAT-MAXMAX", wrong=_largest(pick=lambda w: w.max()), sentence=(
            "This is the largest weight of all trials. Take the largest of each, then the mean.")),
        Misconception(code="SAT-AXIS", wrong=_largest(axis=0), sentence=(
            "The softmax runs over the trials. Each trial has its own S keys to share out among.")),
        Misconception(code="SAT-SCORE", wrong=_max_score, sentence=(
            "This is the largest score, before the softmax.")),
        *undrawn("SAT", (lambda D, S, scale, trials, generator: LARGEST[D, S, scale][0],
                         _largest_of_own_seed), (_largest_global,)),
    ),
    alternatives=(_row_by_row, _by_ratio),
)  # fmt: skip
