"""What each learner has: marks from the gradebook, states, named mistakes from the notebooks."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nbformat.notebooknode import NotebookNode

from grading.classroom.grade.gradebook import earned, opened
from grading.classroom.grade.pages import standing
from grading.classroom.grade.states import State, graded_notebook, state_of
from grading.classroom.grade.submissions import Pair, submissions
from grading.notebooks import read_notebook
from grading.report.records import misconception, repairs

#: What stands beside a mark of the machine as long as nobody has read the explanation.
UNREAD = "waits to be read"


@dataclass(frozen=True, kw_only=True)
class CheckRow:
    """What one check cell gave one learner; without a mark there are no points."""

    learner: str
    slug: str
    check: str
    points: float | None
    max_points: float
    misconception: str
    state: str = "graded"
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Mark:
    """What one learner has for one notebook.

    Attributes:
        learner: the id.
        slug: the notebook.
        points: what the gradebook holds; None where there is no mark.
        max_points: the most that can be had.
        to_read: how many explanations nobody has read yet.
        state: graded, refused, ungraded or not handed in.
        reason: why it is ungraded, what was refused, what waits, which earlier mark stands.
        repairs: what was mended before it was graded, a sentence each.
    """

    learner: str
    slug: str
    points: float | None
    max_points: float
    to_read: int
    state: str
    reason: str
    repairs: tuple[str, ...] = ()


def read_course(course: Path) -> tuple[list[Mark], list[CheckRow]]:
    """Read what each learner has for each notebook that somebody handed in, and each check of it.

    Whoever the gradebook knows has a mark for it, if only to say that nothing was handed in.
    """
    marks, rows = [], []
    handed_in = {one.pair for one in submissions(course)[0]}
    with opened(course) as gradebook:
        for assignment in gradebook.assignments:
            entered = {one.student.id: one for one in assignment.submissions}
            learners = {learner for learner, slug in handed_in if slug == assignment.name}
            for learner in sorted(learners | set(entered)):
                pair = (learner, assignment.name)
                state = state_beside(course, pair, entered.get(learner))
                nb = graded(course, pair)
                marks.append(mark_of(assignment, entered.get(learner), pair, state, nb))
                rows += check_rows(assignment, entered.get(learner), pair, state, nb)
            if learners or entered:
                silent = {one.id for one in gradebook.students} - learners - set(entered)
                marks += [nothing(assignment, learner) for learner in silent]
            handed_in -= {(learner, assignment.name) for learner in learners}
    marks += [unknown(pair, state_of(course, pair)) for pair in handed_in]
    return sorted(marks, key=lambda mark: (mark.learner, mark.slug)), rows


def state_beside(course: Path, pair: Pair, entered: Any) -> State:
    """Return the state of a submission, beside what the gradebook holds of it.

    A copy of the gradebook that was put back may lack the mark, or have that of an earlier hand-in.
    """
    state = state_of(course, pair)
    grades = [grade for sheet in entered.notebooks for grade in sheet.grades] if entered else []
    is_same = state.earned in ("", earned((one.name, one.auto_score) for one in grades))
    if not state.is_graded or (entered and is_same):
        return state
    has = "another mark" if has_mark(entered) else "no mark"
    why = f"the gradebook holds {has} of this hand-in; run `python -m grading grade {pair[1]}`"
    return replace(state, kind="ungraded", reason=why, next_step="", refused={}, marked="")


def graded(course: Path, pair: Pair) -> NotebookNode | None:
    """Return the graded notebook of a submission, or None where there is none."""
    path = graded_notebook(course, pair)
    return read_notebook(path) if path.exists() else None


def has_mark(entered: Any) -> bool:
    """Return whether a submission in the gradebook was ever given a mark."""
    grades = [grade for sheet in entered.notebooks for grade in sheet.grades] if entered else []
    return any(one.auto_score is not None or one.manual_score is not None for one in grades)


def mark_of(
    assignment: Any, entered: Any, pair: Pair, state: State, nb: NotebookNode | None = None
) -> Mark:
    """Return what a learner has for an assignment.

    Args:
        assignment: the assignment, of the gradebook.
        entered: the learner's submission in the gradebook, or None.
        pair: the learner and the assignment's name.
        state: the submission's state.
        nb: the graded notebook, or None.
    """
    given = has_mark(entered)
    grades = [grade for sheet in entered.notebooks for grade in sheet.grades] if given else []
    to_read = sum(grade.needs_manual_grade for grade in grades)
    return Mark(
        learner=pair[0],
        slug=pair[1],
        points=entered.score if given else None,
        max_points=assignment.max_score,
        to_read=to_read,
        state=state.kind,
        reason=reason(state, given=given, to_read=to_read),
        repairs=repairs(nb),
    )


def nothing(assignment: Any, learner: str) -> Mark:
    """Return the mark of a learner who has not handed in."""
    return mark_of(assignment, None, (learner, assignment.name), State(kind="not handed in"))


def reason(state: State, *, given: bool, to_read: int) -> str:
    """Return what is to be known of a mark, or of why there is none."""
    if state.kind == "ungraded":
        stands = standing(state).rstrip(".") if given else ""
        return "; ".join(filter(None, (state.reason, stands)))
    said = [f"{check}: {why}" for check, why in state.refused.items()]
    if to_read:
        said.append(f"an explanation {UNREAD}" if to_read == 1 else f"{to_read} explanations wait")
    return "; ".join(said)


def check_rows(
    assignment: Any, entered: Any, pair: Pair, state: State, nb: NotebookNode | None
) -> list[CheckRow]:
    """Return what each check of an assignment gave, with its state, and which mistakes it named."""
    given = has_mark(entered)
    cells = [cell for cell in nb.cells if cell.metadata.get("nbgrader")] if nb else []
    mistakes = {
        cell.metadata["nbgrader"].get("grade_id", ""): misconception(cell) for cell in cells
    }
    sheets = entered.notebooks if given else []
    grades = {grade.name: grade for sheet in sheets for grade in sheet.grades}
    asked = [cell for sheet in assignment.notebooks for cell in sheet.grade_cells]
    rows = []
    for cell in asked:
        kind, why = check_state(state, cell.name, grades.get(cell.name), given=given)
        row = CheckRow(
            learner=pair[0],
            slug=pair[1],
            check=cell.name,
            points=grades[cell.name].score if given and why != UNREAD else None,
            max_points=cell.max_score,
            misconception=mistakes.get(cell.name, ""),
            state=kind,
            reason=why,
        )
        rows.append(row)
    return rows


def check_state(state: State, check: str, grade: Any, *, given: bool) -> tuple[str, str]:
    """Return the state of one check, and its reason."""
    if not state.is_graded:
        return state.kind, reason(state, given=given, to_read=0)
    if check in state.refused:
        return "refused", state.refused[check]
    if grade is not None and grade.auto_score is None and grade.manual_score is None:
        return "ungraded", UNREAD
    return "graded", ""


def unknown(pair: Pair, state: State) -> Mark:
    """Return a row for a submission to an assignment that the gradebook does not know."""
    return Mark(
        learner=pair[0],
        slug=pair[1],
        points=None,
        max_points=0.0,
        to_read=0,
        state=state.kind,
        reason=state.reason,
    )
