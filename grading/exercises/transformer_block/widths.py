"""gated_d_ff: how wide a gated network is that costs as much as a plain one."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from grading.exercise import Exercise, LeftOut, Misconception, Output, Probe, Tolerance

__all__ = ["GATED_D_FF"]

#: A count is right to the last digit.
EXACT = Tolerance(rtol=0.0, atol=0.25)


def _sizes(C: int, multiple_of: Any) -> Any:
    return lambda generator: {"C": C, "multiple_of": multiple_of}


def _up(wide: int, multiple: int) -> int:
    return -(-wide // multiple) * multiple


def _width(C: int, multiple_of: int = 1) -> int:
    return _up(8 * C // 3, multiple_of)


def _counting_up(C: int, multiple_of: int = 1) -> int:
    wide = math.floor(Fraction(2, 3) * 4 * C)
    while wide % multiple_of:
        wide += 1
    return wide


def _by_remainder(C: int, multiple_of: int = 1) -> int:
    wide = (4 * C * 2) // 3
    return wide + (-wide) % multiple_of


def _torch_like(C: int, multiple_of: int = 1) -> int:
    return multiple_of * ((int(2 * (4 * C) / 3) + multiple_of - 1) // multiple_of)


def _of(numerator: int, denominator: int = 1) -> Any:
    return lambda C, multiple_of=1: _up(numerator * C // denominator, multiple_of)


GATED_D_FF = Exercise(
    name="gated_d_ff", slug="transformer-block", task="width", title="How wide?",
    kind="implement", points=0.5, difficulty=1, importance=2, minutes=10,
    parameters=("C", "multiple_of"), defaults={"multiple_of": 1},
    outputs=(Output(name="width", kind="int"),), tolerance=EXACT, alike=EXACT, reference=_width,
    equation="eq-two-thirds",
    next_rung="Three matrices of 8C/3 hold as much as two of 4C: 8C² numbers.",
    probes=(
        Probe(name="C = 512, multiple_of left out", draw=_sizes(512, LeftOut()), sizes={"C": 512}),
        Probe(name="C = 4096, a multiple of 256", draw=_sizes(4096, 256),
              sizes={"C": 4096}),
        Probe(name="C = 100, a multiple of 1", draw=_sizes(100, 1), sizes={"C": 100}),
        Probe(name="C = 97, a multiple of 32", draw=_sizes(97, 32), sizes={"C": 97}),
        Probe(name="C = 96, a multiple of 64, which 256 is", draw=_sizes(96, 64),
              sizes={"C": 96}),
        Probe(name="C = 134, a multiple of 51", draw=_sizes(134, 51), sizes={"C": 134}),
        Probe(name="C = 1", draw=_sizes(1, LeftOut()), edge=True),
    ),
    misconceptions=(
        Misconception(code="FFN-84", wrong=_of(4), sentence=(
            "This is the width of a plain network, 4C. A gated one has three matrices where the "
            "plain one has two, so two thirds of it cost as much.")),
        Misconception(code="FFN-HALF", wrong=_of(2), sentence=(
            "The width is halved, to 2C. Two matrices become three, so a width of two thirds keeps "
            "the number of parameters; a half saves a quarter of them.")),
        Misconception(code="FFN-THIRD", wrong=_of(4, 3), sentence=(
            "The width is a third of 4C. Two matrices become three: two thirds of 4C.")),
        Misconception(code="FFN-DOWN", wrong=lambda C, multiple_of=1: (8 * C // 3) // multiple_of
                      * multiple_of, sentence=(
            "The width is rounded down to a multiple. It goes up to the next one.")),
        Misconception(code="FFN-NEAREST", wrong=lambda C, multiple_of=1: math.floor(
            (8 * C // 3) / multiple_of + 0.5) * multiple_of, sentence=(
            "The width is rounded to the nearest multiple. It always goes up.")),
        Misconception(code="FFN-ONEMORE", wrong=lambda C, multiple_of=1: (
            (8 * C // 3) // multiple_of + 1) * multiple_of, sentence=(
            "One multiple too many is added where the width is a multiple already.")),
        Misconception(code="FFN-CEIL", wrong=lambda C, multiple_of=1: _up(
            -(-8 * C // 3), multiple_of), sentence=(
            "8C/3 is rounded up before it goes to a multiple. The contract cuts off what stands "
            "behind the point.")),
        Misconception(code="FFN-IGNORED", wrong=lambda C, multiple_of=1: 8 * C // 3, sentence=(
            "multiple_of changes nothing.")),
        Misconception(code="FFN-ROUNDFIRST", wrong=lambda C, multiple_of=1: 2 * _up(
            4 * C, multiple_of) // 3, sentence=(
            "4C is rounded to a multiple, and two thirds of that are taken, which need be none. "
            "Take the two thirds first.")),
        Misconception(code="FFN-ADDED", wrong=lambda C, multiple_of=1: 8 * C // 3 + multiple_of,
                      sentence=(
            "multiple_of is added to the width. The result has to be divisible by it.")),
    ),
    alternatives=(_counting_up, _by_remainder, _torch_like),
)  # fmt: skip
