"""heads_add_up: how long the sum of contributions is that know nothing of each other."""

from __future__ import annotations

import math
from typing import Any

from grading.exercise import Exercise, Inputs, Misconception, Output, Probe, Seen, Tolerance
from grading.exercises.shared.measuring import far, undrawn
from grading.late import Tensor, torch

__all__ = ["HEADS_ADD_UP", "LENGTHS"]

# Mean and spread of the quotient by (H, C), over 400,000 draws; the tests measure again.
LENGTHS = {
    (4, 16): (0.5000, 0.0771), (9, 25): (0.3333, 0.0446), (2, 8): (0.7072, 0.1267),
    (6, 12): (0.4084, 0.0768),
}  # fmt: skip
#: So many draws, but few for the last key.
DRAWS, FEW = 2000, 30


def _probe(H: int, C: int) -> Probe:
    n = FEW if list(LENGTHS)[-1] == (H, C) else DRAWS

    def draw(generator: torch.Generator) -> Inputs:
        return {"H": H, "C": C, "n": n, "generator": generator}

    return Probe(name=f"H = {H}, C = {C}, {n} draws", draw=draw, sizes={"H": H, "C": C, "n": n})


def _noise(inputs: Inputs) -> float:
    return LENGTHS[inputs["H"], inputs["C"]][1] / math.sqrt(inputs["n"])


def _judge(one: Seen) -> str | None:
    H, C = one.inputs["H"], one.inputs["C"]
    if not far(one.outputs[0], LENGTHS[H, C][0], _noise(one.inputs) + 1e-4):
        return None
    return (
        f"With H = {H} and C = {C} you measure {float(one.outputs[0]):.4g}. The mean quotient is "
        "another number there, by more than the noise of the draws."
    )


def _measure(quotient: Any, draw: str = "randn", heads: Any = None) -> Any:
    def measure(H: int, C: int, n: int, generator: torch.Generator) -> float:
        drawn = getattr(torch, draw)(n, heads or H, C, generator=generator, dtype=torch.float64)
        return float(quotient(drawn.expand(n, H, C)))

    return measure


def _right(c: Tensor) -> Any:
    return (c.sum(1).norm(dim=-1) / c.norm(dim=-1).sum(-1)).mean()


def _entries(c: Tensor) -> Any:
    return (c.sum(2).norm(dim=-1) / c.norm(dim=1).sum(-1)).mean()


def _one_by_one(H: int, C: int, n: int, generator: torch.Generator) -> float:
    total = 0.0
    for _ in range(n):
        contributions = [torch.randn(C, generator=generator) for _ in range(H)]
        length = float(torch.stack(contributions).sum(0).pow(2).sum().sqrt())
        total += length / sum(math.hypot(*one.tolist()) for one in contributions)
    return total / n


def _by_products(c: Tensor) -> Any:
    products = c @ c.mT
    whole = products.sum((-2, -1)).sqrt()
    return (whole / products.diagonal(dim1=-2, dim2=-1).sqrt().sum(-1)).mean()


def _own_seed(H: int, C: int, n: int, generator: torch.Generator) -> Any:
    return _measure(_right)(H, C, n, torch.Generator().manual_seed(0))


def _root(H: int, C: int, n: int, generator: torch.Generator) -> float:
    return 1 / math.sqrt(H)


def _global(H: int, C: int, n: int, generator: torch.Generator) -> float:
    return float(_right(torch.randn(n, H, C)))


def _always_as_many(H: int, C: int, n: int, generator: torch.Generator) -> Any:
    return _measure(_right)(H, C, DRAWS, generator)


HEADS_ADD_UP = Exercise(
    name="heads_add_up", slug="multi-head-attention", task="add-up",
    title="What is left of a sum of heads", kind="measure", points=0.5, difficulty=2,
    importance=2, minutes=10, parameters=("H", "C", "n", "generator"),
    outputs=(Output(name="quotient", kind="number"),), reference=_measure(_right),
    equation="eq-contributions", judge=_judge, noise=_noise,
    alike=Tolerance(rtol=0.08, atol=1e-6),
    next_rung="Four times as many heads leave half as much: unless they agree, they cancel.",
    probes=tuple(_probe(*key) for key in LENGTHS),
    misconceptions=(
        Misconception(code="HEADS-FLIP", wrong=_measure(
            lambda c: (c.norm(dim=-1).sum(-1) / c.sum(1).norm(dim=-1)).mean()), also=(
            _measure(lambda c: (c.sum(1).norm(dim=-1) / c.norm(dim=-1).mean(-1)).mean()),),
            sentence=(
            "Your quotient is above 1, and a sum is never longer than all its parts together. The "
            "length of the sum stands above, the sum of all lengths below.")),
        Misconception(code="HEADS-AVERAGED", wrong=_measure(
            lambda c: (c.mean(1).norm(dim=-1) / c.norm(dim=-1).sum(-1)).mean()), sentence=(
            "The contributions are averaged. A layer adds them up.")),
        Misconception(code="HEADS-ONE", wrong=_measure(_right, heads=1), also=(
            _measure(lambda c: (c.sum(1).pow(2).sum(-1) / c.pow(2).sum((1, 2))).mean()),),
            sentence=(
            "You find 1, as though nothing cancelled. So it is where all heads contribute the "
            "same, and so it is on average for the squares of the lengths. Draw each contribution "
            "for itself, and compare lengths.")),
        Misconception(code="HEADS-AXIS", wrong=_measure(_entries), sentence=(
            "The two axes are exchanged: what is added up are the entries of one contribution. "
            "Add up the heads, entry by entry.")),
        Misconception(code="HEADS-UNIFORM", wrong=_measure(_right, draw="rand"), sentence=(
            "torch.rand draws numbers above 0 alone, so all contributions point one way. The task "
            "draws from the standard normal distribution: torch.randn.")),
        *undrawn("HEADS", (_root, _own_seed), (_global,), (_always_as_many,)),
    ),
    alternatives=(_measure(_by_products), _one_by_one),
)  # fmt: skip
