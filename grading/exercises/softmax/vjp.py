"""softmax_vjp: the gradient flows back without a Jacobian."""

from __future__ import annotations

import math
from typing import Any

from grading.exercise import Exercise, Inputs, LeftOut, Misconception, Output, Probe
from grading.exercises.shared.drawing import normal
from grading.exercises.shared.fitting import shares
from grading.exercises.softmax.probes import LEFT_OUT, SHAPES, named, sizes
from grading.late import Tensor, late, torch

__all__ = ["SOFTMAX_VJP"]

library = late("course_lib.softmax")


def _along(axes: int, axis: int) -> Probe:
    def draw(generator: torch.Generator) -> Inputs:
        p = normal(generator, *SHAPES[axes]).softmax(axis)
        return {"p": p, "g": normal(generator, *SHAPES[axes]), "axis": axis}

    dtypes = (axes, axis) == (3, -1)
    return Probe(
        name=named(axes, axis), draw=draw, sizes=sizes(axes), single=dtypes, half=dtypes
    )  # fmt: skip


def _left_out(generator: torch.Generator) -> Inputs:
    p = normal(generator, *SHAPES[2]).softmax(-1)
    return {"p": p, "g": normal(generator, *SHAPES[2]), "axis": LeftOut(-1)}


def _certain(generator: torch.Generator) -> Inputs:
    """One key has all the weight, in the first row; in the second, one has none."""
    p = torch.tensor([[0.0, 0.0, 1.0, 0.0], [0.5, 0.25, 0.0, 0.25]]).double()
    return {"p": p, "g": normal(generator, 2, 4), "axis": -1}


def _two(generator: torch.Generator) -> Inputs:
    p = torch.tensor([[0.25, 0.75], [0.5, 0.5]], dtype=torch.float64)
    return {"p": p, "g": torch.tensor([[1.0, 0.0], [2.0, 1.0]]).double(), "axis": -1}


def _wide(generator: torch.Generator) -> Inputs:
    return {"p": normal(generator, 4, 60).softmax(-1), "g": normal(generator, 4, 60), "axis": -1}


def _mean(p: Tensor, g: Tensor, axis: int) -> Tensor:
    return (p * g).sum(axis, keepdim=True)


def _plain_mean(p: Tensor, g: Tensor, axis: int) -> Tensor:
    return p * (g - g.mean(axis, keepdim=True))


def _by_jacobian(p: Tensor, g: Tensor, axis: int) -> Tensor:
    moved, given = p.movedim(axis, -1), g.movedim(axis, -1)
    jacobian = torch.diag_embed(moved) - moved.unsqueeze(-1) * moved.unsqueeze(-2)
    return (jacobian @ given.unsqueeze(-1)).squeeze(-1).movedim(-1, axis)


def _in_two_terms(p: Tensor, g: Tensor, axis: int) -> Tensor:
    carried = p * g
    return carried - p * carried.sum(dim=axis, keepdim=True)


def _by_einsum(p: Tensor, g: Tensor, axis: int) -> Tensor:
    moved, given = p.movedim(axis, -1), g.movedim(axis, -1)
    mean = torch.einsum("...s,...s->...", moved, given)
    return (moved * (given - mean[..., None])).movedim(-1, axis)


def _allowed(inputs: Inputs) -> int:
    """Allow a few tensors side by side; the Jacobian is S times as large as p."""
    return 4 * int(math.prod(inputs["p"].shape))


def _fitted(inputs: Inputs) -> Inputs:
    return inputs | {"p": shares(inputs["p"], inputs["axis"])}


def _fixed(fixed: int) -> Any:
    return lambda p, g, axis: p * (g - _mean(p, g, fixed))


SOFTMAX_VJP = Exercise(
    name="softmax_vjp", slug="softmax", task="vjp", title="The gradient of the softmax",
    kind="implement", points=1.0, difficulty=3, importance=3, minutes=25,
    parameters=("p", "g", "axis"), defaults={"axis": -1},
    outputs=(Output(name="gradient", axes="..."),),
    reference=lambda p, g, axis: library.softmax_vjp(p, g, axis), equation="eq-vjp",
    largest=_allowed, axes={"p": "H T S", "g": "H T S"}, fitted=_fitted,
    forbidden=(
        "aten._softmax_backward_data", "aten._log_softmax_backward_data", "torch.autograd.grad",
        "torch.autograd.backward", "torch.autograd.forward_ad.make_dual",
    ),
    part="course_lib.softmax.softmax_vjp",
    next_rung="The backward pass of FlashAttention is built on this line.",
    probes=(
        _along(3, -1), _along(3, 0), _along(3, 1), _along(3, -2), _along(4, 3), _along(4, -3),
        _along(1, 0),
        Probe(name=LEFT_OUT, draw=_left_out, sizes=sizes(2)),
        Probe(name="60 keys", draw=_wide, sizes={"T": 4, "S": 60}),
        Probe(name="weights of exactly 0 and 1", draw=_certain, sizes={"T": 2, "S": 4},
              control=True),
        Probe(name="two rows of two weights", draw=_two, edge=True),
    ),
    misconceptions=(
        Misconception(code="VJP-DIAG", wrong=lambda p, g, axis: p * (1 - p) * g, sentence=(
            "Only the diagonal of the Jacobian is used. A higher score also lowers the weight of "
            "every other key in its row.")),
        Misconception(code="VJP-NOSUM", wrong=lambda p, g, axis: p * g, sentence=(
            "The sum over the row is missing. Adding the same number to all scores changes no "
            "weight, so the gradient has to sum to 0.")),
        Misconception(code="VJP-AXIS", wrong=_fixed(-1), also=(
            *(_fixed(axis) for axis in (0, 1, 2, -2)),
            lambda p, g, axis: p * (g - (p * g).sum())), sentence=(
            "The sum runs along another axis than the one that was normalised, or over all "
            "entries.")),
        Misconception(code="VJP-NOKEEP", wrong=lambda p, g, axis: p * (g - (p * g).sum(axis)),
                      sentence=(
            "The sum has lost its axis, so it is matched with another one: keepdim=True keeps it, "
            "with size 1.")),
        Misconception(code="VJP-JT", wrong=lambda p, g, axis: p * (_mean(p, g, axis) - g),
                      sentence=(
            "The sign is turned round: a key whose gradient is above the row's mean has to gain.")),
        Misconception(code="VJP-PLAINMEAN", wrong=_plain_mean, also=(
            lambda p, g, axis: p * (g - g.sum(axis, keepdim=True)),), sentence=(
            "The plain mean, or sum, of g is subtracted. It is the mean weighted with p.")),
        Misconception(code="VJP-NOP", wrong=lambda p, g, axis: g - _mean(p, g, axis), sentence=(
            "The factor p is missing. A key without weight has no influence, so its score gets no "
            "gradient.")),
        Misconception(code="VJP-JACOBIAN", wrong=_by_jacobian, shows="cost", sentence=(
            "The Jacobian is built, S × S numbers for each row. Its product with g needs none of "
            "it: one sum a row is enough.")),
    ),
    alternatives=(_in_two_terms, _by_einsum),
)  # fmt: skip
