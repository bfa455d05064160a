"""How a test function is graded that a learner writes: by whom it spares and whom it refuses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from grading.exercise import Answer, Inputs, Law, Misconception, Probe, Seen
from grading.exercises.shared.candidates import Candidates, Tried, matched
from grading.observation.seen import Error
from grading.observation.values import InTurn, Named, numbers

__all__ = ["WrittenTest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenTest:
    """A test function: it raises where its argument, a candidate, is wrong.

    It gets every candidate twice, the second time in the opposite order. What lies in the learner's
    hands is a stand-in that is called back.

    Attributes:
        candidates: whom it is tried on.
        defaults: of the candidates' arguments; the exercise's names are theirs.
    """

    candidates: Candidates
    defaults: Mapping[str, Any] = field(default_factory=dict)

    @property
    def functions(self) -> dict[str, Answer]:
        """The candidates, by what they go by."""
        known = enumerate(self.candidates.functions)
        return {self.candidates.handle(number): function for number, function in known}

    @property
    def probes(self) -> tuple[Probe, ...]:
        """The one probe: all candidates, in turn."""
        return (Probe(name="all candidates", draw=self._draw, edge=True),)

    def _draw(self, generator: Any) -> Inputs:
        order = self.candidates.order()
        takes = {"parameters": self.candidates.of.parameters, "defaults": dict(self.defaults)}
        named = [Named(self.candidates.handle(number), takes) for number in order]
        return {"candidate": InTurn((*named, *reversed(named)))}

    @property
    def laws(self) -> tuple[Law, ...]:
        """What a test has to do, the first thing first."""
        return (
            Law(rule="it is filled in", broken=_blank),
            Law(rule="it says the same when it is asked again", broken=self._unsteady),
            Law(
                rule="every right function is spared",
                broken=lambda one: self.candidates.unspared(self._tried(one)),
            ),
            Law(
                rule=self.candidates.rule,
                broken=lambda one: self.candidates.missed(
                    self._tried(one), f"{_returned(one)}It catches"
                ),
            ),
        )

    def judge(self, one: Seen) -> str | None:
        """Accept whatever obeys the laws."""
        return None

    def view(self, one: Seen) -> tuple[Any, ...]:
        """Return whom it refused."""
        return self.candidates.view(None if _blank(one) else self._tried(one))

    def _tried(self, one: Seen) -> list[Tried]:
        """Return what the test said of each candidate, in their own order."""
        said, order = one.returned[0], self.candidates.order()
        pairs = zip(order, said[: len(order)], reversed(said[len(order) :]), strict=True)
        known = {number: _tried_twice(first, second) for number, first, second in pairs}
        return [known[number] for number in range(len(order))]

    def _unsteady(self, one: Seen) -> str | None:
        if all(tried.steady for tried in self._tried(one)):
            return None
        return (
            "Asked twice about the same function, it raised once and once it did not. Let every "
            "draw come from a generator with a seed of its own, and keep nothing from one call to "
            "the next"
        )

    def mistakes(self) -> tuple[Misconception, ...]:
        """Return the ways to write a useless test that are the same for every function."""
        return (
            matched(
                "TEST-NOTHING",
                "Nothing makes it fail: every candidate passes, whatever it returns. A test fails "
                "by raising an error. `assert` does, and torch.testing.assert_close; a comparison "
                "that is returned, printed or dropped does not, and an error that is caught is "
                "gone.",
                lambda candidate: None,
            ),
            matched(
                "TEST-ALL",
                "It fails for every candidate, right and wrong alike, and so it says nothing of "
                "any. Call it with a function of yours that you know to be right.",
                _fails,
            ),
        )


def _fails(candidate: Answer) -> None:
    raise AssertionError


def _blank(one: Seen) -> str | None:
    said = one.returned[0]
    if all(isinstance(each, Error) and "NotImplementedError" in each.kinds for each in said):
        return "This task is not filled in yet"
    return None


def _returned(one: Seen) -> str:
    if any(isinstance(each, bool) for each in numbers(one.returned[0])):
        return "It returns True or False, and nobody reads that: a test fails by raising. "
    return ""


def _tried_twice(first: Any, second: Any) -> Tried:
    refused = isinstance(first, Error), isinstance(second, Error)
    error = next((said for said in (first, second) if isinstance(said, Error)), None)
    return Tried(all(refused), refused[0] == refused[1], "" if error is None else _why(error))


def _why(error: Error) -> str:
    """Say what a test raised, and where."""
    where = f" in line {error.line[0]}, `{error.line[1].strip()}`" if error.line else ""
    lines = [line.strip().rstrip(".") for line in error.text.splitlines() if line.strip()]
    told = [line for number, line in enumerate(lines) if number == 0 or "reatest absolute" in line]
    return f"For the first of them it raised{where}: {': '.join([error.kinds[0], *told])}"
