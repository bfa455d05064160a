"""What a notebook's check cell calls: one answer in, one result out, and never an exception."""

import difflib
from dataclasses import replace
from typing import Any

from grading.calling import all_calls_within
from grading.contract import Finding, described, signature_finding
from grading.diagnose import diagnose
from grading.exercise import Answer, Exercise
from grading.exercises import find, names
from grading.observe import Observation, observe, warn_again
from grading.own_work import borrowed
from grading.present import failure, refusal, success
from grading.result import CheckResult
from grading.rules import first_finding, retold
from grading.shrink import Example, smallest_example

__all__ = ["check"]

#: As many characters of what a function printed are shown for the inputs on which it failed.
SAID = 2000


def check(answer: Any, exercise: str | None = None) -> CheckResult:
    """Check an answer and say what is wrong with it.

    Args:
        answer: the function. It is called and never read: a stand-in for a function that lives in
            another process works as well.
        exercise: the exercise's name; None takes the function's own.

    Returns:
        The result, which shows itself. A refused answer has 0 points. Nothing is raised, whatever
        the answer is or does; what it prints and warns is left as it is.
    """
    try:
        name = exercise if exercise is not None else _name(answer)
        task = find(name) if isinstance(name, str) else None
        if task is None:
            return refusal(name if isinstance(name, str) else "", _unknown(name, answer))
    except Exception as error:
        return refusal("", f"The exercises could not be read: {type(error).__name__}: {error}")
    try:
        return _checked(task, answer)
    except BaseException as error:  # an answer can be built to break whatever looks at it
        message = f"Looking at your answer raised an error: {type(error).__name__}. "
        message += "Return ordinary tensors, arrays or numbers."
        return failure(task, Finding("the answer can be examined", message))


def _name(answer: Any) -> str | None:
    try:
        name = answer.__name__
    except BaseException:  # an attribute can raise anything
        return None
    return name if isinstance(name, str) else None


def _unknown(name: Any, answer: Any) -> str:
    if isinstance(answer, str):
        return f"check takes the function itself, without quotes: check({answer})."
    if name is None:
        return (
            f"check takes a function, for example check(softmax); it got {described(answer)}. "
            "Write the function's name without brackets behind it."
        )
    known = names()
    near = difflib.get_close_matches(str(name), known, n=1)
    guess = f"Did you mean {near[0]}? " if near else ""
    return (
        f'No exercise is called "{name}". {guess}A function under another name is checked with '
        f'check(f, exercise="{near[0] if near else known[0]}").'
    )


def _checked(task: Exercise, answer: Answer) -> CheckResult:
    finding = signature_finding(task, answer)
    if finding is not None:
        return failure(task, finding)
    with all_calls_within(answer):
        return _judged(task, answer)


def _judged(task: Exercise, answer: Answer) -> CheckResult:
    seen = []
    for number, probe in enumerate(task.probes):
        # The learner's own printing is shown once and not once for each probe.
        seen.append(observe(task, answer, probe, quiet=number > 0))
        if seen[-1].called.timed_out:
            break
    probes = [one.probe for one in seen]
    # Where the exercise judges by itself there is nothing to compare with.
    judged = task.judge is not None
    truth = seen if judged else [observe(task, task.reference, p, quiet=True) for p in probes]
    finding = first_finding(task, answer, seen, truth)
    if finding is None or finding.stage == "cost":  # who borrows a product need not hear its size
        name = borrowed(task, answer, task.probes[0])
        if name is not None:
            message = f"It uses {name}. This task asks for your own version, so it earns nothing."
            return failure(task, Finding("the work is your own", message))
    if finding is None:
        return success(task, truth)
    mistake = diagnose(task, finding, seen, truth) if finding.stage else None
    example = None
    if finding.stage == "values":
        finding, example = _shown(task, answer, finding, seen, truth)
    if mistake is not None:  # which says more than a guess
        finding = replace(finding, remark="")
    _say_again(answer, finding, seen)
    return failure(task, finding, mistake, example)


def _shown(
    task: Exercise,
    answer: Answer,
    finding: Finding,
    seen: list[Observation],
    truth: list[Observation],
) -> tuple[Finding, Example | None]:
    """Return the smallest example, and the finding in the words of that example."""
    example = smallest_example(task, answer, seen, truth)
    if example is None:
        return finding, None
    told = retold(task, finding, example.mine, example.right)
    if told is finding and example.probe.name != finding.probe:
        # Another rule breaks on the smallest inputs: those that broke this one say more.
        at = [number for number, one in enumerate(seen) if one.probe.name == finding.probe]
        same = smallest_example(task, answer, [seen[i] for i in at], [truth[i] for i in at])
        if same is not None:
            told, example = retold(task, finding, same.mine, same.right), same
    return told, example


def _say_again(answer: Answer, finding: Finding, seen: list[Observation]) -> None:
    """Print what the function printed, and warned of, on the inputs on which it failed."""
    for number, one in enumerate(seen):
        if number == 0 or one.probe.name != finding.probe:
            continue
        if one.said.strip():
            print(f'[printed with the inputs "{one.probe.name}"]\n{one.said.rstrip()[:SAID]}')
        known = {str(warning.message) for warning in seen[0].warned}
        new = [warning for warning in one.warned if str(warning.message) not in known]
        warn_again(new, answer, label=f'[with the inputs "{one.probe.name}"] ')
