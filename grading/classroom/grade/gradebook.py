"""The class's gradebook: a copy to grade with, and the marks that come back from it."""

import logging
import sqlite3
import warnings
from collections.abc import Collection
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grading.classroom.course_directory import COURSE, gradebook_url, scripts_on_path
from grading.classroom.enrolment import described
from grading.classroom.grade.submissions import Pair
from grading.jobs import digest

#: How long, in seconds, another program may hold the gradebook before grading goes on without.
PATIENCE = 30.0


class GradebookLockedError(Exception):
    """Another program holds the gradebook."""


def _whole(path: Path, patience: float) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=patience, isolation_level=None)


def opened(folder: Path) -> Any:
    """Return nbgrader's gradebook in a folder; it is locked only while something is written."""
    scripts_on_path()
    # SQLAlchemy warns of how nbgrader adds rows; an instructor can do nothing about it.
    warnings.filterwarnings("ignore", module="nbgrader")
    from nbgrader.api import Gradebook

    return Gradebook(gradebook_url(folder), COURSE)


def copy_gradebook(course: Path, target: Path, patience: float) -> None:
    """Copy the gradebook as it is at one moment.

    Raises:
        GradebookLockedError: if another program held it all the while.
    """
    target.unlink(missing_ok=True)
    with closing(_whole(course / "gradebook.db", patience)) as gradebook:
        try:
            gradebook.execute("VACUUM INTO ?", (str(target),))
        except sqlite3.OperationalError as error:
            raise GradebookLockedError(str(error)) from error


def wait_until_free(course: Path, patience: float) -> None:
    """Return when the gradebook can be written to.

    Raises:
        GradebookLockedError: if another program held it all the while.
    """
    with closing(_whole(course / "gradebook.db", patience)) as gradebook:
        try:
            gradebook.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            raise GradebookLockedError(str(error)) from error


def enrolled(book: Path) -> dict[str, str]:
    """Return a hash of what a gradebook knows of each assignment's cells.

    Args:
        book: the folder in which the gradebook lies.
    """
    with opened(book) as gradebook:
        return {one.name: digest([repr(described(one))]) for one in gradebook.assignments}


@dataclass(frozen=True)
class Marks:
    """What a submission was given, by machine and by hand.

    Attributes:
        digest: a hash of all marks and comments.
        are_given: whether there is any mark; nbgrader has rows for a submission that it failed on.
    """

    digest: str
    are_given: bool


def marks(book: Path) -> dict[Pair, Marks]:
    """Return what each submission was given.

    Args:
        book: the folder in which the gradebook lies.
    """
    from nbgrader import api
    from sqlalchemy import select

    submission, sheet = api.SubmittedAssignment, api.SubmittedNotebook
    head = (submission.student_id, api.Assignment.name)
    tables = (
        (api.Grade, (api.Grade.auto_score, api.Grade.manual_score, api.Grade.extra_credit)),
        (api.Comment, (api.Comment.auto_comment, api.Comment.manual_comment)),
    )
    found: dict[Pair, list[str]] = {}
    given = set()
    with opened(book) as gradebook:
        for table, columns in tables:
            rows = (
                select(*head, api.BaseCell.name, sheet.late_submission_penalty, *columns)
                .select_from(table)
                .join(sheet, table.notebook_id == sheet.id)
                .join(submission, sheet.assignment_id == submission.id)
                .join(api.Assignment, submission.assignment_id == api.Assignment.id)
                .join(api.BaseCell, table.cell_id == api.BaseCell.id)
            )
            for learner, slug, *row in gradebook.db.execute(rows):
                found.setdefault((learner, slug), []).append(repr(row))
                if table is api.Grade and row[2:4] != [None, None]:
                    given.add((learner, slug))
    return {pair: Marks(digest(sorted(rows)), pair in given) for pair, rows in found.items()}


def enter_learners(course: Path, book: Path, learners: set[str], patience: float) -> None:
    """Enter those whom the gradebook does not know; who is known keeps all that is noted.

    So the formgrader and the export list those, too, who have no mark yet.

    Raises:
        GradebookLockedError: if another program held the gradebook all the while.
    """
    with opened(book) as copy:
        new = learners - {student.id for student in copy.students}
    if new:
        wait_until_free(course, patience)
        with opened(course) as gradebook:
            for learner in sorted(new):
                gradebook.update_or_create_student(learner)


def enter_marks(
    course: Path, place: Path, pair: Pair, patience: float, same: Collection[str] = ()
) -> None:
    """Take one submission's marks over from the gradebook with which it was graded.

    What a person entered meanwhile, marks and comments, stays. nbgrader asks for each such mark
    to be looked at again; here only where what it is about has changed.

    Args:
        course: the course directory.
        place: the folder in which the submission was graded.
        pair: the learner and the assignment's name.
        patience: how many seconds to wait.
        same: the graded cells that say what they said when they were graded before.

    Raises:
        GradebookLockedError: if another program held the gradebook all the while.
    """
    learner, slug = pair
    wait_until_free(course, patience)
    # nbgrader logs each error of the database with its traceback; it is raised as well.
    logging.getLogger("tornado.application").addHandler(logging.NullHandler())
    try:
        with opened(place) as apart, opened(course) as gradebook:
            given = apart.find_submission(slug, learner)
            gradebook.update_or_create_student(learner)
            gradebook.update_or_create_submission(slug, learner, timestamp=given.timestamp)
            for sheet in given.notebooks:
                own = gradebook.find_submission_notebook(sheet.name, slug, learner)
                own.late_submission_penalty = sheet.late_submission_penalty
                _take_over_grades(sheet.grades, own.grades, same)
                comments = {row.name: row.auto_comment for row in sheet.comments}
                for comment in own.comments:
                    comment.auto_comment = comments[comment.name]
            gradebook.db.commit()
    except Exception as error:
        if "locked" in str(error):
            raise GradebookLockedError(str(error)) from error
        raise


def _take_over_grades(given: Any, own: Any, same: Collection[str]) -> None:
    """Set what the machine says of each cell; what was read and is the same stays read."""
    by_name = {row.name: row for row in given}
    for row in own:
        new = by_name[row.name]
        if row.name not in same or row.auto_score != new.auto_score:
            row.needs_manual_grade = new.needs_manual_grade
        row.auto_score = new.auto_score
