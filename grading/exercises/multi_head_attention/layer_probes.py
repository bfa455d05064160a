"""The inputs of multi-head attention and of cross-attention."""

from __future__ import annotations

from typing import Any

from grading.exercise import Inputs, LeftOut, Probe
from grading.exercises.shared.drawing import normal
from grading.late import torch

__all__ = ["CROSS_PROBES", "PROBES"]


def _layer(generator: torch.Generator, C: int, H: int, D: int, Dv: int) -> Inputs:
    """Draw matrices that keep the size of what they multiply: outputs are of size 1."""
    columns = {"w_q": H * D, "w_k": H * D, "w_v": H * Dv}
    drawn = {name: normal(generator, C, width) / C**0.5 for name, width in columns.items()}
    return {**drawn, "w_o": normal(generator, H * Dv, C) / (H * Dv) ** 0.5, "H": H}


def _mask(generator: torch.Generator, shape: tuple[int, ...], *empty: int) -> Any:
    """Draw a mask in which every row has one key to read, one not, but for the empty rows."""
    may_attend = torch.rand(*shape, generator=generator) > 0.4
    may_attend[..., 0], may_attend[..., -1] = True, False
    for row in empty:
        may_attend[..., row, :] = False
    return may_attend


def _self(
    T: int, sizes: tuple[int, int, int, int], leading: tuple[int, ...] = (), mask: Any = None
) -> Any:
    def draw(generator: torch.Generator) -> Inputs:
        inputs = {"x": normal(generator, *leading, T, sizes[0]), **_layer(generator, *sizes)}
        return inputs | {"may_attend": mask(generator) if callable(mask) else mask}

    return draw


def _cross(
    T: int, S: int, sizes: tuple[int, int, int, int], leading: tuple[int, ...] = (),
    mask: Any = None,
) -> Any:  # fmt: skip
    def draw(generator: torch.Generator) -> Inputs:
        x, context = (
            normal(generator, *leading, T, sizes[0]),
            normal(generator, *leading, S, sizes[0]),
        )
        inputs = {"x": x, "context": context, **_layer(generator, *sizes)}
        return inputs | {"may_attend": mask(generator) if callable(mask) else mask}

    return draw


def _of(*shape: int, empty: tuple[int, ...] = ()) -> Any:
    return lambda generator: _mask(generator, shape, *empty)


PROBES = (
    Probe(name="a batch, may_attend left out", draw=_self(5, (8, 4, 3, 1), (2,), LeftOut()),
          gradient=True, single=True, half=True,
          sizes={"B": 2, "T": 5, "C": 8, "H": 4, "D": 3, "Dv": 1}),
    Probe(name="one sequence, a mask of shape (T, T)",
          draw=_self(5, (8, 2, 4, 3), (), _of(5, 5)), gradient=True,
          sizes={"T": 5, "C": 8, "H": 2, "D": 4, "Dv": 3}),
    Probe(name="a batch, a mask for each example, (B, T, T)",
          draw=_self(5, (8, 4, 2, 1), (3,), _of(3, 5, 5)),
          sizes={"B": 3, "T": 5, "C": 8, "H": 4, "D": 2, "Dv": 1}),
    Probe(name="two leading axes, each with its mask",
          draw=_self(4, (6, 2, 5, 1), (2, 3), _of(2, 3, 4, 4)),
          sizes={"B": 3, "T": 4, "C": 6, "H": 2, "D": 5, "Dv": 1}),
    Probe(name="as many examples as heads, each with its mask",
          draw=_self(4, (6, 3, 2, 5), (3,), _of(3, 4, 4)), edge=True),
    Probe(name="a position that may read nothing",
          draw=_self(6, (4, 2, 3, 5), (), _of(6, 6, empty=(2, 5))), control=True,
          sizes={"T": 6, "C": 4, "H": 2, "D": 3, "Dv": 5}),
    Probe(name="as wide inside as outside, may_attend=None",
          draw=_self(4, (6, 3, 2, 2)), edge=True),
    Probe(name="two positions, one head", draw=_self(2, (2, 1, 1, 1)), edge=True),
)  # fmt: skip

CROSS_PROBES = (
    Probe(name="a batch, may_attend left out", draw=_cross(7, 9, (8, 2, 5, 3), (4,), LeftOut()),
          gradient=True, single=True, half=True,
          sizes={"B": 4, "T": 7, "S": 9, "C": 8, "H": 2, "D": 5, "Dv": 3}),
    Probe(name="one sequence reads a shorter one, a mask of shape (T, S)",
          draw=_cross(6, 4, (9, 3, 5, 2), (), _of(6, 4)), gradient=True,
          sizes={"T": 6, "S": 4, "C": 9, "H": 3, "D": 5, "Dv": 2}),
    Probe(name="a batch, a mask for each example, (B, T, S)",
          draw=_cross(2, 5, (8, 4, 6, 7), (3,), _of(3, 2, 5)),
          sizes={"B": 3, "T": 2, "S": 5, "C": 8, "H": 4, "D": 6, "Dv": 7}),
    Probe(name="two leading axes, each with its mask",
          draw=_cross(4, 9, (10, 5, 6, 7), (2, 3), _of(2, 3, 4, 9)),
          sizes={"B": 3, "T": 4, "S": 9, "C": 10, "H": 5, "D": 6, "Dv": 7}),
    Probe(name="a position that may read nothing",
          draw=_cross(6, 8, (4, 2, 3, 5), (), _of(6, 8, empty=(2, 5))), control=True,
          sizes={"T": 6, "S": 8, "C": 4, "H": 2, "D": 3, "Dv": 5}),
    Probe(name="two sequences of one length, may_attend=None",
          draw=_cross(4, 4, (6, 3, 5, 2), (2,)), edge=True),
    Probe(name="two positions read three, one head", draw=_cross(2, 3, (2, 1, 1, 1)), edge=True),
)  # fmt: skip
