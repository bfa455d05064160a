"""Whom a verdict asks: the answer's witness, and the exercise's own functions, run here."""

import zlib
from typing import Any

from grading import recordings
from grading.apart import Apart, Stand
from grading.exercise import Answer, Exercise, Probe
from grading.late import torch
from grading.observation.seen import UnanswerableError
from grading.observation.values import DATA, Inputs
from grading.verdict.case import REFERENCE, Who
from grading.witness.calling import settings_kept
from grading.witness.conversion import given, plain
from grading.witness.observe import Witness

__all__ = ["RIGHT", "Live", "called_back", "draw", "function_of"]

#: Right answers in other styles go by this code, and their number.
RIGHT = "right"


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
    """Return the function of the catalogue that a name, or a code and a number, stands for.

    Raises:
        UnanswerableError: if there is none.
    """
    known: dict[Who, Answer] = {REFERENCE: exercise.reference}
    known |= dict(exercise.functions.items())
    known |= {(RIGHT, number): one for number, one in enumerate(exercise.alternatives)}
    for mistake in exercise.misconceptions:
        variants = enumerate((mistake.wrong, *mistake.also))
        known |= {(mistake.code, number): one for number, one in variants}
    product = exercise.steps.function(who) if exercise.steps and isinstance(who, tuple) else None
    function = known.get(who, product)
    if function is None:
        raise UnanswerableError(f"{exercise.name} has no function {who!r}")
    return function


def called_back(exercise: Exercise, name: str, arguments: tuple[Any, ...]) -> Any:
    """Run one of the exercise's functions for a witness that asks for it; plain data both ways."""
    with settings_kept():
        return plain(exercise.functions[name](*(given(argument) for argument in arguments)))


class Live(Apart):
    """Asks the answer's witness, and runs everybody else here.

    What a function of the catalogue does on a probe never changes: it is kept, and looked for in
    the recordings of an earlier run.

    Args:
        exercise: the task.
        answer: stands beside the answer; or says which function of the catalogue is the answer.
    """

    def __init__(self, exercise: Exercise, answer: Stand | Who) -> None:
        super().__init__(exercise, answer, recordings.of(exercise), self._beside)

    def drawn(self, probe: Probe) -> Inputs:
        """Draw a probe's inputs."""
        return draw(self.exercise, probe)

    def _beside(self, who: Who) -> Witness:
        function, exercise = function_of(self.exercise, who), self.exercise
        return Witness(function, lambda name, given: called_back(exercise, name, given))
