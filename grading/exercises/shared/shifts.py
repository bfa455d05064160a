"""What people subtract instead of the maximum."""

from __future__ import annotations

from collections.abc import Callable

from grading.late import Tensor

__all__ = ["SHIFTS", "at_least"]


def _median(x: Tensor, axis: int) -> Tensor:
    return x.median(axis, keepdim=True).values


#: What people subtract instead of the maximum, by row: it bounds no exponential.
SHIFTS: tuple[Callable[[Tensor, int], Tensor], ...] = (
    lambda x, axis: x.mean(axis, keepdim=True),
    lambda x, axis: x.amin(axis, keepdim=True),
    _median,
    lambda x, axis: x.narrow(axis, 0, 1),
    lambda x, axis: x.narrow(axis, x.shape[axis] - 1, 1),
    lambda x, axis: (x.amax(axis, keepdim=True) + x.amin(axis, keepdim=True)) / 2,
)


def at_least(least: float) -> Callable[[Tensor, int], Tensor]:
    """Return the maximum of each row, but never less than a number: a floor under it."""
    return lambda x, axis: x.amax(axis, keepdim=True).clamp(min=least)
