"""What a notebook's check cell calls: one answer in, one result out, and never an exception."""

from typing import Any

from grading.diagnose import diagnose
from grading.exercise import Answer, Exercise
from grading.exercises import find, names
from grading.observe import observe
from grading.own_work import borrowed
from grading.present import failure, refusal, success
from grading.result import CheckResult
from grading.rules import Finding, first_finding, signature_finding

__all__ = ["check"]


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
    name = exercise if exercise is not None else _name(answer)
    task = find(name) if isinstance(name, str) else None
    if task is None:
        return refusal(str(name), _unknown(name, answer))
    try:
        return _checked(task, answer)
    except Exception as error:  # an answer can be built to break whatever looks at it
        message = f"The answer could not be examined: {type(error).__name__} while reading it."
        return failure(task, Finding("the answer can be examined", message), None)


def _name(answer: Any) -> str | None:
    try:
        name = answer.__name__
    except Exception:  # an attribute can raise anything
        return None
    return name if isinstance(name, str) else None


def _unknown(name: Any, answer: Any) -> str:
    if name is None:
        kind = type(answer).__name__
        return f"check takes a function, for example check(softmax); it got a {kind}."
    known = ", ".join(names())
    return f'No exercise is called "{name}". Known: {known}. Or name one: check(f, exercise="...").'


def _checked(task: Exercise, answer: Answer) -> CheckResult:
    finding = signature_finding(task, answer)
    if finding is not None:
        return failure(task, finding, None)
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
    if finding is None:
        name = borrowed(task, answer, task.probes[0])
        if name is None:
            return success(task, truth)
        message = f"It uses {name}. This task asks for your own version, so it earns nothing."
        return failure(task, Finding("the work is your own", message), None)
    mistake = diagnose(task, seen, finding.stage, finding.gradients) if finding.stage else None
    return failure(task, finding, mistake)
