"""Inputs that the chapter's exercises share: one axis to four, and rows far from 0."""

from __future__ import annotations

from grading.exercise import Inputs, LeftOut, Probe
from grading.exercises.shared.drawing import normal
from grading.late import torch

__all__ = ["LEFT_OUT", "LOWEST", "SHAPES", "WIDE", "along", "along_an_axis", "named", "sizes"]

#: The probe on which any shift but the maximum overflows.
WIDE = "one row from −1000 to 1000"
#: The probe on which the largest |x| is far from the maximum.
LOWEST = "one score at −2000 in a row"
#: The letters of so many axes, and their sizes.
LETTERS = ("B", "H", "T", "S")
SHAPES = {1: (6,), 2: (4, 6), 3: (3, 5, 7), 4: (2, 3, 4, 5)}
NUMBER = {1: "one axis", 2: "two axes", 3: "three axes", 4: "four axes"}
LEFT_OUT = "two axes, axis left out"


def sizes(axes: int) -> dict[str, int]:
    """Return the size of each letter where there are so many axes."""
    return dict(zip(LETTERS[-axes:], SHAPES[axes], strict=True))


def named(axes: int, axis: int) -> str:
    """Return the name of a probe with so many axes."""
    return f"{NUMBER[axes]}, axis={axis}"


def along(axes: int, axis: int, *, gradient: bool = False, dtypes: bool = False) -> Probe:
    """Return a probe with so many axes of different sizes and the softmax along one of them."""

    def draw(generator: torch.Generator) -> Inputs:
        return {"x": normal(generator, *SHAPES[axes]), "axis": axis}

    return Probe(
        name=named(axes, axis), draw=draw, sizes=sizes(axes), gradient=gradient,
        single=dtypes, half=dtypes,
    )  # fmt: skip


def _left_out(generator: torch.Generator) -> Inputs:
    return {"x": normal(generator, *SHAPES[2]), "axis": LeftOut(-1)}


def _two(generator: torch.Generator) -> Inputs:
    return {"x": torch.tensor([[0.0, 1.0], [2.0, 0.0]], dtype=torch.float64), "axis": -1}


def _far(generator: torch.Generator) -> Inputs:
    """One row near 1000 and one near -1000: the first overflows, the second underflows."""
    x = normal(generator, 3, 4)
    x[1] -= 1000.0
    x[2] += 1000.0
    return {"x": x, "axis": -1}


def _low(generator: torch.Generator) -> Inputs:
    x = normal(generator, 3, 4)
    x[1] -= 1000.0
    return {"x": x, "axis": 1}


def _wide(generator: torch.Generator) -> Inputs:
    """Rows that hold very low and very high scores at once; no maximum stands first or last."""
    x = normal(generator, 3, 4)
    x[0, 1], x[0, 2] = -1000.0, 1000.0
    x[2] = torch.tensor([0.0, 2000.0, 0.0, 0.0])
    return {"x": x, "axis": -1}


def _lowest(generator: torch.Generator) -> Inputs:
    x = normal(generator, 3, 4)
    x[1, 2] = -2000.0
    x[1, 0] = 3.0  # above 0, so that a floor there does no harm
    return {"x": x, "axis": -1}


def along_an_axis() -> tuple[Probe, ...]:
    """Return the probes of every function of x along an axis: any shape, any axis."""
    return (
        along(3, -1, gradient=True, dtypes=True),
        along(3, 0),
        along(3, 1, gradient=True),
        along(3, -2),
        along(4, 3),
        along(4, -3),
        along(1, 0),
        Probe(name=LEFT_OUT, draw=_left_out, sizes=sizes(2)),
        Probe(name="a row near −1000", draw=_low, sizes={"T": 3, "S": 4}, control=True),
        Probe(name="rows near −1000, 0 and 1000", draw=_far, sizes={"T": 3, "S": 4}, control=True,
              gradient=True),
        Probe(name=LOWEST, draw=_lowest, sizes={"T": 3, "S": 4}, control=True),
        Probe(name=WIDE, draw=_wide, sizes={"T": 3, "S": 4}, control=True, gradient=True),
        Probe(name="two rows of two numbers", draw=_two, edge=True),
    )  # fmt: skip
