"""From observations to a record: the first broken rule, the mistake, the smallest example."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from grading.exercise import Exercise, Misconception
from grading.observation.remote import LostError
from grading.observation.seen import UnanswerableError
from grading.observation.values import Inputs, volume
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
from grading.verdict.operations import in_words
from grading.verdict.recorded import compared, recorded
from grading.verdict.rules import first_finding
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
    """The record, the finding behind it, what the answer did on each probe, the example's inputs.

    The inputs are plain data; the record holds them as they are shown.
    """

    record: record.Record
    finding: Finding | None = None
    seen: tuple[Trial, ...] = ()
    inputs: Inputs = field(default_factory=dict)


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
    # Who borrows a product need not hear its size. A test may compare with whatever it likes.
    if (finding is None or finding.stage == "cost") and exercise.kind != "test":
        calls = case.seen(ANSWER, exercise.probes[0], "calls").calls
        if case.was_stopped:
            finding = stopped(case)
            return Verdict(_failed(exercise, finding), finding)
        if calls:
            own = "loops over single numbers or rows" if exercise.loops else "your own version"
            message = (
                f"It uses {in_words(calls[0])}. This task asks for {own}, so it earns nothing."
            )
            finding = Finding("the work is your own", message)
            return Verdict(_failed(exercise, finding), finding)
    if finding is None:
        return Verdict(_passed(exercise, truth), seen=tuple(seen))
    mistakes = diagnose(case, finding, seen, truth) if finding.stage else ()
    example = smallest_example(case, finding, seen, truth) if with_example else None
    if example is not None:
        finding = replace(finding, message=example.finding.message)
    if mistakes:  # which says more than a guess
        finding = replace(finding, remark="")
    elif finding.unnamed is not None:
        finding = finding.unnamed
    failed = _failed(exercise, finding, mistakes, example)
    return Verdict(failed, finding, tuple(seen), example.inputs if example is not None else {})


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
    parts = [finding.message + _where(exercise, finding, example) + finding.remark]
    parts += [mistake.sentence for mistake in mistakes]
    return record.Record(
        exercise=exercise.name,
        passed=False,
        points=0.0,
        max_points=exercise.points,
        rule=finding.rule,
        misconceptions=tuple(mistake.code for mistake in mistakes),
        parts=tuple(parts),
        example=None if example is None else recorded(exercise, example),
        comparison=None if example is None else compared(exercise, example),
        link="#".join(exercise.to_read),
    )


def _where(exercise: Exercise, finding: Finding, example: Example | None) -> str:
    """Say on which inputs it was seen, where no example shows them and they are not the first."""
    if example is not None or finding.probe in ("", exercise.probes[0].name):
        return ""
    is_told = not exercise.parameters or exercise.judge is not None
    return "" if is_told else f" The inputs were: {finding.probe}."


def _picture(exercise: Exercise, truth: Sequence[Trial]) -> record.Picture | None:
    """Return the smallest result with two axes; None where there is none."""
    for one in sorted(truth, key=lambda one: volume(one.inputs)):
        grids = [view for view in one.view or () if view.ndim >= 2 and min(view.shape[-2:]) > 1]
        if grids and not one.probe.edge:
            grid = grids[-1].reshape(-1, *grids[-1].shape[-2:])[0][:10, :12]
            rows = tuple(tuple(float(number) for number in row) for row in grid)
            return record.Picture(title=exercise.title, rows=rows)
    return None
