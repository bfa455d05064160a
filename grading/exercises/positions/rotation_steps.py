"""The steps of a rotation by positions, and under which code each is done wrongly."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from grading.exercise import Misconception
from grading.late import Tensor, torch
from grading.steps import Pipeline, Step

__all__ = ["MORE", "STEPS", "rotation", "seldom"]

Way = Callable[..., Any]


def _rotate(do: Any) -> Way:
    """Put the steps in a row: how fast, from where, by which angle, and who with whom."""

    def rope(x: Tensor, positions: Tensor, base: float = 10000.0) -> Any:
        half = x.shape[-1] // 2
        exponents = do.exponents(torch.arange(half).double(), half)
        frequencies = float(do.base(base)) ** -exponents
        angles = do.angles(do.positions(positions), frequencies, x)
        wide = torch.promote_types(x.dtype, torch.float32)
        return do.turn(x.to(wide), angles.cos().to(wide), angles.sin().to(wide)).to(x.dtype)

    return rope


def _angles(positions: Tensor, frequencies: Tensor, x: Tensor) -> Any:
    return positions.double()[:, None] * frequencies


def _halves(x: Tensor, cos: Tensor, sin: Tensor) -> Any:
    first, second = x.chunk(2, -1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], -1)


def _neighbours(x: Tensor, cos: Tensor, sin: Tensor) -> Any:
    first, second = x[..., 0::2], x[..., 1::2]
    return torch.stack([first * cos - second * sin, second * cos + first * sin], -1).flatten(-2)


def _neighbours_to_halves(x: Tensor, cos: Tensor, sin: Tensor) -> Any:
    first, second = x[..., 0::2], x[..., 1::2]
    return torch.cat([first * cos - second * sin, second * cos + first * sin], -1)


def _by_table(table: Way, partner: Way) -> Way:
    """Turn by cosines and sines for all D entries, and the other entry of each pair."""
    return lambda x, cos, sin: x * table(cos) + partner(x) * table(sin)


def _twice(one: Tensor) -> Any:
    return torch.cat([one, one], -1)


def _each_twice(one: Tensor) -> Any:
    return one.repeat_interleave(2, -1)


def _other_half(x: Tensor) -> Any:
    first, second = x.chunk(2, -1)
    return torch.cat([-second, first], -1)


def _other_neighbour(x: Tensor) -> Any:
    return torch.stack([-x[..., 1::2], x[..., 0::2]], -1).flatten(-2)


def _without_minus(x: Tensor) -> Any:
    first, second = x.chunk(2, -1)
    return torch.cat([second, first], -1)


def _own_halves(x: Tensor) -> Any:
    first, second = x.chunk(2, -1)
    return torch.cat([-first, second], -1)


def _overwritten(x: Tensor, cos: Tensor, sin: Tensor) -> Any:
    first, second = x.chunk(2, -1)
    first = first * cos - second * sin
    return torch.cat([first, second * cos + first * sin], -1)


def _in(positions: bool = True, frequencies: bool = True, product: bool = True) -> Way:
    """Return angles of which some or all are rounded to half precision where x is."""

    def angles(t: Tensor, theta: Tensor, x: Tensor) -> Any:
        narrow = x.dtype if x.dtype in (torch.bfloat16, torch.float16) else torch.float64
        t = t.to(narrow).double() if positions else t.double()
        theta = theta.to(narrow).double() if frequencies else theta
        turned = t[:, None] * theta
        return turned.to(narrow).double() if product else turned

    return angles


STEPS = Pipeline(
    compose=_rotate,
    steps=(
        Step(name="exponents", right=lambda pair, half: pair / half, wrong={
            "ROPE-FREQ": (lambda pair, half: pair / (2 * half),),
            "ROPE-STEEP": (lambda pair, half: 2 * pair / half,),
        }),
        Step(name="base", right=lambda base: base, wrong={"ROPE-BASE": (lambda base: 10000.0,)}),
        Step(name="positions", right=lambda positions: positions, wrong={
            "ROPE-IGNOREPOS": (lambda positions: torch.arange(len(positions)),),
        }),
        Step(name="angles", right=_angles, wrong={
            "ROPE-HALFDTYPE": (_in(),),
            "ROPE-SIGN": (lambda *given: -_angles(*given),),
        }),
        Step(name="turn", right=_halves, wrong={
            "ROPE-INTERLEAVE": (_neighbours,),
            "ROPE-TABLES": (_by_table(_each_twice, _other_half),),
            "ROPE-NOMINUS": (_by_table(_twice, _without_minus),),
        }),
    ),
)  # fmt: skip


def rotation(**steps: Way) -> Way:
    """Return the rotation with some steps done in another way."""
    return STEPS.answer(steps)


def _halves_as_neighbours(x: Tensor) -> Any:
    return torch.stack(x.chunk(2, -1), -1).flatten(-2)


#: More ways of the same mistakes, and mistakes that are seldom made beside another: no products.
MORE: dict[str, tuple[Way, ...]] = {
    "ROPE-LESSONE": (rotation(exponents=lambda pair, half: pair / max(half - 1, 1)),),
    "ROPE-GROW": (rotation(exponents=lambda pair, half: -pair / half),),
    "ROPE-ONEFREQ": (rotation(exponents=lambda pair, half: 0 * pair),),
    "ROPE-OFF1": (rotation(positions=lambda positions: positions + 1),),
    "ROPE-IGNOREPOS": (rotation(positions=lambda positions: positions - positions[0]),),
    "ROPE-HALFDTYPE": tuple(
        rotation(angles=_in(*kept))
        for kept in ((True, False, False), (False, True, False), (True, True, False),
                     (False, False, True))
    ),
    "ROPE-UNMIXED": (
        rotation(turn=_neighbours_to_halves),
        rotation(turn=lambda x, cos, sin: _neighbours(_halves_as_neighbours(x), cos, sin)),
    ),
    "ROPE-TABLES": (rotation(turn=_by_table(_twice, _other_neighbour)),),
    "ROPE-NOMINUS": (rotation(turn=_by_table(_twice, _own_halves)),),
    "ROPE-OVERWRITE": (rotation(turn=_overwritten),),
    "ROPE-ADD": (rotation(turn=lambda x, cos, sin: x + torch.cat([cos, sin], -1)),),
}  # fmt: skip


def seldom(ways: Mapping[str, tuple[Way, ...]], code: str, sentence: str) -> Misconception:
    """Return a mistake that makes no products with others.

    Args:
        ways: the functions that make mistakes, by their codes.
        code: which of them.
        sentence: what the learner is told.
    """
    wrong, *more = ways[code]
    return Misconception(code=code, sentence=sentence, wrong=wrong, also=tuple(more))
