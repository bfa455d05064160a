"""The smallest inputs on which an answer is still wrong: what a learner can follow by hand."""

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from grading.exercise import Probe, Tolerance
from grading.observation.values import Array, Inputs
from grading.verdict.case import ANSWER, REFERENCE, Case, Trial
from grading.verdict.compare import Difference, first_difference
from grading.verdict.contract import RUNS, SHAPES
from grading.verdict.cutting import (
    letters_of,
    rounder,
    shorter,
    shorter_leading,
    with_sizes,
    without_leading,
)
from grading.verdict.differing import order_of
from grading.verdict.finding import Finding
from grading.verdict.rules import broken_rule

__all__ = ["Example", "smallest_example"]

#: A difference that can be seen in the digits shown is preferred.
VISIBLE = Tolerance(rtol=0.02, atol=0.005)
#: Seconds of the processor for all attempts together; a check is answered within half a second.
BUDGET = 0.15
#: So many times as long they may last where other processes have the machine.
PATIENCE = 4


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """Inputs on which an answer breaks a rule, and the first row that differs.

    Attributes:
        finding: the rule that is broken, in the words of these inputs.
        inputs: a probe's own, or cut from them.
        difference: the first row that differs, or both shapes; None where it gave no result.
        mine, right: what the answer and the reference do on them.
        smallest: whether they were cut down; they cannot be where recordings answer.
        whole: what both do on the probe that the inputs were cut from.
    """

    finding: Finding
    inputs: Inputs
    difference: Difference | None
    mine: Trial
    right: Trial
    smallest: bool = False
    whole: tuple[Trial, Trial] | None = None

    @property
    def probe(self) -> Probe:
        """The probe that the inputs were cut from."""
        return self.mine.probe


def _clocks() -> tuple[float, float]:
    """Return what this process has computed, and the time."""
    return time.process_time(), time.monotonic()


@dataclass(slots=True)
class _Search:
    """Cut the inputs down, as long as the answer breaks the same rule in the same output.

    Where nobody can be asked about other inputs (only recordings answer), nothing is found.
    """

    case: Case
    start: Example
    tolerance: Tolerance
    begun: tuple[float, float] = field(default_factory=_clocks)
    is_live: bool = True

    def goes_on(self) -> bool:
        """Return whether somebody can be asked, and there is time."""
        computed, passed = (now - then for now, then in zip(_clocks(), self.begun, strict=True))
        return self.is_live and computed < BUDGET and passed < PATIENCE * BUDGET

    def attempt(self, inputs: Inputs, sizes: Mapping[str, int] | None = None) -> Example | None:
        """Return the example that these inputs give, or None where they show something else."""
        fitted = self.case.exercise.fitted
        inputs = inputs if fitted is None else fitted(inputs)
        probe = replace(self.start.probe, sizes=sizes or {}, edge=sizes is None)
        right = self.case.attempt(REFERENCE, probe, inputs)
        mine = None if right is None else self.case.attempt(ANSWER, probe, inputs)
        if mine is None or right is None:
            self.is_live = False
            return None
        if right.outputs is None and self.start.right.outputs is not None:
            return None  # inputs that the reference refuses say nothing of the answer
        if _is_finite(self.start.right) and not _is_finite(right):
            return None  # a division by nothing: the contract does not speak of such inputs
        again = broken_rule(self.case, mine, right)
        if again is None or (again.rule, again.output) != (
            self.start.finding.rule,
            self.start.finding.output,
        ):
            return None
        if self.start.difference is None:  # it raises, or returns what holds no such numbers
            example = Example(again, inputs, None, mine, right)
            same = again.rule != RUNS or _error_of(example) == _error_of(self.start)
            return example if same else None
        difference = _difference(self.case, again, mine, right, self.tolerance)
        return None if difference is None else Example(again, inputs, difference, mine, right)

    def first(self, candidates: Iterator[Inputs], like: Example | None = None) -> Example | None:
        """Return the first of the candidates on which the answer is wrong, in time."""
        sizes = None if like is None or like.mine.probe.edge else like.mine.probe.sizes
        for inputs in candidates:
            if not self.goes_on():
                return None
            found = self.attempt(inputs, sizes or None)
            if found is not None:
                return found
        return None


def smallest_example(
    case: Case, finding: Finding, seen: Sequence[Trial], truth: Sequence[Trial]
) -> Example | None:
    """Return the smallest inputs found on which a rule is broken, cut from those of its probe.

    None where the exercise has no single truth, or where values show nothing.

    Args:
        case: the task, and who can be asked.
        finding: the broken rule, and the probe on which it was seen.
        seen: what the answer did on each probe.
        truth: what the reference did.
    """
    exercise = case.exercise
    pairs = zip(seen, truth, strict=True)
    mine, right = next((one for one in pairs if one[0].probe.name == finding.probe), (None, None))
    if mine is None or right is None or exercise.judge is not None or not exercise.parameters:
        return None
    if finding.stage != "values" and not mine.seen.timed_out:
        return None
    given = mine.probe.tolerance or exercise.tolerance
    difference = _difference(case, finding, mine, right, VISIBLE)
    tolerance = given if difference is None else VISIBLE
    difference = difference or _difference(case, finding, mine, right, given)
    start = Example(finding, mine.inputs, difference, mine, right, whole=(mine, right))
    if mine.seen.timed_out:
        return start
    search = _Search(case, start, tolerance)
    # Rounder numbers first: what differs by little is then seen on fewer of them.
    best = search.first(rounder(start.inputs), like=start) or start
    axes = {name: names for name, names in exercise.axes.items() if name in mine.inputs}
    if _speaks_of_sizes(start):
        best = _cut_to_other_sizes(search, best, axes)
    elif axes:
        best = _cut(search, best, axes)
    best = search.first(rounder(best.inputs), like=best) or best
    is_cut = search.is_live and bool(axes)
    return replace(best, smallest=is_cut, whole=start.whole)


def _difference(
    case: Case, finding: Finding, mine: Trial, right: Trial, tolerance: Tolerance
) -> Difference | None:
    """Return the first row that differs, in the output that the finding speaks of."""
    if case.exercise.told is not None:  # words say it, and rows would be of nothing that is shown
        return None
    if finding.rule == SHAPES:
        number = finding.output or 0
        outputs = [one.outputs[number] for one in (mine, right) if one.outputs is not None]
        return Difference(number, (), *(np.asarray(output.shape) for output in outputs))
    if not mine.view or not right.view or mine.frame != right.frame:
        return None
    if [value.shape for value in mine.view] != [value.shape for value in right.view]:
        return None
    order = order_of(case.exercise, len(mine.view))
    if finding.output is not None and case.exercise.view is None:
        order = [finding.output]  # what the sentence speaks of
    return first_difference(mine.view, right.view, tolerance, order)


def _error_of(one: Example) -> tuple[tuple[str, ...], str]:
    """Return an error's classes and which axes met, or else its text, without numbers."""
    error = one.mine.seen.error
    assert error is not None
    met = re.search(r"The sizes were .*?: (.*)", one.finding.message)
    return (error.kinds, met[1] if met else re.sub(r"[\d.]+", "", error.text))


def _is_finite(one: Trial) -> bool:
    return all(bool(np.isfinite(part).all()) for part in one.view or () if part.dtype.kind == "f")


def _speaks_of_sizes(start: Example) -> bool:
    sizes = start.probe.sizes
    if start.probe.edge or len(set(sizes.values())) < len(sizes):
        return False
    return start.finding.rule == SHAPES or "The sizes were" in start.finding.message


def _cut(search: _Search, start: Example, axes: Mapping[str, str]) -> Example:
    index = start.difference.index if start.difference else ()
    best = search.first(iter([without_leading(start.inputs, axes, index)]))
    if best is None:  # it takes several entries of a leading axis to be wrong
        best = start
        for number, _ in enumerate(shorter_leading(start.inputs, axes)):
            candidates = list(shorter_leading(best.inputs, axes))[number]
            best = search.first(candidates) or best
    for letter in letters_of(axes):
        best = search.first(shorter(best.inputs, axes, letter)) or best
    return best


def _cut_to_other_sizes(search: _Search, start: Example, axes: Mapping[str, str]) -> Example:
    """Make every size as small as it can be while all differ, so that they tell the letters.

    An axis of size 1 could be one that was kept, or is broadcast: no letter gets it.
    """
    best, sizes = start, dict(search.start.probe.sizes)
    cut = without_leading(best.inputs, axes, ())
    found = search.attempt(cut, _present(cut, sizes))
    if found is not None:
        best, sizes = found, _present(cut, sizes)
    for letter, old in list(sizes.items()):
        others = {size for name, size in sizes.items() if name != letter}
        for new in (new for new in range(2, old) if new not in others):
            if not search.goes_on():
                return best
            smaller = {name: new if name == letter else size for name, size in sizes.items()}
            found = search.attempt(with_sizes(best.inputs, old, new), smaller)
            if found is not None:
                best, sizes = found, smaller
                break
    return best


def _present(inputs: Inputs, sizes: Mapping[str, int]) -> dict[str, int]:
    """Return the sizes that some axis still has."""
    arrays = [value for value in inputs.values() if isinstance(value, Array)]
    return {
        letter: size
        for letter, size in sizes.items()
        if any(size in value.shape for value in arrays)
    }
