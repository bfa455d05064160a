"""rope: every pair of a row turned by its position."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from grading.exercise import Exercise, Inputs, LeftOut, Output, Probe, Tolerance
from grading.exercises.positions.fitting import even_rows
from grading.exercises.positions.rotation_steps import MORE, STEPS, seldom
from grading.exercises.shared.drawing import normal
from grading.exercises.shared.recognising import is_right
from grading.exercises.shared.stepwise import mistake
from grading.late import Tensor, late, torch

__all__ = ["ROPE"]

library = late("course_lib.positions.rope")

NARROW = "in float16, at positions from 4970 to 5325"
#: Beside a zero no step rounds what it did not make: right answers are 1 % off at most.
ROUNDED = Tolerance(rtol=0.02, atol=1e-3)


def _x(shape: tuple[int, ...], positions: tuple[int, ...], base: Any) -> Any:
    def draw(generator: torch.Generator) -> Inputs:
        x = normal(generator, *shape)
        return {"x": x, "positions": torch.tensor(positions), "base": base}

    return draw


def _narrow(generator: torch.Generator) -> Inputs:
    """Draw pairs whose second entry is 0, at positions where the first pair turns to an axis.

    355 is nearly 113 π, and 11 nearly 3.5 π: there a cosine or a sine is next to nothing.
    """
    x = torch.zeros(4, 8, dtype=torch.float16)
    x[:, :4] = 2.0 ** torch.randint(-1, 3, (4, 4), generator=generator)
    return {"x": x, "positions": torch.tensor([4970, 4981, 5003, 5325]), "base": 10000.0}


def _narrow_alone(seen: Mapping[str, Any], truth: Mapping[str, Any]) -> bool:
    """Recognise rows that are turned by wrong angles far away, and in half precision alone.

    Each pair keeps its length there, up to the rounding of both of its entries.
    """
    view = seen.get(NARROW)
    if not isinstance(view, list) or not all(
        is_right(seen[name], truth[name]) for name in truth if name != NARROW
    ):
        return False
    mine, right = view[0], truth[NARROW][0]
    if mine.shape != right.shape or not np.isfinite(mine).all():
        return False
    lengths = [np.hypot(*np.split(one, 2, -1)) for one in (mine, right)]
    return bool(np.allclose(lengths[0], lengths[1], rtol=0.02, atol=0.02)) and not np.allclose(
        mine, right, rtol=0.1, atol=0.1
    )


def _by_complex_numbers(x: Tensor, positions: Tensor, base: float = 10000.0) -> Any:
    half = x.shape[-1] // 2
    frequencies = torch.tensor([base ** (-i / half) for i in range(half)], dtype=torch.float64)
    turns = torch.exp(1j * torch.outer(positions.double(), frequencies))
    turned = torch.complex(*x.double().chunk(2, -1)) * turns
    return torch.cat([turned.real, turned.imag], -1).to(x.dtype)


def _by_matrices(x: Tensor, positions: Tensor, base: float = 10000.0) -> Any:
    """Multiply each row by a rotation matrix, the exponential of a skew one."""
    D = x.shape[-1]
    skew = torch.zeros(D, D, dtype=torch.float64)
    for i in range(D // 2):
        theta = base ** (-2 * i / D)
        skew[i, D // 2 + i], skew[D // 2 + i, i] = -theta, theta
    rotations = torch.linalg.matrix_exp(positions.double()[:, None, None] * skew)
    return torch.einsum("tij,...tj->...ti", rotations, x.double()).to(x.dtype)


def _by_tables(x: Tensor, positions: Tensor, base: float = 10000.0) -> Any:
    """Look cosines and sines up in a table of all positions, as released models do."""
    D, wide = x.shape[-1], torch.promote_types(x.dtype, torch.float32)
    inverse = 1.0 / base ** (torch.arange(0, D, 2, dtype=wide) / D)
    angles = torch.arange(int(positions.max()) + 1, dtype=wide)[:, None] * inverse
    table = torch.cat([angles, angles], -1)
    cos, sin = table.cos()[positions], table.sin()[positions]
    first, second = x.to(wide)[..., : D // 2], x.to(wide)[..., D // 2 :]
    return (x.to(wide) * cos + torch.cat([-second, first], -1) * sin).to(x.dtype)


ROPE = Exercise(
    name="rope", slug="positions", task="rope", title="Turn by the position",
    kind="implement", points=1.25, difficulty=3, importance=3, minutes=30,
    parameters=("x", "positions", "base"), defaults={"base": 10000.0},
    outputs=(Output(name="turned", axes="... T D"),), axes={"x": "... T D", "positions": "T"},
    fitted=even_rows, reference=lambda x, positions, base=10000.0: library.rope(x, positions, base),
    equation="eq-rope", part="course_lib.positions.rope.rope",
    next_rung="Turn a query and a key: their product knows how far apart they stand, and no more.",
    probes=(
        Probe(name="a batch with heads, base left out",
              draw=_x((2, 3, 5, 8), (3, 17, 4, 40, 8), LeftOut(10000.0)), gradient=True,
              single=True, half=True, sizes={"B": 2, "H": 3, "T": 5, "D": 8}),
        Probe(name="one sequence, base 100", draw=_x((4, 6), (9, 2, 0, 31), 100.0),
              sizes={"T": 4, "D": 6}),
        Probe(name="a batch, other positions than before, base=10000.0",
              draw=_x((3, 5, 8), (12, 13, 14, 15, 16), 10000.0), sizes={"B": 3, "T": 5, "D": 8}),
        Probe(name="positions about 5000, base 500,000",
              draw=_x((2, 3, 8), (5003, 4999, 4096), 500000.0), sizes={"B": 2, "T": 3, "D": 8}),
        Probe(name=NARROW, draw=_narrow, control=True, tolerance=ROUNDED, sizes={"T": 4, "D": 8}),
        Probe(name="two rows, two pairs", draw=_x((2, 4), (1, 3), 10000.0), edge=True),
    ),
    misconceptions=(
        mistake(STEPS, "ROPE-FREQ", (
            "Pair i turns by b to the power −i / D for each position. The exponent is −2i / D: "
            "the D / 2 pairs share the way from 1 to nearly 1 / b.")),
        mistake(STEPS, "ROPE-STEEP", (
            "Pair i turns by b to the power −4i / D for each position: i / (D / 2) is 2i / D "
            "already, and was doubled once more.")),
        seldom(MORE, "ROPE-LESSONE", (
            "Pair i turns by b to the power −i / (D / 2 − 1) for each position, so the slowest "
            "pair is at 1 / b itself. The exponent is −2i / D.")),
        seldom(MORE, "ROPE-GROW", (
            "Later pairs turn faster, by a power of the base above 1. The exponent −2i / D is "
            "negative: later pairs turn more slowly.")),
        seldom(MORE, "ROPE-ONEFREQ", (
            "All pairs turn alike, one radian for each position: the exponents are 0, as with a "
            "division of integers. The exponent of pair i is −2i / D.")),
        mistake(STEPS, "ROPE-BASE", "The base is always 10,000. The argument says which it is."),
        mistake(STEPS, "ROPE-IGNOREPOS", (
            "The first row is taken to stand at position 0, whatever positions says. A token that "
            "comes when a thousand are cached would be turned as though it were the first."),
            *MORE["ROPE-IGNOREPOS"]),
        seldom(MORE, "ROPE-OFF1", (
            "Each row is turned as though it stood one position later. Position 0 turns nothing.")),
        mistake(STEPS, "ROPE-HALFDTYPE", (
            "Angles are computed or rounded in half precision. About 5000 float16 has every fourth "
            "number alone and bfloat16 every 32nd, so an angle is off by radians. Compute "
            "positions, frequencies and their product in float32 at least; cosines and sines may "
            "be rounded."),
            *MORE["ROPE-HALFDTYPE"], recognise=_narrow_alone),
        mistake(STEPS, "ROPE-SIGN", (
            "The pairs turn the other way, by −θ. Some models do that, and alone it is no worse; "
            "here entry i becomes x_i · cos − x_(i+D/2) · sin, and weights that were trained with "
            "one direction need it.")),
        mistake(STEPS, "ROPE-INTERLEAVE", (
            "Neighbours 2i and 2i + 1 are turned together. The paper and Meta's Llama do so; here "
            "entry i pairs with entry D / 2 + i.")),
        seldom(MORE, "ROPE-UNMIXED", (
            "The two layouts are mixed within one call: pairs are taken in one of them and written "
            "in the other, so the entries change places also where nothing turns.")),
        mistake(STEPS, "ROPE-TABLES", (
            "The two entries of a pair are turned by different angles, so lengths change. The "
            "cosines are laid out for one way to pair and the entries exchanged for another. For "
            "halves the table is the frequencies twice, one behind the other."),
            *MORE["ROPE-TABLES"]),
        mistake(STEPS, "ROPE-NOMINUS", (
            "What is added to x · cos is not the pair turned by a right angle: (x_i, x_(i+D/2)) "
            "becomes (−x_(i+D/2), x_i), with one minus, at the first half."),
            *MORE["ROPE-NOMINUS"]),
        seldom(MORE, "ROPE-OVERWRITE", (
            "The second half is computed from the first half's new numbers, which were written "
            "over the old ones. Both need the pair as it came.")),
        seldom(MORE, "ROPE-ADD", (
            "Cosines and sines are added to x. Here nothing is added: a pair is turned, and keeps "
            "its length.")),
    ),
    steps=STEPS,
    alternatives=(_by_complex_numbers, _by_matrices, _by_tables),
)  # fmt: skip
