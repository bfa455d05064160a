"""How inputs are graded that a learner chooses: on which of them do wrong functions part?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from grading.exercise import Answer, Inputs, Law, Seen
from grading.exercises.shared.candidates import Candidates, Tried
from grading.late import torch
from grading.observation.seen import Error
from grading.observation.values import Array, described, volume

__all__ = ["CANDIDATES", "ChosenInputs"]

#: What runs every candidate on the inputs is called.
CANDIDATES = "the candidates"
#: So many numbers are plenty in one set of inputs.
MOST = 10**4


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenInputs:
    """A few sets of inputs: a candidate is refused that differs from the reference on one of them.

    All candidates run outside of the learner's function, on inputs in float64.

    Attributes:
        candidates: who is tried.
        most: how many sets may be chosen.
        kinds: what each argument has to be, by its name.
    """

    candidates: Candidates
    most: int
    kinds: Mapping[str, Literal["floats", "booleans or None"]]

    @property
    def functions(self) -> dict[str, Answer]:
        """What the verdict asks: all candidates on all sets."""
        return {CANDIDATES: self._parted}

    @property
    def laws(self) -> tuple[Law, ...]:
        """What the inputs have to do, the first thing first."""
        return (
            Law(rule="the inputs can be tried", broken=self._trouble),
            Law(
                rule="the right functions agree on them",
                broken=lambda one: self.candidates.unspared(
                    self._tried(one), "They part the reference from"
                ),
            ),
            Law(
                rule=self.candidates.rule,
                broken=lambda one: self.candidates.missed(
                    self._tried(one), "They catch", "passes unseen"
                ),
            ),
        )

    def judge(self, one: Seen) -> str | None:
        """Accept whatever obeys the laws."""
        return None

    def view(self, one: Seen) -> tuple[Any, ...]:
        """Return who parted from the reference."""
        return self.candidates.view(None if self._trouble(one) else self._tried(one))

    def _parted(self, sets: list[tuple[Any, ...]]) -> list[list[str]]:
        """Return for each candidate how it parted from the reference on each set; "" if not."""
        wide = [tuple(map(_wide, chosen)) for chosen in sets]
        truths = [self.candidates.of.reference(*chosen) for chosen in wide]
        return [
            [_part(function, chosen, truth) for chosen, truth in zip(wide, truths, strict=True)]
            for function in self.candidates.functions
        ]

    def _asked(self, one: Seen) -> list[list[str]] | str:
        """Return how the candidates parted, or why they cannot be tried."""
        sets = [tuple(chosen) for chosen in one.returned[0]]
        seen = one.observe(CANDIDATES, {"sets": sets})
        if seen is None:
            return "Whether these inputs show anything cannot be tried here"
        if seen.timed_out:
            return "The functions take too long on these inputs. Choose smaller ones"
        if isinstance(seen.error, Error):
            return (
                "On these inputs a right function raises "
                f"{seen.error.kinds[0]}: {seen.error.first_line}"
            )
        parted: list[list[str]] = seen.value
        return parted

    def _tried(self, one: Seen) -> list[Tried]:
        parted = self._asked(one)
        assert not isinstance(parted, str), "another law has said so"
        return [Tried(refused=any(each), why=_where(each)) for each in parted]

    def _trouble(self, one: Seen) -> str | None:
        sets = one.returned[0]
        if not isinstance(sets, list | tuple) or not 1 <= len(sets) <= self.most:
            count = f"of {len(sets)}" if isinstance(sets, list | tuple) else ""
            words = f"a {type(sets).__name__} {count}" if count else described(sets)
            return f"Return a list of 1 to {self.most} sets of inputs; yours is {words}".rstrip()
        for number, chosen in enumerate(sets):
            if trouble := self._trouble_of(chosen):
                return f"In set {number}, {trouble}"
        parted = self._asked(one)
        return parted if isinstance(parted, str) else None

    def _trouble_of(self, chosen: Any) -> str:
        names = ", ".join(self.kinds)
        if not isinstance(chosen, tuple | list):
            return f"the inputs have to be a tuple, ({names}); yours is {described(chosen)}"
        if len(chosen) != len(self.kinds):
            return f"the inputs are {names}; you give {len(chosen)}"
        inputs: Inputs = dict(zip(self.kinds, chosen, strict=True))
        odd = (_odd(name, inputs[name], kind) for name, kind in self.kinds.items())
        if found := next(filter(None, odd), ""):
            return found
        size = volume(inputs)
        return f"there are {size} numbers; {MOST} are enough" if size > MOST else ""


def _odd(name: str, value: Any, kind: str) -> str:
    """Say what keeps an input from being tried; "" where nothing does."""
    if kind == "booleans or None" and value is None:
        return ""
    if not isinstance(value, Array) or value.kind != "tensor" or value.numbers is None:
        is_odd = isinstance(value, Array) and value.odd
        words = f"{value.odd} tensor" if is_odd else described(value)
        return f"{name} has to be a tensor; yours is {words}"
    if kind == "booleans or None":
        is_right, wanted = value.dtype == "bool", "True or False"
    else:
        is_right, wanted = value.numbers.dtype.kind == "f", "floating-point numbers"
    if not is_right:
        return f"{name} has to hold {wanted}; yours is {described(value)}"
    if kind == "floats" and not np.isfinite(value.numbers).all():
        return f"{name} holds an infinity or NaN, for which the contract says nothing"
    return ""


def _where(parted: list[str]) -> str:
    number = next((number for number, how in enumerate(parted) if how), None)
    return "" if number is None else f"In set {number} one of them {parted[number]}"


def _wide(value: Any) -> Any:
    return value.double() if value is not None and value.is_floating_point() else value


def _part(function: Answer, chosen: tuple[Any, ...], truth: Any) -> str:
    try:
        result = function(*(value.clone() if value is not None else None for value in chosen))
    except Exception as error:
        return f"raises {type(error).__name__}: {(str(error).splitlines() or [''])[0].rstrip('.')}"
    return "" if _agree(result, truth) else "gives another result than the reference"


def _agree(result: Any, truth: Any) -> bool:
    if isinstance(truth, tuple | list):
        several = isinstance(result, tuple | list) and len(result) == len(truth)
        return several and all(_agree(a, b) for a, b in zip(result, truth, strict=True))
    is_tensor = isinstance(result, torch.Tensor) and result.shape == truth.shape
    return is_tensor and bool(torch.allclose(result.double(), truth.double(), 1e-5, 1e-8))
