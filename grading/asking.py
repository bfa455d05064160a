"""Whom a verdict asks: the answer's witness, and the exercise's own functions, run here."""

import zlib
from typing import Any, Protocol

from grading import recordings
from grading.exercise import Answer, Exercise, Probe
from grading.late import torch
from grading.observation.seen import Observation, Request
from grading.observation.values import DATA, Inputs
from grading.verdict.case import ANSWER, REFERENCE, Variant, Who, varied
from grading.witness.calling import settings_kept
from grading.witness.conversion import given, plain
from grading.witness.observe import Witness

__all__ = ["RIGHT", "Live", "Stand", "called_back", "draw", "function_of"]

#: Right answers in other styles go by this code, and their number.
RIGHT = "right"


class Stand(Protocol):
    """Whoever stands beside the answer: a `Witness` here, or a `Remote` elsewhere."""

    def observe(self, request: Request) -> Observation:
        """Do what the request says, and tell what was seen."""
        ...


def draw(exercise: Exercise, probe: Probe) -> Inputs:
    """Draw a probe's inputs as plain data; the same ones every time."""
    seed = zlib.crc32(f"{exercise.name}/{probe.name}".encode())
    with settings_kept():
        drawn = probe.draw(torch.Generator().manual_seed(seed))
        return {
            name: value if isinstance(value, DATA) else plain(value)
            for name, value in drawn.items()
        }


def function_of(exercise: Exercise, who: Who) -> Answer:
    """Return the function of the catalogue that a name, or a code and a number, stands for."""
    if who == REFERENCE:
        return exercise.reference
    if isinstance(who, str):
        return exercise.functions[who]
    code, number = who
    if code == RIGHT:
        return exercise.alternatives[number]
    wrong = {mistake.code: (mistake.wrong, *mistake.also) for mistake in exercise.misconceptions}
    return wrong[code][number]


def called_back(exercise: Exercise, name: str, arguments: tuple[Any, ...]) -> Any:
    """Run one of the exercise's functions for a witness that asks for it; plain data both ways."""
    with settings_kept():
        return plain(exercise.functions[name](*(given(argument) for argument in arguments)))


class Live:
    """Asks the answer's witness, and runs everybody else here.

    What a function of the catalogue does on a probe never changes: it is kept, and looked for in
    the recordings of an earlier run.

    Args:
        exercise: the task.
        answer: stands beside the answer; or says which function of the catalogue is the answer.
    """

    def __init__(self, exercise: Exercise, answer: Stand | Who) -> None:
        self.exercise = exercise
        self.answer = answer
        self.recording = recordings.of(exercise)

    def inputs(self, probe: Probe, variant: Variant = "as drawn") -> Inputs:
        """Return a probe's inputs, or a variant of them: the very same object every time."""
        known = self.recording.inputs
        if (probe.name, variant) not in known:
            is_drawn = variant == "as drawn"
            known[probe.name, variant] = (
                draw(self.exercise, probe) if is_drawn else varied(self.inputs(probe), variant)
            )
        return known[probe.name, variant]

    def observe(
        self, who: Who, inputs: Inputs, see: tuple[str, ...] = ("value",), *, aloud: bool = False
    ) -> Observation | None:
        """Return what somebody does on some inputs."""
        exercise = self.exercise
        request = Request(
            inputs=inputs,
            see=see,
            seconds=exercise.time_limit,
            forbidden=exercise.forbidden,
            parameters=exercise.parameters,
            aloud=aloud and not isinstance(self.answer, str | tuple),
        )
        if who == ANSWER and not isinstance(self.answer, str | tuple):
            return self.answer.observe(request)
        named = self.answer if who == ANSWER and isinstance(self.answer, str | tuple) else who
        known, place = self.recording.known, self.recording.place(named, inputs)
        if place is None:
            return self._run(named, request)
        if (named, *place, see) not in known:
            known[named, *place, see] = self._run(named, request)
        return known[named, *place, see]

    def _run(self, who: Who, request: Request) -> Observation:
        function, exercise = function_of(self.exercise, who), self.exercise
        witness = Witness(function, lambda name, given: called_back(exercise, name, given))
        return witness.observe(request)
