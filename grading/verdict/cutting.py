"""Inputs cut down along their axes, and with rounder numbers."""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from grading.observation.values import Array, Inputs
from grading.verdict.case import quiet

__all__ = ["letters_of", "rounder", "shorter", "shorter_leading", "with_sizes", "without_leading"]

#: How many numbers may stay of an axis, the fewest first.
KEPT = (1, 2, 3)
#: So many choices of as many entries are tried.
MOST = 40
#: To so many decimals numbers are rounded, the fewest first.
DECIMALS = (0, 1, 2, 3, 4, 6, 8)


def letters_of(axes: Mapping[str, str]) -> list[str]:
    """Return the letters of all axes, in the order in which they stand."""
    return list(dict.fromkeys(letter for names in axes.values() for letter in _letters(names)))


def _letters(names: str) -> list[str]:
    return [name for name in names.split() if name != "..."]


def without_leading(inputs: Inputs, axes: Mapping[str, str], index: tuple[int, ...]) -> Inputs:
    """Keep one example and one head: those of the row at that index."""
    cut = dict(inputs)
    for name, names in axes.items():
        value = cut[name]
        if "..." in names and isinstance(value, Array):
            assert value.numbers is not None
            sizes = value.shape[: _leading(value, names)]
            place = zip(sizes, index or (0,) * len(sizes), strict=False)
            row = value.numbers[tuple(min(at, size - 1) for size, at in place)]
            cut[name] = value.holding(np.asarray(row))
    return cut


def _leading(value: Any, names: str) -> int:
    """Return how many leading axes a value has, whatever they are."""
    if "..." not in names or not isinstance(value, Array):
        return 0
    return value.ndim - len(_letters(names))


def shorter_leading(inputs: Inputs, axes: Mapping[str, str]) -> Iterator[Iterator[Inputs]]:
    """Yield, for each leading axis, the inputs with one or two entries of it."""
    most = max((_leading(inputs[name], names) for name, names in axes.items()), default=0)
    for place in range(most):
        yield _shorter_leading(inputs, axes, place)


def _shorter_leading(inputs: Inputs, axes: Mapping[str, str], place: int) -> Iterator[Inputs]:
    at = {
        name: _leading(inputs[name], names) - 1 - place
        for name, names in axes.items()
        if _leading(inputs[name], names) > place
    }
    size = max((inputs[name].shape[axis] for name, axis in at.items()), default=0)
    for kept in (kept for kept in (1, 2) if kept < size):
        for indices in itertools.combinations(range(size), kept):
            yield _of_size(inputs, at, size, indices)


def _of_size(inputs: Inputs, at: Mapping[str, int], size: int, indices: tuple[int, ...]) -> Inputs:
    """Take entries of each value's axis, where it has that size: an axis of 1 is broadcast."""
    cut = dict(inputs)
    for name, axis in at.items():
        if cut[name].shape[axis] == size:
            cut[name] = _taken(cut[name], axis, indices)
    return cut


def shorter(inputs: Inputs, axes: Mapping[str, str], letter: str) -> Iterator[Inputs]:
    """Yield the inputs with fewer entries along one letter, the fewest first."""
    at = {name: _places(inputs[name], names, letter) for name, names in axes.items()}
    sizes = {inputs[name].shape[place] for name, places in at.items() for place in places}
    size = max(sizes, default=0)
    for kept in (kept for kept in KEPT if kept < size):
        for indices in itertools.islice(itertools.combinations(range(size), kept), MOST):
            cut = dict(inputs)
            for name, places in at.items():
                for place in places:
                    if cut[name].shape[place] == size:  # an axis of 1 is broadcast
                        cut[name] = _taken(cut[name], place, indices)
            yield cut


def _places(value: Any, names: str, letter: str) -> list[int]:
    """Return the axes of that letter, counted from the end."""
    if not isinstance(value, Array):
        return []
    letters = _letters(names)
    from_end = [place - len(letters) for place, name in enumerate(letters) if name == letter]
    return [place for place in from_end if value.ndim >= -place]


def with_sizes(inputs: Inputs, old: int, new: int) -> Inputs:
    """Return the inputs with the first entries of every axis that has the old size."""
    cut = dict(inputs)
    for name, value in inputs.items():
        if isinstance(value, Array):
            for axis in [axis for axis, size in enumerate(value.shape) if size == old]:
                cut[name] = _taken(cut[name], axis, tuple(range(new)))
    return cut


def _taken(value: Array, axis: int, indices: tuple[int, ...]) -> Array:
    assert value.numbers is not None
    return value.holding(value.numbers.take(indices, axis=axis))


def rounder(inputs: Inputs) -> Iterator[Inputs]:
    """Yield the inputs with rounder numbers, the roundest first, and zeros only where they were."""
    for decimals in DECIMALS:
        yield {name: _rounded(value, decimals, up=True) for name, value in inputs.items()}
        yield {name: _rounded(value, decimals, up=False) for name, value in inputs.items()}


def _rounded(value: Any, decimals: int, *, up: bool) -> Any:
    if isinstance(value, float):
        return float(_round(np.float64(value), decimals, up=up))
    if isinstance(value, Array) and value.numbers is not None and value.numbers.dtype.kind == "f":
        with quiet():
            return value.holding(_round(value.numbers, decimals, up=up))
    return value


def _round(numbers: Any, decimals: int, *, up: bool) -> Any:
    """Round; `up` keeps the sign of what would become 0."""
    rounded = np.asarray(numbers.round(decimals) + 0.0)  # no negative zeros
    least = np.sign(numbers) * 10.0**-decimals
    return np.where(rounded == 0, least, rounded).astype(rounded.dtype) if up else rounded
