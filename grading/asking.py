"""Whom a verdict asks: the answer's witness, and the exercise's own functions, run here."""

import inspect
import warnings
import zlib
from functools import wraps
from typing import Any

from grading import recordings
from grading.apart import Apart, Stand
from grading.exercise import Answer, Exercise, Probe
from grading.late import torch
from grading.observation.seen import Error, Observation, Request, UnanswerableError
from grading.observation.values import DATA, Inputs
from grading.verdict.case import REFERENCE, Who
from grading.witness.calling import outcome, settings_kept
from grading.witness.conversion import given, plain
from grading.witness.observe import Witness
from grading.witness.registry import handed_over

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
    own = who in exercise.functions  # what a law asks for has arguments of its own
    return function if own else _with_defaults(exercise, function)


def _with_defaults(exercise: Exercise, function: Answer) -> Answer:
    """Let a function of the catalogue be called as the contract says, without its last arguments.

    So the defaults stand in the exercise once, and not in each of its functions.
    """
    if not exercise.defaults:
        return function
    needed = len(exercise.parameters) - len(exercise.defaults)
    stand_ins = list(exercise.defaults.values())

    @wraps(function)
    def filled(*given: Any) -> Any:
        return function(*given, *stand_ins[len(given) - needed :])

    one = inspect.Parameter
    taken = [
        one(name, one.POSITIONAL_OR_KEYWORD, default=exercise.defaults.get(name, one.empty))
        for name in exercise.parameters
    ]
    filled.__signature__ = inspect.Signature(taken)  # type: ignore[attr-defined]
    return filled


def called_back(exercise: Exercise, name: str, arguments: tuple[Any, ...]) -> Any:
    """Run one of the exercise's functions for a witness that asks for it; plain data both ways.

    Raises:
        Exception: what the function raised, made anew: nothing of its code comes with it.
    """
    try:
        with settings_kept():
            return plain(exercise.functions[name](*(given(argument) for argument in arguments)))
    except Exception as error:
        told = Error.of(error)
    raise told.again()


class _Bystander:
    """Stands beside a product of two mistakes and tells its value or its error, and no more.

    Hundreds are asked at once. They are our own functions: they end, and no word of theirs counts.
    """

    def __init__(self, function: Answer) -> None:
        self.function = function

    def observe(self, request: Request) -> Observation:
        """Tell what the function returns or raises."""
        with settings_kept(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            called = outcome(self.function, handed_over(request.inputs, None))
            if called.error is not None:
                return Observation(error=Error.of(called.error))
            return Observation(value=plain(called.value))


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

    def _beside(self, who: Who) -> Stand:
        function, exercise = function_of(self.exercise, who), self.exercise
        if isinstance(who, tuple) and exercise.steps and who in exercise.steps.products:
            return _Bystander(function)
        return Witness(function, lambda name, given: called_back(exercise, name, given))
