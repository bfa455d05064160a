"""What a function does on an exercise's probes, as the verdict sees it."""

from typing import Any

from grading.asking import Live
from grading.exercise import Exercise
from grading.verdict.case import ANSWER, REFERENCE, Case, Trial
from grading.witness.observe import Witness


def case(exercise: Exercise, answer: Any) -> Case:
    """A function under check."""
    return Case(exercise, Live(exercise, Witness(answer)))


def trials(one: Case) -> tuple[list[Trial], list[Trial]]:
    """What the answer and the reference do on every probe."""
    answers = [one.trial(ANSWER, probe) for probe in one.exercise.probes]
    truths = [one.trial(REFERENCE, probe) for probe in one.exercise.probes]
    return [a for a in answers if a is not None], [t for t in truths if t is not None]
