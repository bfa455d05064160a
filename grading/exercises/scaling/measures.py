"""score_variance: a function that measures, accepted within its standard error."""

from __future__ import annotations

import math
from typing import Any

from grading.exercise import Exercise, Inputs, Misconception, Output, Probe, Seen, Tolerance
from grading.exercises.shared.measuring import far, undrawn
from grading.late import Tensor, late, torch

__all__ = ["SCORE_VARIANCE"]

library = late("course_lib.scaling")

PAIRS = 20_000


def _variance_probe(D: int, scale: float, n: int = PAIRS) -> Probe:
    def draw(generator: torch.Generator) -> Inputs:
        return {"D": D, "n": n, "generator": generator, "scale": scale}

    return Probe(name=f"D = {D}, scale = {scale:g}, n = {n}", draw=draw, sizes={"D": D, "n": n})


def _variance_noise(inputs: Inputs) -> float:
    """Return the standard error of a variance: the fourth moment of a score is 3 D (D + 2)."""
    D, n, scale = inputs["D"], inputs["n"], inputs["scale"]
    return float(scale**2 * math.sqrt(2 * D * (D + 3) / n))


def _judge_variance(one: Seen) -> str | None:
    D, scale = one.inputs["D"], one.inputs["scale"]
    truth = scale**2 * D
    if not far(one.outputs[0], truth, _variance_noise(one.inputs)):
        return None
    return (
        f"With D = {D} and scale = {scale:g} you measure {float(one.outputs[0]):.4g}. Where all "
        "components are independent and each has the variance 1, it is another number, by more "
        "than the noise of the draws."
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


def _always_as_many(D: int, n: int, generator: torch.Generator, scale: float) -> Any:
    return _measure(_products)(D, PAIRS, generator, scale)


def _scores_drawn(D: int, n: int, generator: torch.Generator, scale: float) -> float:
    scores = math.sqrt(D) * torch.randn(n, generator=generator)
    return float((scale * scores).var())


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
    part="course_lib.scaling.score_variance",
    next_rung="scale = 1/√D makes this 1 for every D. That is why the root is there.",
    noise=_variance_noise,
    probes=(
        _variance_probe(16, 1.0), _variance_probe(16, 0.25), _variance_probe(25, 0.5),
        _variance_probe(1, 1.0, n=400),
    ),
    misconceptions=(
        Misconception(code="VAR-D2", wrong=_measure(lambda q, k: q.sum(-1) * k.sum(-1)), sentence=(
            "This measures D². So it comes out where the sum of the query's components meets the "
            "sum of the key's: each meets each. A dot product pairs them one to one.")),
        Misconception(code="VAR-SCALE", wrong=_measure(_products, lambda z, c: c * z.var()),
                      sentence=(
            "The variance is multiplied by the scale. The scores are: a factor on a number acts "
            "on its variance as the square. The same slip turns √D into D.")),
        Misconception(code="VAR-NOSCALE", wrong=_measure(_products, lambda z, c: z.var()),
                      sentence="The scale is not used."),
        Misconception(code="VAR-STD", wrong=_measure(_products, lambda z, c: (c * z).std()),
                      sentence="This is the standard deviation, the root of the variance."),
        Misconception(code="VAR-SAME", wrong=_measure(lambda q, k: (q * q).sum(-1)), sentence=(
            "This is twice the variance. So it comes out where query and key are the same vector: "
            "they are not independent then. Draw two.")),
        Misconception(code="VAR-UNIFORM", wrong=_uniform, sentence=(
            "torch.rand draws between 0 and 1, with mean ½ and variance 1/12. The rule needs mean "
            "0 and variance 1: torch.randn.")),
        Misconception(code="VAR-ELEMENT", wrong=_measure(lambda q, k: q * k), sentence=(
            "This is the variance of one product. A score adds up D of them.")),
        *undrawn("VAR", (lambda D, n, generator, scale: float(scale**2 * D), _own_seed,
                         _drawn_away), (_global, _half_global), (_always_as_many, _scores_drawn)),
    ),
    alternatives=(_by_einsum, _in_chunks),
)  # fmt: skip
