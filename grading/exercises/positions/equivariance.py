"""is_permutation_equivariant: does a function see where a row stands?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from grading.exercise import Answer, Exercise, Inputs, Misconception, Output, Probe
from grading.exercises.positions.fitting import ordered
from grading.exercises.shared.drawing import normal
from grading.late import Tensor, torch
from grading.observation.values import Named, tensor

__all__ = ["IS_EQUIVARIANT"]


def _probe(name: str, f: Any, perm: Sequence[int], C: int, size: float = 1.0) -> Probe:
    """Ask about a function that is made for as many rows as the permutation has."""
    T = len(perm)

    def draw(generator: torch.Generator) -> Inputs:
        x = size * normal(generator, T, C)
        return {"f": f(T, C), "x": x, "perm": torch.tensor(perm)}

    return Probe(name=name, draw=draw, sizes={"T": T, "C": C})


def _mixed(mix: Any) -> Any:
    """Return what builds x -> mix @ x, every number as it is."""

    def f(T: int, C: int) -> Named:
        rows = [[float(mix(t, s, T)) for s in range(T)] for t in range(T)]
        same = [[float(c == d) for c in range(C)] for d in range(C)]
        return Named("rows mixed", {"mix": tensor(rows), "features": tensor(same)})

    return f


def _attending(bias: Any) -> Any:
    """Return what builds attention whose scores get a number for each two positions."""

    def f(T: int, C: int) -> Named:
        rows = [[float(bias(t, s)) for s in range(T)] for t in range(T)]
        return Named("rows attended", {"bias": tensor(rows)})

    return f


PROBES = (
    _probe("attention without positions", _attending(lambda t, s: 0), (2, 0, 3, 1), 3),
    _probe("attention with a causal mask", _attending(lambda t, s: -1e4 if s > t else 0),
           (1, 2, 3, 0), 3),
    _probe("attention that prefers what is near", _attending(lambda t, s: -abs(t - s)),
           (1, 2, 0, 3), 2),
    _probe("attention that prefers what is near, in reversed order",
           _attending(lambda t, s: -abs(t - s)), (3, 2, 1, 0), 3),
    _probe("each row by itself, times 2", _mixed(lambda t, s, T: 2 * (t == s)), (1, 2, 0), 4),
    _probe("each row by itself, times the number of its position",
           _mixed(lambda t, s, T: (t == s) * (t + 1)), (0, 2, 3, 1), 3),
    _probe("the mean of all rows, at every position", _mixed(lambda t, s, T: 1 / T),
           (2, 3, 1, 0), 3, size=100.0),
    _probe("the rows in reversed order", _mixed(lambda t, s, T: t + s == T - 1), (1, 2, 3, 0), 2),
    _probe("three rows in reversed order", _mixed(lambda t, s, T: t + s == T - 1), (2, 0, 1), 4),
    _probe("every row moved on by one, and so is the order", _mixed(
        lambda t, s, T: s == (t + 1) % T), (3, 0, 1, 2), 2),
    _probe("each row by itself, the last one a thousandth larger",
           _mixed(lambda t, s, T: (t == s) * (1 + 2.0**-10 * (t == T - 1))), (3, 0, 1, 2), 3),
)  # fmt: skip


def _near(a: Tensor, b: Tensor) -> bool:
    return bool(torch.allclose(a, b, rtol=1e-6, atol=1e-6))


def _compared(left: Any, right: Any, near: Any = _near) -> Answer:
    """Return an answer that compares two things made of f, x and perm."""
    return lambda f, x, perm: bool(near(left(f, x, perm), right(f, x, perm)))


def _inside(f: Any, x: Tensor, perm: Tensor) -> Any:
    return f(x[perm])


def _outside(f: Any, x: Tensor, perm: Tensor) -> Any:
    return f(x)[perm]


def _equal(a: Tensor, b: Tensor) -> bool:
    return bool(torch.equal(a, b))


def _within(size: float) -> Any:
    return lambda a, b: bool((a - b).abs().max() < size)


def _reversed(f: Any, x: Tensor, perm: Tensor) -> Any:
    order = torch.arange(len(x)).flip(0)
    return _near(f(x[order]), f(x)[order])


def _first_row(a: Tensor, b: Tensor) -> bool:
    return _near(a[0], b[0])


def _by_matrix(f: Any, x: Tensor, perm: Tensor) -> bool:
    P = torch.eye(len(x), dtype=x.dtype)[perm]
    return bool((f(P @ x) - P @ f(x)).norm() < 1e-7)


def _row_by_row(f: Any, x: Tensor, perm: Tensor) -> Any:
    before, after = f(x).tolist(), f(x[perm]).tolist()
    return all(
        math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-6)
        for place, t in enumerate(perm.tolist())
        for a, b in zip(after[place], before[t], strict=True)
    )


IS_EQUIVARIANT = Exercise(
    name="is_permutation_equivariant", slug="positions", task="equivariant",
    title="Does it see the order?", kind="implement", points=0.5, difficulty=1, importance=3,
    minutes=10, parameters=("f", "x", "perm"),
    outputs=(Output(name="is equivariant", kind="bool"),),
    axes={"x": "T C", "perm": "T"}, fitted=ordered, reference=_compared(_inside, _outside),
    equation="eq-equivariant",
    next_rung="A causal mask alone is enough for a model to tell positions apart.",
    probes=PROBES,
    misconceptions=(
        Misconception(code="EQ-INPONLY", wrong=_compared(_inside, lambda f, x, perm: f(x)),
                      sentence=(
            "Only the input is permuted, and the result is expected to stay as it was. That is "
            "invariance. Attention hands the same rows back in the new order, so f(x) has to be "
            "permuted as well.")),
        Misconception(code="EQ-INV", wrong=_compared(
            lambda f, x, perm: f(x[perm]).sum(0), lambda f, x, perm: f(x).sum(0)), also=(
            _compared(lambda f, x, perm: f(x[perm]).sort(0).values,
                      lambda f, x, perm: f(x).sort(0).values),
            _compared(lambda f, x, perm: f(x[perm]).amax(0), lambda f, x, perm: f(x).amax(0))),
            sentence=(
            "What is compared does not say in which row something stands, as a sum over the "
            "positions does not: that is invariance. A function that hands the rows back in "
            "reversed order passes. Compare row with row.")),
        Misconception(code="EQ-IDPERM", wrong=lambda f, x, perm: True, also=(
            _compared(_inside, _inside),), sentence=(
            "The answer is True whatever f does. So it is where perm is not used, or where both "
            "sides are the same expression.")),
        Misconception(code="EQ-INVERSE", wrong=_compared(
            lambda f, x, perm: f(x[perm])[perm], lambda f, x, perm: f(x)), sentence=(
            "The result is permuted once more with perm to undo it. That undoes it only where perm "
            "is its own inverse; perm.argsort() is the inverse.")),
        Misconception(code="EQ-OWNPERM", wrong=_reversed, sentence=(
            "The rows are tried in reversed order and not in the order of perm. Some functions "
            "pass with the one and fail with the other.")),
        Misconception(code="EQ-EXACT", wrong=_compared(_inside, _outside, _equal), sentence=(
            "Every last digit has to agree. A sum in another order is rounded otherwise, so "
            "attention itself fails. Leave room for rounding, 1e-6.")),
        Misconception(code="EQ-LOOSE", wrong=_compared(_inside, _outside, _within(0.05)), also=(
            _compared(_inside, _outside, _within(0.02)),), sentence=(
            "A difference of a thousandth counts as rounding. Rounding in float64 is far below "
            "1e-6.")),
        Misconception(code="EQ-ONEROW", wrong=_compared(_inside, _outside, _first_row), sentence=(
            "Only the first rows are compared. A function may be wrong at another position.")),
    ),
    alternatives=(
        _by_matrix, _row_by_row,
        _compared(lambda f, x, perm: f(x[perm])[perm.argsort()], lambda f, x, perm: f(x)),
    ),
)  # fmt: skip
