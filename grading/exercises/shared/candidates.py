"""Whom a learner's own test is tried on: right functions, and a wrong one for each mistake."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from grading.exercise import Answer, Exercise, Misconception
from grading.late import torch

__all__ = ["Candidates", "Tried", "matched", "moved"]

Views = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Tried:
    """What a test said of one candidate.

    Attributes:
        refused: whether it refused it.
        steady: whether it said the same when it was asked again.
        why: for a right function that was refused: what the test raised, in words.
    """

    refused: bool
    steady: bool = True
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """The right functions of an exercise and one wrong function for each of its mistakes.

    A mistake that shows in a gradient, a cost, changed inputs or a generator alone is left out: a
    candidate is called on copies, and only what it returns or raises comes back.

    Attributes:
        of: the exercise whose catalogue is used.
        share: how much of the wrong functions a test has to refuse.
        also_right: right functions beside the reference and the exercise's other right answers,
            such as PyTorch's own.
        unseen: the codes of mistakes that no call of a candidate can show: a default that is
            missing, for one, because a stand-in fills it in.
    """

    of: Exercise
    share: float
    also_right: tuple[Answer, ...] = ()
    unseen: tuple[str, ...] = ()

    @property
    def right(self) -> tuple[Answer, ...]:
        """The right functions, the reference first, and each of the last two as `moved`."""
        return (*self._as_written, *(moved(one) for one in self._compared))

    @property
    def _as_written(self) -> tuple[Answer, ...]:
        return (self.of.reference, *self.of.alternatives, *self.also_right)

    @property
    def _compared(self) -> tuple[Answer, ...]:
        return (self.of.reference, *self.also_right)

    @property
    def wrong(self) -> tuple[Misconception, ...]:
        """The mistakes, each of which its first function stands for."""
        return tuple(
            one
            for one in self.of.misconceptions
            if one.shows == "values" and one.code not in self.unseen
        )

    @property
    def functions(self) -> tuple[Answer, ...]:
        """All candidates: the right ones, then the wrong ones."""
        return (*self.right, *(mistake.wrong for mistake in self.wrong))

    @property
    def needed(self) -> int:
        """How many wrong functions a test has to refuse."""
        return math.ceil(self.share * len(self.wrong) - 1e-9)

    @property
    def rule(self) -> str:
        """The rule about the wrong functions."""
        count = len(self.wrong)
        few = f"at least {self.needed} of" if self.needed < count else "all"
        return f"{few} {count} wrong functions are caught"

    def handle(self, number: int) -> str:
        """Return what a candidate goes by: it says nothing of who that is."""
        text = f"{self.of.name}, candidate {number}"
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    def order(self) -> list[int]:
        """Return the candidates' numbers, mixed: neither right nor wrong ones stand first."""
        return sorted(range(len(self.functions)), key=self.handle)

    def unspared(self, tried: Sequence[Tried], refuses: str = "It refuses") -> str | None:
        """Say how many right functions were refused, and why the first one was; None if none."""
        refused = [one for one in tried[: len(self.right)] if one.refused]
        if not refused:
            return None
        return f"{refuses} {len(refused)} of {len(self.right)} right functions. {refused[0].why}"

    def missed(
        self, tried: Sequence[Tried], catches: str = "It catches", passes: str = "it lets pass"
    ) -> str | None:
        """Say how many wrong functions were caught, and name one that was not; None if enough."""
        pairs = zip(self.wrong, tried[len(self.right) :], strict=True)
        survivors = [mistake for mistake, one in pairs if not one.refused]
        caught = len(self.wrong) - len(survivors)
        if caught >= self.needed:
            return None
        first = survivors[0]
        return (
            f"{catches} {caught} of {len(self.wrong)} wrong functions; {self.needed} are needed. "
            f"One that {passes} is `{first.code}`: {first.sentence.rstrip('.')}"
        )

    def exact(self) -> Callable[[Views, Views], bool]:
        """Recognise a test that accepts right functions, but not with their last digit moved."""

        def recognise(seen: Views, truth: Views) -> bool:
            view = next(iter(seen.values()), None)
            said = view[0].tolist() if isinstance(view, list) and view else []
            if not said or not set(said) <= {0.0, 1.0}:
                return False
            written, right = len(self._as_written), len(self.right)
            compared = (0, *range(written - len(self.also_right), written))
            pairs = zip((said[number] for number in compared), said[written:right], strict=True)
            parted = [is_moved_refused for is_refused, is_moved_refused in pairs if not is_refused]
            return any(parted) and all(parted)

        return recognise

    def view(self, tried: Sequence[Tried] | None) -> tuple[Any, ...]:
        """Return what a test did, as numbers: 1 refused, 0 let pass, 0.5 both, −1 not tried."""
        if tried is None:
            return (np.full(len(self.functions), -1.0),)
        return (np.array([float(one.refused) if one.steady else 0.5 for one in tried]),)


def moved(function: Answer) -> Answer:
    """Return a function whose results differ from another's in the last digit only."""

    def move(value: Any) -> Any:
        if isinstance(value, tuple | list):
            return type(value)(move(entry) for entry in value)
        if isinstance(value, float) and math.isfinite(value):
            return math.nextafter(value, 0.0)
        if isinstance(value, torch.Tensor) and value.dtype in (torch.float32, torch.float64):
            nearer = torch.nextafter(value, torch.zeros_like(value))
            return torch.where(value.isfinite(), nearer, value)
        return value

    return lambda *arguments: move(function(*arguments))


def matched(code: str, sentence: str, *tests: Answer) -> Misconception:
    """Return a way to test too little, as tests that do it."""
    return Misconception(code=code, sentence=sentence, wrong=tests[0], also=tests[1:])
