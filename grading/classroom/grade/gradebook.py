"""The class's gradebook: a copy to grade with, and the marks that come back from it."""

import logging
import sqlite3
import warnings
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
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


@contextmanager
def _told_when_locked() -> Iterator[None]:
    """Tell a lock by its own name; a full disk or a damaged file is another error."""
    try:
        yield
    except Exception as error:  # of sqlite3, of SQLAlchemy or of nbgrader
        if "locked" in str(error):
            raise GradebookLockedError(str(error)) from error
        raise


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
    with closing(_whole(course / "gradebook.db", patience)) as gradebook, _told_when_locked():
        gradebook.execute("VACUUM INTO ?", (str(target),))


def wait_until_free(course: Path, patience: float) -> None:
    """Return when the gradebook can be written to.

    Raises:
        GradebookLockedError: if another program held it all the while.
    """
    with closing(_whole(course / "gradebook.db", patience)) as gradebook, _told_when_locked():
        gradebook.execute("BEGIN IMMEDIATE")


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
        earned: a hash of the machine's marks alone; "" where it gave none.
        are_given: whether there is any mark; nbgrader has rows for a submission that it failed on.
    """

    digest: str = ""
    earned: str = ""
    are_given: bool = False


def earned(grades: Iterable[tuple[str, float | None]]) -> str:
    """Return a hash of the machine's marks, given as cells and scores; "" where it gave none."""
    given = sorted((cell, float(score)) for cell, score in grades if score is not None)
    return digest(map(repr, given)) if given else ""


def marks(book: Path, pair: Pair | None = None) -> dict[Pair, Marks]:
    """Return what each submission was given, and nothing of one that is not entered.

    Args:
        book: the folder in which the gradebook lies.
        pair: the one submission that is asked for; None asks for all.
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
    scores: dict[Pair, list[tuple[str, float | None]]] = {}
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
            if pair is not None:
                rows = rows.where(submission.student_id == pair[0], api.Assignment.name == pair[1])
            for learner, slug, *row in gradebook.db.execute(rows):
                found.setdefault((learner, slug), []).append(repr(row))
                if table is api.Grade:
                    scores.setdefault((learner, slug), []).append((row[0], row[2]))
                    if row[2:4] != [None, None]:
                        given.add((learner, slug))
    return {
        one: Marks(digest(sorted(rows)), earned(scores.get(one, ())), one in given)
        for one, rows in found.items()
    }


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
        with _told_when_locked(), opened(course) as gradebook:
            for learner in sorted(new):
                gradebook.update_or_create_student(learner)


def enter_marks(course: Path, place: Path, pair: Pair, read: set[str], patience: float) -> None:
    """Take one submission's marks over from the gradebook with which it was graded.

    What a person entered meanwhile, marks and comments, stays. nbgrader asks for each such mark
    to be looked at again; here only where what it is about has changed.

    Args:
        course: the course directory.
        place: the folder in which the submission was graded.
        pair: the submission.
        read: the cells whose mark by hand waits for nobody, unless the machine's is another now.
        patience: how many seconds to wait for a locked gradebook.

    Raises:
        GradebookLockedError: if another program held the gradebook all the while.
    """
    learner, slug = pair
    wait_until_free(course, patience)
    # nbgrader logs each error of the database with its traceback; it is raised as well.
    logging.getLogger("tornado.application").addHandler(logging.NullHandler())
    with _told_when_locked(), opened(place) as apart, opened(course) as gradebook:
        given = apart.find_submission(slug, learner)
        gradebook.update_or_create_student(learner)
        gradebook.update_or_create_submission(slug, learner, timestamp=given.timestamp)
        for sheet in given.notebooks:
            own = gradebook.find_submission_notebook(sheet.name, slug, learner)
            own.late_submission_penalty = sheet.late_submission_penalty
            _take_over_marks(sheet.grades, own.grades, read)
            comments = {one.name: one for one in sheet.comments}
            for comment in own.comments:  # a release may have entered other cells meanwhile
                comment.auto_comment = comments.get(comment.name, comment).auto_comment
        gradebook.db.commit()


def _take_over_marks(given: Any, own: Any, read: set[str]) -> None:
    """Set the machine's marks, and which cells wait for a person, as a grading left them."""
    by_name = {grade.name: grade for grade in given}
    for grade in own:
        new = by_name.get(grade.name, grade)
        is_same = grade.name in read and grade.auto_score == new.auto_score
        if not (is_same and grade.manual_score is not None):
            grade.needs_manual_grade = new.needs_manual_grade
        grade.auto_score = new.auto_score
