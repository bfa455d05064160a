"""A case: one answer to one exercise, and whom the verdict may ask about it."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from grading.exercise import Exercise, Probe, Seen, Tolerance
from grading.observation.seen import Observation, UnanswerableError
from grading.observation.values import Array, Inputs, Randomness, framed, numbers
from grading.verdict.compare import same

__all__ = [
    "ANSWER",
    "REFERENCE",
    "Asked",
    "Case",
    "Numbers",
    "StoppedError",
    "Trial",
    "UnseenError",
    "Variant",
    "Who",
    "quiet",
    "varied",
]

#: Somebody whose behaviour can be observed: the answer, the reference, a function of the exercise's
#: by its name, or a mistake by its code and the number of its variant.
Who = str | tuple[str, int]
#: A probe's inputs "as drawn"; in "float32" or "bfloat16", which is for floating-point tensors; or
#: with its generators seeded anew, "seed 1", "seed 1 again", "seed 2" and so on.
Variant = str
ANSWER, REFERENCE = "the answer", "the reference"
Numbers = np.ndarray[Any, Any]


@contextmanager
def quiet() -> Iterator[None]:
    """Let the numbers of a wrong answer overflow in silence while they are judged."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


class UnseenError(Exception):
    """What an answer returned cannot be looked at; the text names the error that this raised."""


class StoppedError(Exception):
    """The answer was stopped where a law, a view or the exercise's own judge asked it again."""


class Asked(Protocol):
    """Whoever knows the inputs of each probe, and what somebody does on inputs."""

    def inputs(self, probe: Probe, variant: Variant = "as drawn") -> Inputs:
        """Return a probe's inputs, or a variant of them: the very same object every time."""
        ...

    def observe(
        self, who: Who, inputs: Inputs, see: tuple[str, ...] = ("value",), *, aloud: bool = False
    ) -> Observation | None:
        """Return what somebody does on some inputs; None where that cannot be asked."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """What somebody did on one probe.

    Attributes:
        inputs: what it was given.
        seen: what was observed.
        outputs: its results, one per output of the exercise; None where it did not return those.
        view: the numbers that are compared and shown.
        frame: all else that is compared; it holds the places of the numbers.
    """

    probe: Probe
    inputs: Inputs
    seen: Observation
    outputs: tuple[Any, ...] | None
    view: list[Numbers] | None
    frame: Any = ()

    def agrees(self, other: "Trial", tolerance: Tolerance) -> bool:
        """Return whether two hold the same numbers in the same frame; nothing agrees with none."""
        if self.view is None or other.view is None or not self.frame or self.frame != other.frame:
            return False
        return same(self.view, other.view, tolerance)


@dataclass(slots=True, eq=False)
class Case:
    """An exercise, whom to ask, and whether the answer was stopped, or has used up all its time."""

    exercise: Exercise
    asked: Asked
    was_stopped: bool = field(default=False, init=False)
    is_over: bool = field(default=False, init=False)

    def observe(
        self, who: Who, inputs: Inputs, see: tuple[str, ...] = ("value",), *, aloud: bool = False
    ) -> Observation | None:
        """Ask what somebody does on some inputs.

        Raises:
            UnseenError: if what the answer returned cannot be looked at.
            UnanswerableError: if somebody else was stopped, or cannot be looked at.
        """
        seen = self.asked.observe(who, inputs, see, aloud=aloud)
        if seen is None:
            return None
        if who == ANSWER:
            self.was_stopped |= seen.timed_out
            self.is_over |= seen.in_total
            if seen.unseen:
                raise UnseenError(seen.unseen)
        # A function may get inputs of the learner's own, and may take too long for those.
        elif seen.unseen or (seen.timed_out and who not in self.exercise.functions):
            how = f"raised {seen.unseen}" if seen.unseen else "was stopped; is the machine busy?"
            raise UnanswerableError(f"{who!r} of {self.exercise.name} {how}")
        return seen

    def seen(self, who: Who, probe: Probe, *see: str) -> Observation:
        """Return what somebody does on a probe.

        Raises:
            UnanswerableError: if nobody can tell.
        """
        return self._known(self.observe(who, self.asked.inputs(probe), see), who, probe)

    def _known(self, seen: Observation | None, who: Who, probe: Probe) -> Observation:
        if seen is None:
            raise UnanswerableError(
                f"what {who!r} of {self.exercise.name} does on {probe.name!r} is not recorded, "
                "and nobody can be asked"
            )
        return seen

    def trial(
        self, who: Who, probe: Probe, inputs: Inputs | None = None, *, aloud: bool = False
    ) -> Trial:
        """Return what somebody does on a probe, or on other inputs in its place.

        Raises:
            UnanswerableError: if nobody can tell.
        """
        given = self.asked.inputs(probe) if inputs is None else inputs
        seen = self._known(self.observe(who, given, aloud=aloud), who, probe)
        return self.seen_as_trial(probe, given, seen)

    def attempt(self, who: Who, probe: Probe, inputs: Inputs) -> Trial | None:
        """Return what somebody does on inputs cut from a probe's; None if nobody can tell."""
        seen = self.observe(who, inputs)
        return None if seen is None else self.seen_as_trial(probe, inputs, seen)

    def seen_as_trial(self, probe: Probe, given: Inputs, seen: Observation) -> Trial:
        """Return an observation with what the exercise compares of it."""
        outputs = _outputs(self.exercise, seen)
        one = Trial(probe, given, seen, outputs, None)
        frame, view = self._view(one)
        return Trial(probe, given, seen, outputs, view, frame)

    def judged(self, one: Trial) -> Seen:
        """Return an answer as the exercise's own judge, laws and view see it."""
        assert one.outputs is not None
        return Seen(
            inputs=numbers(one.inputs),
            outputs=numbers(one.outputs),
            returned=one.outputs,
            seen=one.seen,
            observe=lambda who, inputs, *see: self._asked(who, inputs, see or ("value",)),
        )

    def _asked(self, name: str, inputs: Inputs, see: tuple[str, ...]) -> Observation | None:
        seen = self.observe(self._who(name), inputs, see)
        if seen is not None and seen.timed_out and name == ANSWER:
            raise StoppedError
        return seen

    def _who(self, name: str) -> Who:
        """Return whom an exercise's own judge or law means; a code is a mistake's first variant."""
        codes = [mistake.code for mistake in self.exercise.misconceptions]
        known = (ANSWER, REFERENCE, *self.exercise.functions)
        if name not in known and name not in codes:
            listed = ", ".join((*known, *codes))
            raise UnanswerableError(f"{self.exercise.name} knows {listed}; not {name!r}")
        return name if name in known else (name, 0)

    def _view(self, one: Trial) -> tuple[Any, list[Numbers] | None]:
        if one.outputs is None:
            return (), None
        if self.exercise.view is None:
            return framed(one.outputs)
        try:
            with quiet():
                return framed(self.exercise.view(self.judged(one)))
        except (UnanswerableError, StoppedError):
            raise
        except Exception:
            # The view expects results of the right kind; a wrong kind is another rule's finding.
            return (), None


def _outputs(exercise: Exercise, seen: Observation) -> tuple[Any, ...] | None:
    if not seen.returned:
        return None
    if len(exercise.outputs) == 1:
        return (seen.value,)
    several = isinstance(seen.value, tuple | list)
    if several and len(seen.value) == len(exercise.outputs):
        return tuple(seen.value)
    return None


def varied(inputs: Inputs, variant: Variant) -> Inputs:
    """Return a variant of a probe's inputs."""
    return {name: _varied(value, variant) for name, value in inputs.items()}


def _varied(value: Any, variant: Variant) -> Any:
    if isinstance(value, Randomness) and variant.startswith("seed"):
        return Randomness(seed=int(variant.split()[1]))
    is_tensor = isinstance(value, Array) and value.kind == "tensor"
    if variant in ("float32", "bfloat16") and is_tensor and value.numbers.dtype.kind == "f":
        with quiet():
            held = value.numbers.astype(np.float32)
        if variant == "bfloat16":  # which has float32's first 16 bits
            held = (held.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)
        return Array("tensor", variant, held.shape, held)
    return value
