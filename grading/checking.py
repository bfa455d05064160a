"""What a notebook's check cell calls: one answer in, one result out, and never an exception."""

import difflib
from contextlib import suppress
from typing import Any

from grading.asking import Live, called_back
from grading.exercise import Exercise
from grading.exercises import find, names
from grading.journal.notes import keep
from grading.observation.seen import UnanswerableError
from grading.observation.values import Array, LeftOut, described
from grading.verdict.judge import Verdict, judge
from grading.verdict.record import UNJUDGED, Record
from grading.witness.calling import call
from grading.witness.conversion import plain
from grading.witness.observe import Witness
from grading.witness.registry import handed_over
from grading.witness.saying import show
from grading.words.result import CheckResult

__all__ = ["check"]

#: As many characters of what a function printed are shown for the inputs on which it failed.
SAID = 2000
#: Seconds for each look at what was handed in: its own methods may take for ever.
SECONDS = 5.0


def check(answer: Any, exercise: str | None = None) -> CheckResult:
    """Check an answer and say what is wrong with it.

    Args:
        answer: the function. A witness runs it here and tells what it did; what judges sees that
            alone, so that it can judge a function of another process as well.
        exercise: the exercise's name; None takes the function's own.

    Returns:
        The result, which shows itself. A refused answer has 0 points. Nothing is raised, whatever
        the answer is or does; what it prints and warns is left as it is.
    """
    try:
        name = exercise if exercise is not None else call(_name, [answer], SECONDS).value
        task = find(name) if isinstance(name, str) else None
        if task is None:
            words = call(_unknown, [name, answer], SECONDS).value or NO_FUNCTION
            return _refusal(name if isinstance(name, str) else "", words)
    except Exception as error:
        return _unjudged("", f"The exercises could not be read: {type(error).__name__}: {error}")

    def called(name: str, given: tuple[Any, ...]) -> Any:
        return called_back(task, name, given)

    witness = Witness(answer, called)
    try:
        verdict = judge(task, Live(task, witness))
    except UnanswerableError as error:
        return _unjudged(task.name, f"Your answer was not judged, and that is our fault: {error}.")
    _say_again(verdict)
    _note(task, verdict)
    # What the call left out is left out again: `softmax(**result.inputs)` calls it the same way.
    inputs = {n: v for n, v in verdict.inputs.items() if not isinstance(v, LeftOut)}
    return CheckResult(
        verdict.record,
        lambda: dict(zip(inputs, handed_over(inputs, called), strict=True)),
    )


NO_FUNCTION = (
    "check takes a function, for example check(softmax). Write the function's name without "
    "brackets behind it."
)


def _refusal(name: str, message: str) -> CheckResult:
    """Say that nothing could be checked, because no exercise of that name is known."""
    return _without_points(name, "check knows the exercise", message)


def _unjudged(name: str, message: str) -> CheckResult:
    """Say that the check failed, not the answer; whoever grades takes it for no mark."""
    return _without_points(name, UNJUDGED, message)


def _without_points(name: str, rule: str, message: str) -> CheckResult:
    record = Record(
        exercise=name, passed=False, points=0.0, max_points=0.0, rule=rule, parts=(message,)
    )
    return CheckResult(record)


def _name(answer: Any) -> str | None:
    name = answer.__name__
    return name if type(name) is str else None


def _unknown(name: Any, answer: Any) -> str:
    if isinstance(answer, str):
        return f"check takes the function itself, without quotes: check({answer})."
    if name is None:
        got = f"; it got {described(plain(answer))}."
        return NO_FUNCTION.replace(".", got, 1)
    known = names()
    near = difflib.get_close_matches(str(name), known, n=1)
    guess = f"Did you mean {near[0]}? " if near else ""
    return (
        f'No exercise is called "{name}". {guess}A function under another name is checked with '
        f'check(f, exercise="{near[0] if near else known[0]}").'
    )


def _note(task: Exercise, verdict: Verdict) -> None:
    """Note the check in the learner's journal; whatever goes wrong there is no check's fault."""
    with suppress(Exception):
        value = verdict.seen[0].seen.value if task.kind == "predict" and verdict.seen else None
        if isinstance(value, Array) and value.shape == () and value.numbers is not None:
            value = value.numbers.item()
        is_number = isinstance(value, int | float)
        words = keep(verdict.record, f"{value:g}" if is_number else "")
        if words:
            print(words)


def _say_again(verdict: Verdict) -> None:
    """Print what the function printed, and warned of, on the inputs on which it failed."""
    for number, one in enumerate(verdict.seen):
        if number == 0 or verdict.finding is None or one.probe.name != verdict.finding.probe:
            continue
        if one.seen.said.strip():
            print(f'[printed with the inputs "{one.probe.name}"]\n{one.seen.said.rstrip()[:SAID]}')
        known = {warned.text for warned in verdict.seen[0].seen.warned}
        new = [warned for warned in one.seen.warned if warned.text not in known]
        call(show, [new, f'[with the inputs "{one.probe.name}"] '], SECONDS)
