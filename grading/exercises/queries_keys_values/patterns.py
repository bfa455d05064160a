"""make_qk_for: choose queries and keys so that the weights follow a pattern."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from grading.exercise import Exercise, Inputs, Misconception, Output, Probe, Seen
from grading.late import Tensor, late, torch

__all__ = ["MAKE_QK_FOR"]

library = late("course_lib.patterns")

#: In the order of `course_lib.patterns`.
PATTERNS = ("identity", "previous token", "first token", "average")
SHARP, FLAT = 0.99, 0.01
#: Each pattern is asked for so many positions; the mistakes are recognised by the first one.
LENGTHS = (6, 11)
T = LENGTHS[0]

Numbers = np.ndarray[Any, Any]


def _weights(one: Seen) -> tuple[Any, ...]:
    query, key = (value.astype(float) for value in one.outputs)
    scores = query @ key.swapaxes(-1, -2) / math.sqrt(query.shape[-1])
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    return (powers / powers.sum(-1, keepdims=True),)


def _wanted(pattern: str, size: int) -> Numbers:
    if pattern == "average":
        return np.full((size, size), 1 / size)
    positions = np.arange(size)
    read = {
        "identity": positions,
        "previous token": (positions - 1).clip(min=0),
        "first token": 0 * positions,
    }[pattern]
    return np.asarray(np.eye(size)[read])


def _judge(one: Seen) -> str | None:
    pattern, size = one.inputs["pattern"], one.inputs["T"]
    shapes = [value.shape for value in one.outputs]
    if any(len(shape) != 2 or shape[0] != size for shape in shapes) or len(set(shapes)) > 1:
        return f"query and key have to be ({size}, D) each, with one D; yours are {shapes}."
    if shapes[0][1] == 0:
        return "query and key need at least one number per token."
    weights = _weights(one)[0]
    if not np.isfinite(weights).all():
        return f'The weights of the pattern "{pattern}" are not finite: the scores overflow.'
    wanted = _wanted(pattern, size)
    if pattern == "average":
        far = np.abs(weights - wanted).max()
        return None if far <= FLAT else (
            f'For "{pattern}" every weight has to be within 0.01 of 1/{size}; one is {far:.3f} off.'
        )  # fmt: skip
    on_target = (weights * wanted).sum(-1)
    if (on_target >= SHARP).all():
        return None
    t = int(on_target.argmin())
    target, most = int(wanted[t].argmax()), int(weights[t].argmax())
    other = "" if most == target else f", and {weights[t].max():.3f} to key {most}"
    return (
        f'For "{pattern}" query {t} has to give at least 0.99 to key {target}; '
        f"it gives {on_target[t]:.3f} there{other}."
    )


def _one_hot(read: Any, sharp: float = 40.0) -> Any:
    def make(pattern: str, T: int) -> Any:
        key = torch.eye(T)
        if pattern == "average":
            return torch.zeros(T, T), key
        positions = torch.arange(T)
        where = {
            "identity": positions,
            "previous token": read(positions, T),
            "first token": torch.zeros_like(positions),
        }[pattern]
        return sharp * key[where], key

    return make


def _previous(positions: Tensor, size: int) -> Tensor:
    return (positions - 1).clamp(min=0)


def _rolled(positions: Tensor, size: int) -> Tensor:
    return (positions - 1) % size


def _next(positions: Tensor, size: int) -> Tensor:
    return (positions + 1).clamp(max=size - 1)


def _name(pattern: str, size: int = T) -> str:
    return f"{pattern}, T = {size}"


def _grids(seen: Mapping[str, Any]) -> dict[str, Numbers] | None:
    grids = {name: view[0] for name, view in seen.items() if isinstance(view, list) and view}
    return grids if len(grids) == len(seen) else None


def _low_temperature(seen: Mapping[str, Any], truth: Mapping[str, Any]) -> bool:
    """Every query reads the right key most, and not enough."""
    grids = _grids(seen)
    if grids is None:
        return False
    sharp = [
        (grids[_name(pattern, size)], _wanted(pattern, size))
        for pattern in PATTERNS if pattern != "average" for size in LENGTHS
    ]  # fmt: skip
    reads = all(
        bool((grid.argmax(-1) == wanted.argmax(-1)).all())
        and float(grid.max(-1).min()) > 1 / len(grid) + 1e-6
        for grid, wanted in sharp
    )
    return reads and any(float(grid.max(-1).min()) < SHARP for grid, _ in sharp)


def _reads(*positions: int) -> Any:
    def recognise(seen: Mapping[str, Any], truth: Mapping[str, Any]) -> bool:
        grids = _grids(seen)
        if grids is None or not (grids[_name("previous token")].max(-1) > 0.5).all():
            return False
        return bool((grids[_name("previous token")].argmax(-1) == positions).all())

    return recognise


def _exchanged(pattern: str, T: int) -> Any:
    query, key = _one_hot(_previous)(pattern, T)
    return key, query


def _rows_and_columns(seen: Mapping[str, Any], truth: Mapping[str, Any]) -> bool:
    """Every token reads the next one; the last, and where two ask for it the first, may waver."""
    grids = _grids(seen)
    if grids is None:
        return False
    grid, steps = grids[_name("previous token")], np.arange(T - 1)
    inner = bool((grid[steps[1:], steps[1:] + 1] > 0.5).all())
    return inner and bool(grid[0, 1] > 0.45) and bool(grid[-1, 0] < 0.5)


def _by_angles(pattern: str, T: int) -> Any:
    """Keys on a circle, queries that point at one of them: another right answer."""
    angles = torch.arange(T, dtype=torch.float64) * (2 * math.pi / T)
    key = torch.stack([angles.cos(), angles.sin()], dim=-1)
    if pattern == "average":
        return 0 * key, key
    read = {
        "identity": torch.arange(T),
        "previous token": (torch.arange(T) - 1).clamp(min=0),
        "first token": torch.zeros(T, dtype=torch.long),
    }[pattern]
    return 100 * T * key[read], key


def _probe(pattern: str, size: int) -> Probe:
    def draw(generator: torch.Generator) -> Inputs:
        return {"pattern": pattern, "T": size}

    return Probe(name=_name(pattern, size), draw=draw, edge=True)


MAKE_QK_FOR = Exercise(
    name="make_qk_for", slug="queries-keys-values", task="patterns",
    title="Queries and keys for a pattern", kind="implement", points=0.75, difficulty=3,
    importance=2, minutes=25, parameters=("pattern", "T"),
    outputs=(Output(name="query", axes="T D"), Output(name="key", axes="T D")),
    reference=lambda pattern, T: library.make_qk_for(pattern, T), equation="eq-weights",
    judge=_judge, view=_weights,
    part="course_lib.patterns.make_qk_for",
    next_rung="You have built by hand what a previous-token head of MiniLM has learnt.",
    probes=(
        *(_probe(pattern, size) for size in LENGTHS for pattern in PATTERNS),
        _probe("previous token", 1),
    ),
    misconceptions=(
        Misconception(code="PAT-LOWTEMP", wrong=_one_hot(_previous, sharp=4.0),
                      recognise=_low_temperature, sentence=(
            "Each query prefers the right key, but not by enough. The winner's share depends on "
            "the distance between scores: make the queries longer.")),
        Misconception(code="PAT-WRAP", wrong=_one_hot(_rolled),
                      recognise=_reads(T - 1, *range(T - 1)), sentence=(
            "The first token reads the last one: the shift wraps around. Row 0 of 'previous "
            "token' reads itself.")),
        Misconception(code="PAT-ROWCOL", wrong=_one_hot(_next), also=(_exchanged,),
                      recognise=_rows_and_columns, sentence=(
            "Each token reads the next one instead of the previous one: the shift goes the other "
            "way, or query and key are exchanged.")),
        Misconception(code="PAT-ROWCOLWRAP", wrong=_one_hot(lambda p, size: (p + 1) % size),
                      recognise=_reads(*range(1, T), 0), sentence=(
            "Each token reads the next one, and the last reads the first: the shift goes the "
            "wrong way and wraps around.")),
    ),
    alternatives=(_by_angles, _one_hot(_previous, sharp=100.0)),
)  # fmt: skip
