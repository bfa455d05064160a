"""similarity_at_distance: how much of a row's product with itself is left when it stands apart."""

from __future__ import annotations

import math
from typing import Any

from grading.exercise import Exercise, Inputs, Misconception, Output, Probe, Seen, Tolerance
from grading.exercises.shared.measuring import far, undrawn
from grading.late import Tensor, torch

__all__ = ["SIMILARITY", "mean_and_spread"]

DISTANCES = ((16, 3), (10, 40), (4, 160), (8, 12))
#: So many draws, but few for the last pair.
DRAWS, FEW = 1000, 20
BASE = 10000.0


def _cosines(D: int, distance: int) -> list[float]:
    return [math.cos(distance * BASE ** (-2 * i / D)) for i in range(D // 2)]


def mean_and_spread(D: int, distance: int) -> tuple[float, float]:
    """Return the mean of one draw's quotient, and how far it lies from it.

    The share of each pair in the squared length is exponential over a sum of exponentials: D / 2
    shares that are spread evenly over all that sum to 1.
    """
    cosines = _cosines(D, distance)
    mean = sum(cosines) / len(cosines)
    squares = sum(one * one for one in cosines) / len(cosines)
    return mean, math.sqrt((squares - mean * mean) / (len(cosines) + 1))


def _probe(D: int, distance: int) -> Probe:
    n = FEW if DISTANCES[-1] == (D, distance) else DRAWS

    def draw(generator: torch.Generator) -> Inputs:
        return {"D": D, "distance": distance, "n": n, "generator": generator}

    return Probe(name=f"D = {D}, {distance} positions apart, {n} draws", draw=draw,
                 sizes={"D": D, "n": n})  # fmt: skip


def _noise(inputs: Inputs) -> float:
    return mean_and_spread(inputs["D"], inputs["distance"])[1] / math.sqrt(inputs["n"])


def _judge(one: Seen) -> str | None:
    D, distance = one.inputs["D"], one.inputs["distance"]
    mean = mean_and_spread(D, distance)[0]
    if not far(one.outputs[0], mean, _noise(one.inputs) + 1e-6):
        return None
    return (
        f"With D = {D} and {distance} positions in between you measure "
        f"{float(one.outputs[0]):.4g}. The mean quotient is another number there, by more than "
        "the noise of the draws."
    )


def _turned(x: Tensor, distance: int, exponent: float = 2.0) -> Any:
    half = x.shape[-1] // 2
    angles = distance * BASE ** (-exponent * torch.arange(half).double() / (2 * half))
    first, second = x.chunk(2, -1)
    return torch.cat([first * angles.cos() - second * angles.sin(),
                      second * angles.cos() + first * angles.sin()], -1)  # fmt: skip


def _measure(quotient: Any, draw: str = "randn", rows: Any = None) -> Any:
    def similarity(D: int, distance: int, n: int, generator: torch.Generator) -> float:
        drawn = getattr(torch, draw)(rows or n, D, generator=generator, dtype=torch.float64)
        return float(quotient(drawn, distance).mean())

    return similarity


def _right(x: Tensor, distance: int) -> Any:
    return (_turned(x, distance) * x).sum(-1) / x.square().sum(-1)


def _undivided(x: Tensor, distance: int) -> Any:
    return (_turned(x, distance) * x).sum(-1)


def _both(x: Tensor, distance: int) -> Any:
    return (_turned(x, distance) * _turned(x, distance)).sum(-1) / x.square().sum(-1)


def _wrong_waves(x: Tensor, distance: int) -> Any:
    return (_turned(x, distance, 1.0) * x).sum(-1) / x.square().sum(-1)


def _two(D: int, distance: int, n: int, generator: torch.Generator) -> float:
    x, y = (torch.randn(n, D, generator=generator, dtype=torch.float64) for _ in range(2))
    return float(((_turned(x, distance) * y).sum(-1) / (x.norm(dim=-1) * y.norm(dim=-1))).mean())


def _absolute(x: Tensor, distance: int) -> Any:
    return _right(x, distance).abs()


def _one_by_one(D: int, distance: int, n: int, generator: torch.Generator) -> float:
    """By complex numbers, one row after another, in float32."""
    turns = torch.exp(1j * distance * BASE ** (-2 * torch.arange(D // 2) / D))
    total = 0.0
    for _ in range(n):
        pairs = torch.complex(*torch.randn(2, D // 2, generator=generator))
        total += float((pairs * turns * pairs.conj()).real.sum() / pairs.abs().square().sum())
    return total / n


def _by_shares(x: Tensor, distance: int) -> Any:
    """Average the cosines, each weighted by its pair's share of the squared length."""
    shares = torch.unflatten(x, -1, (-1, 2)).square().sum(-1)  # neighbours: the same distribution
    cosines = torch.tensor(_cosines(x.shape[-1], distance), dtype=torch.float64)
    return shares @ cosines / shares.sum(-1)


def _formula(D: int, distance: int, n: int, generator: torch.Generator) -> float:
    return mean_and_spread(D, distance)[0]


def _own_seed(D: int, distance: int, n: int, generator: torch.Generator) -> Any:
    return _measure(_right)(D, distance, n, torch.Generator().manual_seed(0))


def _global(D: int, distance: int, n: int, generator: torch.Generator) -> float:
    return float(_right(torch.randn(n, D).double(), distance).mean())


SIMILARITY = Exercise(
    name="similarity_at_distance", slug="positions", task="distance",
    title="What a distance leaves", kind="measure", points=0.5, difficulty=2, importance=2,
    minutes=15, parameters=("D", "distance", "n", "generator"),
    outputs=(Output(name="similarity", kind="number"),), reference=_measure(_right),
    equation="eq-rope-relative", judge=_judge, noise=_noise, alike=Tolerance(rtol=0.1, atol=0.06),
    next_rung="The mean of D / 2 cosines: fast pairs forget soon, slow ones hardly at all.",
    probes=tuple(_probe(*key) for key in DISTANCES),
    misconceptions=(
        Misconception(code="SIM-UNDIVIDED", wrong=_measure(_undivided), sentence=(
            "The product is not divided by the row's product with itself, so it grows with D.")),
        Misconception(code="SIM-BOTH", wrong=_measure(_both), sentence=(
            "You find 1, as though the distance were 0: both copies stand at the same position. "
            "One stands at 0, the other so many positions on.")),
        Misconception(code="SIM-TWO", wrong=_two, sentence=(
            "You find about 0, as with two rows that know nothing of each other. The query and the "
            "key are one row here, at two positions.")),
        Misconception(code="SIM-WAVES", wrong=_measure(_wrong_waves), sentence=(
            "Pair i turns by 10,000 to the power −i / D for each position. The exponent is "
            "−2i / D.")),
        Misconception(code="SIM-ABSOLUTE", wrong=_measure(_absolute), sentence=(
            "The sign of the quotient is dropped. A row that is turned half around has a negative "
            "product with itself.")),
        *undrawn("SIM", (_formula, _own_seed), (_global,), (_measure(_right, rows=DRAWS),)),
    ),
    alternatives=(_measure(_by_shares), _one_by_one),
)  # fmt: skip
