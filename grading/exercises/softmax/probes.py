"""Inputs that the chapter's exercises share: three axes, and rows far from 0."""

from __future__ import annotations

from grading.exercise import Inputs, Probe
from grading.exercises.shared.drawing import normal
from grading.late import torch

__all__ = ["WIDE", "along", "three_axes"]

SIZES = {"H": 3, "T": 5, "S": 7}
#: The probe on which any shift but the maximum overflows.
WIDE = "one row from −1000 to 1000"


def along(axis: int, *, gradient: bool = False) -> Probe:
    """Return a probe with three axes of different sizes and the softmax along one of them."""

    def draw(generator: torch.Generator) -> Inputs:
        return {"x": normal(generator, 3, 5, 7), "axis": axis}

    name = f"three axes, axis = {axis}"
    return Probe(name=name, draw=draw, sizes=SIZES, gradient=gradient, single=axis == -1)


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


def three_axes() -> tuple[Probe, ...]:
    """Return the probes of every function of x along an axis."""
    return (
        along(-1, gradient=True),
        along(0),
        along(1, gradient=True),
        Probe(name="a row near −1000", draw=_low, sizes={"T": 3, "S": 4}, control=True),
        Probe(name="rows near −1000, 0 and 1000", draw=_far, sizes={"T": 3, "S": 4}, control=True),
        Probe(name=WIDE, draw=_wide, sizes={"T": 3, "S": 4}, control=True),
        Probe(name="two by two", draw=_two, edge=True),
    )
