"""Whom a verdict asks where there is no PyTorch: the answer elsewhere, recordings for the rest."""

from collections.abc import Callable
from typing import Protocol

from grading.exercise import Exercise, Probe
from grading.observation.remote import LostError
from grading.observation.seen import Observation, Request, UnanswerableError
from grading.observation.values import Inputs
from grading.recordings import Recording
from grading.verdict.case import ANSWER, Variant, Who, varied

__all__ = ["Apart", "Stand"]


class Stand(Protocol):
    """Whoever stands beside a function: a `Witness` here, or a `Remote` elsewhere."""

    def observe(self, request: Request) -> Observation:
        """Do what the request says, and tell what was seen."""
        ...


class Apart:
    """Asks an answer wherever it runs, and what is recorded of everybody else.

    Args:
        exercise: the task.
        answer: stands beside the answer; or says which function of the catalogue is the answer.
        recording: what the catalogue's own functions do on the probes.
        others: gives who stands beside a function of the catalogue, for what is not recorded. Where
            there is nobody, an example is not cut down, and an exercise whose judge runs functions
            on a learner's own inputs cannot be judged: that is an UnanswerableError.
    """

    def __init__(
        self,
        exercise: Exercise,
        answer: Stand | Who,
        recording: Recording,
        others: Callable[[Who], Stand] | None = None,
    ) -> None:
        self.exercise, self.answer = exercise, answer
        self.recording, self.others = recording, others

    def inputs(self, probe: Probe, variant: Variant = "as drawn") -> Inputs:
        """Return a probe's inputs, or a variant of them: the very same object every time."""
        known = self.recording.inputs
        if (probe.name, variant) not in known:
            is_drawn = variant == "as drawn"
            known[probe.name, variant] = (
                self.drawn(probe) if is_drawn else varied(self.inputs(probe), variant)
            )
        return known[probe.name, variant]

    def drawn(self, probe: Probe) -> Inputs:
        """Return inputs that are not recorded.

        Raises:
            UnanswerableError: always; they are drawn where PyTorch is.
        """
        name = self.exercise.name
        raise UnanswerableError(f"the inputs {probe.name!r} of {name} are not recorded")

    def observe(
        self, who: Who, inputs: Inputs, see: tuple[str, ...] = ("value",), *, aloud: bool = False
    ) -> Observation | None:
        """Return what somebody does on some inputs; None where that is not recorded."""
        exercise, answer = self.exercise, self.answer
        request = Request(
            inputs=inputs,
            see=see,
            seconds=exercise.time_limit,
            forbidden=exercise.forbidden,
            parameters=exercise.parameters,
            optional=len(exercise.defaults),
            aloud=aloud and not isinstance(answer, str | tuple),
        )
        if who == ANSWER and not isinstance(answer, str | tuple):
            return answer.observe(request)
        named = answer if who == ANSWER and isinstance(answer, str | tuple) else who
        known, place = self.recording.known, self.recording.place(named, inputs)
        if place is not None and (named, *place, see) in known:
            return known[named, *place, see]
        if self.others is None and request.inputs and named in exercise.functions:
            # Without them nothing true can be said of an answer that chose these inputs.
            raise UnanswerableError(f"{named!r} of {exercise.name} has to be run, and nobody can")
        if self.others is None:
            return None
        try:
            seen = self.others(named).observe(request)
        except LostError as error:
            raise UnanswerableError(f"{named!r} of {exercise.name}: {error}") from error
        if place is not None and not seen.timed_out:  # the machine may be less busy next time
            self.recording.keep(named, place, see, seen, inputs)
        return seen
