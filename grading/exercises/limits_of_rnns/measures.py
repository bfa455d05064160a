"""gradient_growth: what a random recurrent matrix does to a gradient, step after step."""

from __future__ import annotations

import math
from typing import Any

from grading.exercise import Exercise, Inputs, Misconception, Output, Probe, Seen, Tolerance
from grading.exercises.shared.measuring import far, undrawn
from grading.late import Tensor, torch

__all__ = ["GRADIENT_GROWTH", "GROWTH"]

# Mean and spread of ln |g_T| / T by (N, T, gain), over 400,000 matrices; the tests measure again.
GROWTH = {
    (12, 6, 0.6): (-0.5421, 0.1204), (20, 3, 1.5): (0.3808, 0.0995),
    (8, 6, 0.4): (-0.9615, 0.1622), (6, 8, 1.2): (0.1353, 0.2004),
}  # fmt: skip
#: So many matrices, but few for the last key.
MANY, FEW = 2000, 30


def _probe(N: int, T: int, gain: float) -> Probe:
    n = FEW if (N, T, gain) == list(GROWTH)[-1] else MANY

    def draw(generator: torch.Generator) -> Inputs:
        return {"N": N, "T": T, "gain": gain, "n": n, "generator": generator}

    return Probe(
        name=f"N = {N}, T = {T}, gain = {gain:g}, {n} matrices", draw=draw,
        sizes={"N": N, "T": T, "n": n},
    )  # fmt: skip


def _noise(inputs: Inputs) -> float:
    return GROWTH[inputs["N"], inputs["T"], inputs["gain"]][1] / math.sqrt(inputs["n"])


def _judge(one: Seen) -> str | None:
    N, T, gain = (one.inputs[name] for name in ("N", "T", "gain"))
    if not far(one.outputs[0], GROWTH[N, T, gain][0], _noise(one.inputs) + 3e-4):
        return None
    return (
        f"With N = {N}, T = {T} and gain = {gain:g} you measure {float(one.outputs[0]):.4g}. The "
        "mean growth is another number there, by more than the noise of the draws."
    )


def _drawn(N: int, gain: float, n: int, generator: torch.Generator) -> Tensor:
    matrices = torch.randn(n, N, N, generator=generator, dtype=torch.float64)
    return gain * matrices / math.sqrt(N)


def _pushed(w: Tensor, g: Tensor, T: int) -> Tensor:
    for _ in range(T):
        g = (g[:, None] @ w.mT)[:, 0]
    return g


def _start(N: int, n: int, generator: torch.Generator) -> Any:
    g = torch.randn(n, N, generator=generator, dtype=torch.float64)
    return g / g.norm(dim=-1, keepdim=True)


def _measure(
    rate: Any = lambda norms, T: (norms.log() / T).mean(),
    stretch: Any = lambda N, gain: gain / math.sqrt(N),
    unit: bool = True,
    draw: Any = None,
) -> Any:
    def measure(N: int, T: int, gain: float, n: int, generator: torch.Generator) -> float:
        draws = draw or torch.randn
        w = stretch(N, gain) * draws(n, N, N, generator=generator, dtype=torch.float64)
        g = torch.randn(n, N, generator=generator, dtype=torch.float64)
        g = g / g.norm(dim=-1, keepdim=True) if unit else g
        return float(rate(_pushed(w, g, T).norm(dim=-1), T))

    return measure


def _uniform(*shape: int, **options: Any) -> Tensor:
    return torch.rand(*shape, **options)


def _fresh(N: int, T: int, gain: float, n: int, generator: torch.Generator) -> float:
    g = _start(N, n, generator)
    for _ in range(T):
        g = _pushed(_drawn(N, gain, n, generator), g, 1)
    return float((g.norm(dim=-1).log() / T).mean())


def _one_matrix(N: int, T: int, gain: float, n: int, generator: torch.Generator) -> float:
    w = _drawn(N, gain, 1, generator).expand(n, N, N)
    return float((_pushed(w, _start(N, n, generator), T).norm(dim=-1).log() / T).mean())


def _largest(N: int, T: int, gain: float, n: int, generator: torch.Generator) -> float:
    w = _drawn(N, gain, n, generator)
    norms = torch.linalg.matrix_norm(torch.linalg.matrix_power(w, T), ord=2)
    return float((norms.log() / T).mean())


def _one_by_one(N: int, T: int, gain: float, n: int, generator: torch.Generator) -> float:
    total = 0.0
    for _ in range(n):
        w = torch.randn(N, N, generator=generator) * gain / N**0.5
        g = torch.randn(N, generator=generator)
        g = g / g.norm()
        for _ in range(T):
            g = w @ g
        total += math.log(g.norm().item()) / T
    return total / n


def _by_power(N: int, T: int, gain: float, n: int, generator: torch.Generator) -> Any:
    g = _start(N, n, generator)
    w = torch.linalg.matrix_power(_drawn(N, gain, n, generator), T)
    return (torch.einsum("nij,nj->ni", w, g).square().sum(-1).log() / (2 * T)).mean()


def _own_seed(N: int, T: int, gain: float, n: int, generator: torch.Generator) -> Any:
    return _measure()(N, T, gain, n, torch.Generator().manual_seed(0))


def _table(N: int, T: int, gain: float, n: int, generator: torch.Generator) -> float:
    return GROWTH[N, T, gain][0]


def _formula(N: int, T: int, gain: float, n: int, generator: torch.Generator) -> float:
    return math.log(gain)


def _global(N: int, T: int, gain: float, n: int, generator: torch.Generator) -> float:
    w = gain * torch.randn(n, N, N, dtype=torch.float64) / math.sqrt(N)
    g = torch.randn(n, N, dtype=torch.float64)
    g = g / g.norm(dim=-1, keepdim=True)
    return float((_pushed(w, g, T).norm(dim=-1).log() / T).mean())


def _half_global(N: int, T: int, gain: float, n: int, generator: torch.Generator) -> float:
    g = torch.randn(n, N, dtype=torch.float64)
    g = g / g.norm(dim=-1, keepdim=True)
    return float((_pushed(_drawn(N, gain, n, generator), g, T).norm(dim=-1).log() / T).mean())


def _always_as_many(N: int, T: int, gain: float, n: int, generator: torch.Generator) -> Any:
    return _measure()(N, T, gain, MANY, generator)


GRADIENT_GROWTH = Exercise(
    name="gradient_growth", slug="limits-of-rnns", task="growth",
    title="Growth per step", kind="measure", points=0.5, difficulty=2,
    importance=2, minutes=15, parameters=("N", "T", "gain", "n", "generator"),
    outputs=(Output(name="growth", kind="number"),), reference=_measure(),
    equation="eq-jacobian", judge=_judge, noise=_noise, alike=Tolerance(rtol=0.012, atol=0.006),
    next_rung="A gain of 1 keeps the mean square and still fades: most vectors shrink, a few grow.",
    probes=tuple(_probe(*key) for key in GROWTH),
    misconceptions=(
        Misconception(code="GROWTH-NOROOT", wrong=_measure(stretch=lambda N, gain: gain), also=(
            _measure(stretch=lambda N, gain: gain / N),), sentence=(
            "The entries have another spread than gain / √N. A new entry of g sums N products, so "
            "their number has to be divided out: by its root.")),
        Misconception(code="GROWTH-TOTAL", wrong=_measure(lambda norms, T: norms.log().mean()),
                      sentence=(
            "This is the growth over all T steps. Per step it is that, divided by T.")),
        Misconception(code="GROWTH-MEANFIRST", wrong=_measure(
            lambda norms, T: norms.mean().log() / T), sentence=(
            "The lengths are averaged first, and then the logarithm is taken. A few long vectors "
            "rule such a mean. Take the logarithm of each length, then the mean.")),
        Misconception(code="GROWTH-FACTOR", wrong=_measure(
            lambda norms, T: (norms ** (1 / T)).mean()), also=(
            _measure(lambda norms, T: (norms.log() / T).mean().exp()),), sentence=(
            "This is the factor per step. Its logarithm is asked for: 0 where nothing grows.")),
        Misconception(code="GROWTH-LOG2", wrong=_measure(
            lambda norms, T: (norms.log2() / T).mean()), also=(
            _measure(lambda norms, T: (norms.log10() / T).mean()),), sentence=(
            "The logarithm has another base than e.")),
        Misconception(code="GROWTH-FRESH", wrong=_fresh, sentence=(
            "Each step has a new matrix. A recurrent network uses one and the same at every "
            "step.")),
        Misconception(code="GROWTH-NOTUNIT", wrong=_measure(unit=False), sentence=(
            "The first vector does not have the length 1, so its own length counts as growth.")),
        Misconception(code="GROWTH-LARGEST", wrong=_largest, sentence=(
            "This is the largest stretch of any vector. A random one is asked for, which hardly "
            "ever lies in that direction.")),
        Misconception(code="GROWTH-UNIFORM", wrong=_measure(draw=_uniform), sentence=(
            "The entries are drawn between 0 and 1. Then they all pull the same way: draw them "
            "from the normal distribution, with mean 0.")),
        Misconception(code="GROWTH-GAIN", wrong=_formula, sentence=(
            "This is the logarithm of the gain. The mean square grows so; the mean logarithm lies "
            "elsewhere, and nobody's formula is asked for: draw and measure.")),
        *undrawn("GROWTH", (_table, _own_seed), (_global, _half_global),
                 (_always_as_many,)),
    ),
    alternatives=(_by_power, _one_by_one),
)  # fmt: skip
