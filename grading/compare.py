"""Compare an answer's output with what is expected: shape first, then numbers, never broadcast."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from grading.exercise import Tolerance

__all__ = ["Difference", "as_tensors", "close", "first_difference", "plain"]


def plain(value: Any) -> Any:
    """Return a value as an ordinary detached tensor where it is a tensor, an array or a number.

    A subclass that overrides what comparison means is stripped of it first.
    """
    if type(value) is torch.Tensor:
        return value.detach()
    if isinstance(value, torch.Tensor):
        with torch._C.DisableTorchFunctionSubclass():
            return value.detach().as_subclass(torch.Tensor)
    if isinstance(value, np.ndarray):
        array = np.asarray(value)
        return torch.from_numpy(array.copy()) if array.dtype.kind in "fiub" else value
    if isinstance(value, bool | int | float | np.number):
        return torch.tensor(float(value), dtype=torch.float64)
    return value


def as_tensors(outputs: Sequence[Any]) -> list[torch.Tensor]:
    """Return the outputs as ordinary tensors, less what is none (a name, an option)."""
    return [value for value in map(plain, outputs) if isinstance(value, torch.Tensor)]


def close(actual: torch.Tensor, expected: torch.Tensor, tolerance: Tolerance) -> torch.Tensor:
    """Return where two tensors of one shape agree; NaN agrees with nothing.

    Raises:
        ValueError: if the shapes differ. Broadcasting would compare what does not correspond.
    """
    if actual.shape != expected.shape:
        raise ValueError(
            "only tensors of one shape are compared; "
            f"shapes {tuple(actual.shape)} and {tuple(expected.shape)}"
        )
    wide = (actual.to(torch.float64), expected.to(torch.float64))
    return torch.isclose(*wide, rtol=tolerance.rtol, atol=tolerance.atol)


def same(actual: Sequence[Any], expected: Sequence[Any], tolerance: Tolerance) -> bool:
    """Return whether two answers are the same behaviour: all shapes and all numbers agree."""
    mine, theirs = [plain(value) for value in actual], [plain(value) for value in expected]
    if len(mine) != len(theirs):
        return False
    return all(_same_value(a, b, tolerance) for a, b in zip(mine, theirs, strict=True))


def _same_value(actual: Any, expected: Any, tolerance: Tolerance) -> bool:
    if not isinstance(actual, torch.Tensor) or not isinstance(expected, torch.Tensor):
        return type(actual) is type(expected) and bool(actual == expected)
    if actual.shape != expected.shape:
        return False
    # Two answers with NaN in the same places behave alike, though neither is right.
    nan = actual.isnan() & expected.isnan() if actual.is_floating_point() else None
    agree = close(actual, expected, tolerance)
    return bool((agree if nan is None else agree | nan).all())


@dataclass(frozen=True, slots=True)
class Difference:
    """The first row in which an output differs: which output, where, and both rows."""

    output: int
    index: tuple[int, ...]
    learner: torch.Tensor
    expected: torch.Tensor


def first_difference(
    actual: Sequence[torch.Tensor], expected: Sequence[torch.Tensor], tolerance: Tolerance
) -> Difference | None:
    """Return the first differing row (the last axis whole), or None where all agree."""
    for number, (mine, theirs) in enumerate(zip(actual, expected, strict=True)):
        wrong = ~close(mine, theirs, tolerance)
        if not wrong.any():
            continue
        if mine.ndim == 0:
            return Difference(number, (), mine.reshape(1), theirs.reshape(1))
        rows = wrong.any(-1)
        where = tuple(int(i) for i in rows.nonzero()[0]) if rows.ndim else ()
        return Difference(number, where, mine[where], theirs[where])
    return None
