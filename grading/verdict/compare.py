"""Compare an answer's numbers with what is expected: shape first, then numbers, never broadcast."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from grading.exercise import Tolerance

__all__ = ["Difference", "close", "distance", "first_difference", "same"]

Numbers = np.ndarray[Any, Any]


def close(actual: Numbers, expected: Numbers, tolerance: Tolerance) -> Numbers:
    """Return where two arrays of one shape agree; NaN agrees with nothing.

    Raises:
        ValueError: if the shapes differ. Broadcasting would compare what does not correspond.
    """
    if actual.shape != expected.shape:
        raise ValueError(
            f"only arrays of one shape are compared; shapes {actual.shape} and {expected.shape}"
        )
    wide = (actual.astype(np.float64), expected.astype(np.float64))
    return np.asarray(np.isclose(*wide, rtol=tolerance.rtol, atol=tolerance.atol))


def same(actual: Sequence[Numbers], expected: Sequence[Numbers], tolerance: Tolerance) -> bool:
    """Return whether two answers are the same behaviour: all shapes and all numbers agree."""
    if len(actual) != len(expected):
        return False
    return all(_same(a, b, tolerance) for a, b in zip(actual, expected, strict=True))


def _same(actual: Numbers, expected: Numbers, tolerance: Tolerance) -> bool:
    if actual.shape != expected.shape or not _starts_alike(actual, expected, tolerance):
        return False
    # Two answers with NaN in the same places behave alike, though neither is right.
    nan = np.isnan(actual) & np.isnan(expected)
    return bool((close(actual, expected, tolerance) | nan).all())


def _starts_alike(actual: Numbers, expected: Numbers, tolerance: Tolerance) -> bool:
    """Return whether the first numbers agree: most answers part there, and the rest costs time."""
    if not actual.size:
        return True
    mine, theirs = float(actual.flat[0]), float(expected.flat[0])
    far = abs(mine - theirs) > tolerance.atol + tolerance.rtol * abs(theirs)
    return not far or mine == theirs


def distance(actual: Sequence[Numbers] | None, expected: Sequence[Numbers] | None) -> float:
    """Return the largest difference: infinite where shapes differ or only one is a number."""
    if not actual or not expected or len(actual) != len(expected):
        return np.inf
    largest = 0.0
    for mine, theirs in zip(actual, expected, strict=True):
        if mine.shape != theirs.shape:
            return np.inf
        a, b = mine.astype(np.float64), theirs.astype(np.float64)
        with np.errstate(invalid="ignore"):  # an infinity less itself
            apart = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, np.abs(a - b))
        apart = np.where(np.isnan(apart), np.inf, apart)
        largest = max(largest, float(apart.max()) if apart.size else 0.0)
    return largest


@dataclass(frozen=True, slots=True, eq=False)
class Difference:
    """The first row in which an output differs: which output, where, and both rows."""

    output: int
    index: tuple[int, ...]
    learner: Numbers
    expected: Numbers


def first_difference(
    actual: Sequence[Numbers],
    expected: Sequence[Numbers],
    tolerance: Tolerance,
    order: Sequence[int] = (),
) -> Difference | None:
    """Return the first differing row (the last axis whole), or None where all agree.

    Args:
        actual, expected: the outputs of both.
        tolerance: what counts as a difference.
        order: the outputs in the order in which they are looked at; empty for the one they have.
    """
    pairs = list(zip(actual, expected, strict=True))
    for number in order or range(len(pairs)):
        mine, theirs = pairs[number]
        wrong = ~close(mine, theirs, tolerance)
        if not wrong.any():
            continue
        if mine.ndim == 0:
            return Difference(number, (), mine.reshape(1), theirs.reshape(1))
        rows = wrong.any(-1)
        where = tuple(int(i) for i in np.argwhere(rows)[0]) if rows.ndim else ()
        return Difference(number, where, mine[where], theirs[where])
    return None
