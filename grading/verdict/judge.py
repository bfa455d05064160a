"""From observations to a record: the first broken rule, the mistake, the smallest example."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from grading.exercise import Exercise, Misconception
from grading.observation.remote import LostError
from grading.observation.seen import UnanswerableError
from grading.observation.values import volume
from grading.verdict import record
from grading.verdict.case import (
    ANSWER,
    REFERENCE,
    Asked,
    Case,
    StoppedError,
    Trial,
    UnseenError,
)
from grading.verdict.contract import signature_finding, stopped, stopped_again
from grading.verdict.diagnose import diagnose
from grading.verdict.finding import Finding
from grading.verdict.inputs import shown_input
from grading.verdict.rules import first_finding, retold
from grading.verdict.shrink import Example, smallest_example

__all__ = ["Verdict", "judge"]

#: The rule and the sentence for each way in which another process is lost.
LOST = {
    "gone": (
        "its process goes on",
        "The process in which your function ran ended before it returned. Look for what ends "
        "Python, os._exit for example, or for memory that grows without an end.",
    ),
    "late": (
        "it comes to an end",
        "The time for your function was over long ago and nothing could stop it, so its process "
        "was ended. Look for a loop that never ends.",
    ),
    "garbled": (
        "what its process sends can be read",
        "The process in which your function ran sent what cannot be read. Does your function "
        "write to files that it has not opened itself?",
    ),
}


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """The record, the finding behind it, and what the answer did on each probe."""

    record: record.Record
    finding: Finding | None = None
    seen: tuple[Trial, ...] = ()


def judge(exercise: Exercise, asked: Asked, *, with_example: bool = True) -> Verdict:
    """Judge one answer by what is observed of it.

    Args:
        exercise: the task.
        asked: whom to ask.
        with_example: whether the smallest example is looked for; it asks for many runs.

    Raises:
        UnanswerableError: if the exercise asks for what nobody knows, a recording lacks it, or
            somebody else than the answer is stopped or lost.
    """
    case = Case(exercise, asked)
    try:
        with np.errstate(all="warn", under="ignore"):  # whatever a learner has set for all code
            return _judged(case, with_example)
    except UnanswerableError:  # no answer is to blame
        raise
    except StoppedError:
        finding = stopped_again(case)
        return Verdict(_failed(exercise, finding), finding)
    except LostError as error:
        finding = Finding(*LOST[error.how])
        return Verdict(_failed(exercise, finding), finding)
    except BaseException as error:  # an answer can be built to break whatever looks at it
        name = str(error) if isinstance(error, UnseenError) else type(error).__name__
        message = f"Looking at your answer raised an error: {name}. "
        message += "Return ordinary tensors, arrays or numbers."
        finding = Finding("the answer can be examined", message)
        return Verdict(_failed(exercise, finding), finding)


def _judged(case: Case, with_example: bool) -> Verdict:
    exercise = case.exercise
    told = case.observe(ANSWER, {}, ("signature",))
    finding = signature_finding(exercise, told.signature) if told and told.signature else None
    if finding is not None:
        return Verdict(_failed(exercise, finding), finding)
    seen = _answers(case)
    truth = seen if exercise.judge is not None else _truths(case, seen)
    finding = first_finding(case, seen, truth)
    if finding is None or finding.stage == "cost":  # who borrows a product need not hear its size
        calls = case.seen(ANSWER, exercise.probes[0], "calls").calls
        if case.was_stopped:
            finding = stopped(case)
            return Verdict(_failed(exercise, finding), finding)
        if calls:
            message = f"It uses {calls[0]}. This task asks for your own version, so it earns "
            finding = Finding("the work is your own", message + "nothing.")
            return Verdict(_failed(exercise, finding), finding)
    if finding is None:
        return Verdict(_passed(exercise, truth))
    mistakes = diagnose(case, finding, seen, truth) if finding.stage else ()
    example = None
    if finding.stage == "values" and with_example:
        finding, example = _shown(case, finding, seen, truth)
    if mistakes:  # which says more than a guess
        finding = replace(finding, remark="")
    return Verdict(_failed(exercise, finding, mistakes, example), finding, tuple(seen))


def _answers(case: Case) -> list[Trial]:
    """Return what the answer does on each probe, up to one that takes too long."""
    seen: list[Trial] = []
    for number, probe in enumerate(case.exercise.probes):
        # The learner's own printing is shown once and not once for each probe.
        one = case.trial(ANSWER, probe, aloud=number == 0)
        seen.append(one)
        if one.seen.timed_out:
            break
    return seen


def _truths(case: Case, seen: Sequence[Trial]) -> list[Trial]:
    return [case.trial(REFERENCE, one.probe) for one in seen]


def _shown(
    case: Case, finding: Finding, seen: list[Trial], truth: list[Trial]
) -> tuple[Finding, Example | None]:
    """Return the smallest example, and the finding in the words of that example."""
    example = smallest_example(case, seen, truth)
    if example is None:
        return finding, None
    told = retold(case, finding, example.mine, example.right)
    if told is finding and example.probe.name != finding.probe:
        # Another rule breaks on the smallest inputs: those that broke this one say more.
        at = [number for number, one in enumerate(seen) if one.probe.name == finding.probe]
        same = smallest_example(case, [seen[i] for i in at], [truth[i] for i in at])
        if same is not None:
            told, example = retold(case, finding, same.mine, same.right), same
    return told, example


def _passed(exercise: Exercise, truth: Sequence[Trial]) -> record.Record:
    message = exercise.next_rung or "Every rule of the contract holds."
    return record.Record(
        exercise=exercise.name,
        passed=True,
        points=exercise.points,
        max_points=exercise.points,
        parts=(message,),
        picture=_picture(exercise, truth),
    )


def _failed(
    exercise: Exercise,
    finding: Finding,
    mistakes: Sequence[Misconception] = (),
    example: Example | None = None,
) -> record.Record:
    parts = [finding.message + finding.remark]
    parts += [f"Mistake {mistake.code}. {mistake.sentence}" for mistake in mistakes]
    return record.Record(
        exercise=exercise.name,
        passed=False,
        points=0.0,
        max_points=exercise.points,
        rule=finding.rule,
        misconceptions=tuple(mistake.code for mistake in mistakes),
        parts=tuple(parts),
        example=None if example is None else _recorded(exercise, finding, example),
        link="#".join(exercise.to_read),
    )


def _recorded(exercise: Exercise, finding: Finding, one: Example) -> record.Example:
    found = one.difference
    return record.Example(
        probe=one.probe.name,
        smallest=one.smallest,
        # Inputs that break another rule first are an example of their own.
        other=bool(finding.probe) and one.probe.name != finding.probe,
        inputs={name: shown_input(value) for name, value in one.inputs.items()},
        output=exercise.outputs[min(found.output, len(exercise.outputs) - 1)].name,
        index=found.index,
        yours=tuple(found.learner.reshape(-1).tolist()),
        expected=tuple(found.expected.reshape(-1).tolist()),
    )


def _picture(exercise: Exercise, truth: Sequence[Trial]) -> record.Picture | None:
    """Return the smallest result with two axes; None where there is none."""
    for one in sorted(truth, key=lambda one: volume(one.inputs)):
        grids = [view for view in one.view or () if view.ndim >= 2 and min(view.shape[-2:]) > 1]
        if grids and not one.probe.edge:
            grid = grids[-1].reshape(-1, *grids[-1].shape[-2:])[0][:10, :12]
            rows = tuple(tuple(float(number) for number in row) for row in grid)
            return record.Picture(title=exercise.title, rows=rows)
    return None
