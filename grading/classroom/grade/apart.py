"""One submission is graded apart: in a folder of its own, with a copy of the gradebook.

So what fails or is killed has changed nothing, an earlier mark stands by itself, two processes
never write into one gradebook, and a program that locks it stops nobody's code from running.
"""

import logging
import shutil
import warnings
from pathlib import Path
from typing import Any

from nbgrader.converters import Autograde, GenerateFeedback
from nbgrader.utils import capture_log

from grading.classroom.course_directory import gradebook_url, nbgrader_api
from grading.classroom.grade.reasons import WAIT, Ungraded, from_log
from grading.classroom.grade.submissions import (
    TIMESTAMP,
    Pair,
    Submission,
    content_digest,
    copy_files,
    handed_in_at,
)
from grading.nbgrader_steps.fail_closed import is_check
from grading.nbgrader_steps.shown_records import why_unjudged
from grading.notebooks import notebook, read_notebook

#: The log of the run, in the folder where a submission is graded.
LOG = "log.txt"


class _OneFolder:
    """What nbgrader looks for with a pattern, by its path: an id may hold `[`, or a space."""

    def init_notebooks(self: Any) -> None:
        """Name the one folder that is converted, and its notebooks; there may be none."""
        student, assignment = self.coursedir.student_id, self.coursedir.assignment_id
        folder = self._format_source(assignment, student)
        found = sorted(str(path) for path in Path(folder).glob("*.ipynb"))
        self.notebooks = list[str]()
        self.assignments = {folder: found}


class AutogradeOne(_OneFolder, Autograde):  # type: ignore[misc]  # nbgrader has no types
    """nbgrader's autograding of one submission."""


class FeedbackOnOne(_OneFolder, GenerateFeedback):  # type: ignore[misc]
    """nbgrader's feedback on one submission."""


def grade_apart(course: Path, place: Path, submission: Submission) -> tuple[Ungraded | None, str]:
    """Grade one submission and make its feedback, in a folder with results alone of its own.

    Args:
        course: the course directory.
        place: the folder; it is made, and the results are left in it. Beside it lies the copy of
            the gradebook from which this one starts.
        submission: what was handed in.

    Returns:
        Why it could not be graded, or None, and the hash of the files that were graded.
    """
    folder = place / "submitted" / submission.learner / submission.slug
    folder.mkdir(parents=True)
    copy_files(submission.folder, folder)
    shutil.copyfile(place.parent / "gradebook.db", place / "gradebook.db")
    content = content_digest(folder)
    if moment := handed_in_at(folder):  # so nbgrader reads the time that is shown
        (folder / TIMESTAMP).write_text(moment, encoding="utf-8")
    why = _convert(course, place, submission.pair, AutogradeOne)
    why = why or _unjudged(notebook(place / "autograded" / submission.learner, submission.slug))
    if why is None:
        _convert(course, place, submission.pair, FeedbackOnOne)  # what fails is tried again alone
    return why, content


def _unjudged(graded: Path) -> Ungraded | None:
    """Return that a check failed by itself, which says nothing of the answer; else None."""
    if not graded.is_file():
        return None
    for cell in filter(is_check, read_notebook(graded).cells):
        if why := why_unjudged(cell):
            return Ungraded(f"{cell.metadata['nbgrader']['grade_id']}: {why}".rstrip("."), WAIT)
    return None


def feedback_apart(course: Path, place: Path, pair: Pair) -> Ungraded | None:
    """Make the feedback of a submission that is graded already; return why not, or None."""
    graded = Path("autograded") / pair[0] / pair[1]
    (place / graded).mkdir(parents=True)
    copy_files(course / graded, place / graded)
    shutil.copyfile(place.parent / "gradebook.db", place / "gradebook.db")
    return _convert(course, place, pair, FeedbackOnOne)


def _convert(course: Path, place: Path, pair: Pair, step: Any) -> Ungraded | None:
    """Run a step of nbgrader on one submission; return why it failed, or None."""
    _prepare_process()
    api = nbgrader_api(course)
    # Where a path is absolute, nbgrader takes it as it is.
    for name in ("source_directory", "release_directory"):
        setattr(api.coursedir, name, str(course.resolve() / getattr(api.coursedir, name)))
    api.coursedir.db_url = gradebook_url(place)
    api.coursedir.root = str(place.resolve())
    api.coursedir.student_id, api.coursedir.assignment_id = pair
    app = step(coursedir=api.coursedir, parent=api)
    app.force = True
    result = capture_log(app)
    text = result.get("log", "") + result.get("error", "")
    with (place / LOG).open("a", encoding="utf-8") as log:
        log.write(text)
    return None if result["success"] else from_log(text)


def _prepare_process() -> None:
    """Silence what nobody can act on."""
    # SQLAlchemy warns of how nbgrader adds rows; an instructor can do nothing about it.
    warnings.filterwarnings("ignore", module="nbgrader")
    logging.getLogger("traitlets").addHandler(logging.NullHandler())
