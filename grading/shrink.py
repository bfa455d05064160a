"""The smallest inputs on which an answer is still wrong: what a learner can follow by hand."""

import itertools
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from grading.compare import Difference, first_difference
from grading.exercise import Answer, Exercise, Inputs, Probe, Tolerance
from grading.observe import Observation, observe, volume

__all__ = ["Example", "smallest_example"]

#: A difference that can be seen in the digits shown is preferred.
VISIBLE = Tolerance(rtol=0.02, atol=0.005)
#: Seconds for all attempts together; a check is answered within half a second.
BUDGET = 0.15
#: How many numbers may stay of an axis, the fewest first.
KEPT = (1, 2, 3)


@dataclass(frozen=True, slots=True)
class Example:
    """Inputs on which an answer is wrong, and the first row that differs.

    Attributes:
        probe: draws these inputs; it has the name of the probe that they were cut from.
        mine, right: what the answer and the reference do on them.
    """

    probe: Probe
    inputs: Inputs
    difference: Difference
    mine: Observation
    right: Observation


@dataclass(slots=True)
class _Search:
    """Cut the inputs down, as long as the answer stays wrong on them."""

    exercise: Exercise
    answer: Answer
    tolerance: Tolerance
    probe: Probe
    until: float

    def attempt(self, inputs: Inputs) -> Example | None:
        """Return the example that these inputs give, or None where the answer is right."""
        probe = Probe(name=self.probe.name, draw=lambda generator: copied(inputs), edge=True)
        mine = observe(self.exercise, self.answer, probe, quiet=True)
        right = observe(self.exercise, self.exercise.reference, probe, quiet=True)
        difference = _difference(mine, right, self.tolerance)
        return None if difference is None else Example(probe, inputs, difference, mine, right)

    def first(self, candidates: Iterator[Inputs]) -> Example | None:
        """Return the first of the candidates on which the answer is wrong, in time."""
        for inputs in candidates:
            if time.monotonic() > self.until:
                return None
            found = self.attempt(inputs)
            if found is not None:
                return found
        return None


def smallest_example(
    exercise: Exercise, answer: Answer, seen: Sequence[Observation], truth: Sequence[Observation]
) -> Example | None:
    """Return the smallest inputs found on which the answer differs from the reference.

    None where the exercise has no single truth, or where no results can be compared.
    """
    if exercise.judge is not None:
        return None
    until = time.monotonic() + BUDGET
    pairs = sorted(zip(seen, truth, strict=True), key=lambda pair: volume(pair[0].inputs))
    found = []
    for mine, right in pairs:
        given = mine.probe.tolerance or exercise.tolerance
        visible = _difference(mine, right, VISIBLE)
        tolerance = given if visible is None else VISIBLE
        difference = visible or _difference(mine, right, given)
        if difference is None:
            continue
        start = Example(mine.probe, mine.inputs, difference, mine, right)
        search = _Search(exercise, answer, tolerance, mine.probe, until)
        found.append(_cut(search, start) if exercise.axes else start)
    return min(found, key=lambda example: volume(example.inputs), default=None)


def _difference(mine: Observation, right: Observation, tolerance: Tolerance) -> Difference | None:
    if not mine.view or not right.view or len(mine.view) != len(right.view):
        return None
    if [value.shape for value in mine.view] != [value.shape for value in right.view]:
        return None
    return first_difference(mine.view, right.view, tolerance)


def _cut(search: _Search, start: Example) -> Example:
    axes = search.exercise.axes
    best = search.first(iter([_without_leading(start, axes)])) or _fewer_leading(search, start)
    letters = dict.fromkeys(letter for names in axes.values() for letter in _letters(names))
    for letter in letters:
        best = search.first(_shorter(best.inputs, axes, letter)) or best
    return search.first(_rounder(best.inputs)) or best


def _letters(names: str) -> list[str]:
    return [name for name in names.split() if name != "..."]


def _without_leading(start: Example, axes: Mapping[str, str]) -> Inputs:
    """Keep one example and one head: those of the row that differs."""
    cut = dict(start.inputs)
    for name, names in axes.items():
        value = cut[name]
        if "..." in names and hasattr(value, "ndim"):
            leading = value.ndim - len(_letters(names))
            sizes = tuple(value.shape[:leading])
            place = zip(sizes, start.difference.index, strict=False)
            cut[name] = value[tuple(min(index, size - 1) for size, index in place)]
    return cut


def _fewer_leading(search: _Search, start: Example) -> Example:
    """Keep one or two entries of each leading axis, where it takes several to be wrong."""
    axes, best = search.exercise.axes, start
    most = max((_leading(start.inputs[name], names) for name, names in axes.items()), default=0)
    for place in range(most):
        best = search.first(_shorter_leading(best.inputs, axes, place)) or best
    return best


def _leading(value: Any, names: str) -> int:
    """Return how many leading axes a value has, whatever they are."""
    return value.ndim - len(_letters(names)) if "..." in names and hasattr(value, "ndim") else 0


def _shorter_leading(inputs: Inputs, axes: Mapping[str, str], place: int) -> Iterator[Inputs]:
    """Yield the inputs with one entry and with two of the leading axis that ends `place` before
    the last leading one."""
    at = {
        name: _leading(inputs[name], names) - 1 - place
        for name, names in axes.items()
        if _leading(inputs[name], names) > place
    }
    size = max((inputs[name].shape[axis] for name, axis in at.items()), default=0)
    for kept in (kept for kept in (1, 2) if kept < size):
        for indices in itertools.combinations(range(size), kept):
            cut = dict(inputs)
            for name, axis in at.items():
                if cut[name].shape[axis] == size:  # an axis of 1 is broadcast
                    cut[name] = _taken(cut[name], axis, indices)
            yield cut


def _shorter(inputs: Inputs, axes: Mapping[str, str], letter: str) -> Iterator[Inputs]:
    """Yield the inputs with fewer entries along one letter, the fewest first."""
    sizes = {
        value.shape[place]
        for name, names in axes.items()
        if hasattr(value := inputs[name], "shape")
        for place in _places(value, names, letter)
    }
    size = max(sizes, default=0)
    for kept in (kept for kept in KEPT if kept < size):
        for indices in itertools.combinations(range(size), kept):
            cut = dict(inputs)
            for name, names in axes.items():
                for place in _places(cut[name], names, letter):
                    if cut[name].shape[place] == size:  # an axis of 1 is broadcast
                        cut[name] = _taken(cut[name], place, indices)
            yield cut


def _places(value: Any, names: str, letter: str) -> list[int]:
    """Return the axes of that letter, counted from the end."""
    if not hasattr(value, "shape"):
        return []
    letters = _letters(names)
    from_end = [place - len(letters) for place, name in enumerate(letters) if name == letter]
    return [place for place in from_end if value.ndim >= -place]


def _taken(value: Any, axis: int, indices: tuple[int, ...]) -> Any:
    if isinstance(value, np.ndarray):
        return value.take(indices, axis=axis)
    return value.index_select(axis % value.ndim, torch.tensor(indices))


def _rounder(inputs: Inputs) -> Iterator[Inputs]:
    """Yield the inputs with rounder numbers, the roundest first."""
    for decimals in (0, 1, 2):
        yield {name: _rounded(value, decimals) for name, value in inputs.items()}


def _rounded(value: Any, decimals: int) -> Any:
    if isinstance(value, torch.Tensor) and value.is_floating_point():
        return value.round(decimals=decimals) + 0.0  # no negative zeros
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        return value.round(decimals) + 0.0
    return value


def copied(inputs: Inputs) -> Inputs:
    """Return inputs of their own memory; an answer may write into what it gets."""
    return {
        name: value.clone() if isinstance(value, torch.Tensor) else
        value.copy() if isinstance(value, np.ndarray) else value
        for name, value in inputs.items()
    }  # fmt: skip
