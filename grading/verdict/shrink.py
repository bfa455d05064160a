"""The smallest inputs on which an answer is still wrong: what a learner can follow by hand."""

import itertools
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from grading.exercise import Probe, Tolerance
from grading.observation.values import Array, Inputs, volume
from grading.verdict.case import ANSWER, REFERENCE, Case, Trial, quiet
from grading.verdict.compare import Difference, first_difference

__all__ = ["Example", "smallest_example"]

#: A difference that can be seen in the digits shown is preferred.
VISIBLE = Tolerance(rtol=0.02, atol=0.005)
#: Seconds for all attempts together; a check is answered within half a second.
BUDGET = 0.15
#: How many numbers may stay of an axis, the fewest first.
KEPT = (1, 2, 3)


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """Inputs on which an answer is wrong, and the first row that differs.

    Attributes:
        inputs: a probe's own, or cut from them.
        mine, right: what the answer and the reference do on them.
        smallest: whether smaller ones were looked for; they cannot be where recordings answer.
    """

    inputs: Inputs
    difference: Difference
    mine: Trial
    right: Trial
    smallest: bool = True

    @property
    def probe(self) -> Probe:
        """The probe that the inputs were cut from."""
        return self.mine.probe


@dataclass(slots=True)
class _Search:
    """Cut the inputs down, as long as the answer stays wrong on them.

    Where nobody can be asked about other inputs (only recordings answer), nothing is found.
    """

    case: Case
    tolerance: Tolerance
    probe: Probe
    until: float
    is_live: bool = True

    def attempt(self, inputs: Inputs) -> Example | None:
        """Return the example that these inputs give, or None where the answer is right."""
        probe = Probe(name=self.probe.name, draw=self.probe.draw, edge=True)
        right = self.case.attempt(REFERENCE, probe, inputs)
        mine = None if right is None else self.case.attempt(ANSWER, probe, inputs)
        if mine is None or right is None:
            self.is_live = False
            return None
        difference = _difference(mine, right, self.tolerance)
        return None if difference is None else Example(inputs, difference, mine, right)

    def first(self, candidates: Iterator[Inputs]) -> Example | None:
        """Return the first of the candidates on which the answer is wrong, in time."""
        for inputs in candidates:
            if not self.is_live or time.monotonic() > self.until:
                return None
            found = self.attempt(inputs)
            if found is not None:
                return found
        return None


def smallest_example(case: Case, seen: Sequence[Trial], truth: Sequence[Trial]) -> Example | None:
    """Return the smallest inputs found on which the answer differs from the reference.

    None where the exercise has no single truth, or where no results can be compared. Where only
    recordings answer, the most ordinary probe is the example.
    """
    exercise = case.exercise
    if exercise.judge is not None:
        return None
    until = time.monotonic() + BUDGET
    pairs = sorted(zip(seen, truth, strict=True), key=lambda pair: volume(pair[0].inputs))
    found, is_live = [], True
    for mine, right in pairs:
        given = mine.probe.tolerance or exercise.tolerance
        visible = _difference(mine, right, VISIBLE)
        tolerance = given if visible is None else VISIBLE
        difference = visible or _difference(mine, right, given)
        if difference is None:
            continue
        start = Example(mine.inputs, difference, mine, right)
        search = _Search(case, tolerance, mine.probe, until)
        found.append(_cut(search, exercise.axes, start) if exercise.axes else start)
        is_live = is_live and search.is_live
    if is_live:
        return min(found, key=lambda example: volume(example.inputs), default=None)
    ordinary = [probe.name for probe in sorted(exercise.probes, key=_is_special)]
    example = min(found, key=lambda one: ordinary.index(one.probe.name), default=None)
    return None if example is None else replace(example, smallest=False)


def _is_special(probe: Probe) -> int:
    return 2 * probe.control + probe.edge


def _difference(mine: Trial, right: Trial, tolerance: Tolerance) -> Difference | None:
    if not mine.view or not right.view or mine.frame != right.frame:
        return None
    if [value.shape for value in mine.view] != [value.shape for value in right.view]:
        return None
    return first_difference(mine.view, right.view, tolerance)


def _cut(search: _Search, axes: Mapping[str, str], start: Example) -> Example:
    whole = search.first(iter([_without_leading(start, axes)]))
    best = whole or _fewer_leading(search, axes, start)
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
        if "..." in names and isinstance(value, Array):
            assert value.numbers is not None
            sizes = value.shape[: _leading(value, names)]
            place = zip(sizes, start.difference.index, strict=False)
            row = value.numbers[tuple(min(index, size - 1) for size, index in place)]
            cut[name] = value.holding(np.asarray(row))
    return cut


def _fewer_leading(search: _Search, axes: Mapping[str, str], start: Example) -> Example:
    """Keep one or two entries of each leading axis, where it takes several to be wrong."""
    best = start
    most = max((_leading(start.inputs[name], names) for name, names in axes.items()), default=0)
    for place in range(most):
        best = search.first(_shorter_leading(best.inputs, axes, place)) or best
    return best


def _leading(value: Any, names: str) -> int:
    """Return how many leading axes a value has, whatever they are."""
    return value.ndim - len(_letters(names)) if "..." in names and isinstance(value, Array) else 0


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
        if isinstance(value := inputs[name], Array)
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
    if not isinstance(value, Array):
        return []
    letters = _letters(names)
    from_end = [place - len(letters) for place, name in enumerate(letters) if name == letter]
    return [place for place in from_end if value.ndim >= -place]


def _taken(value: Array, axis: int, indices: tuple[int, ...]) -> Array:
    assert value.numbers is not None
    return value.holding(value.numbers.take(indices, axis=axis))


def _rounder(inputs: Inputs) -> Iterator[Inputs]:
    """Yield the inputs with rounder numbers, the roundest first."""
    for decimals in (0, 1, 2):
        yield {name: _rounded(value, decimals) for name, value in inputs.items()}


def _rounded(value: Any, decimals: int) -> Any:
    if isinstance(value, Array) and value.numbers is not None and value.numbers.dtype.kind == "f":
        with quiet():
            return value.holding(value.numbers.round(decimals) + 0.0)  # no negative zeros
    return value
