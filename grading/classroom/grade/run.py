"""Grade what is new or changed in a course directory, and write the learners' pages that changed.

Done is decided by content: what was handed in, the cells that the gradebook knows, and the engine.
Each result is taken over in one order: marks, graded notebook, page, and the note last. So a run
that is killed at any moment has the next one repeat no more than the submissions in progress.
"""

import shutil
import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from grading.classroom.grade.gradebook import PATIENCE
from grading.classroom.grade.marking import Ended, Run, grade_changed
from grading.classroom.grade.states import FOLDER
from grading.classroom.grade.submissions import Submission, submissions
from grading.classroom.grade.telling import write_pages


def grade(
    course: Path, slugs: Collection[str] = (), student: str = "", patience: float = PATIENCE
) -> Ended:
    """Grade what is new or changed, two at a time, and write the pages that changed.

    Args:
        course: the course directory.
        slugs: only these assignments; none means all.
        student: only this learner; what was ungraded is then tried again.
        patience: how many seconds to wait for a gradebook that another program has locked.

    Raises:
        GradebookLockedError: if the gradebook cannot even be read.
        ValueError: if nothing was handed in under a name that is asked for.
        SystemExit: if another run is at work in this directory.
    """
    course = course.resolve()
    with alone(course) as work:
        found, unplaced = submissions(course)
        wanted = chosen(found, slugs, student)
        run = Run.starts(course, work, wanted, patience)
        grade_changed(run, wanted, insists=bool(student))
        write_pages(run, wanted)
        run.ended.ungraded = {
            one.pair: state for one in wanted if not (state := run.state(one)).is_graded
        }
        own = f"submitted/{student}/" if student else ""
        run.ended.unplaced = [sentence for sentence in unplaced if sentence.startswith(own)]
        return run.ended


def chosen(found: list[Submission], slugs: Collection[str], student: str) -> list[Submission]:
    """Return the submissions that are asked for.

    Raises:
        ValueError: if nothing was handed in under a name that is asked for.
    """
    known = {one.slug for one in found} | {one.learner for one in found}
    for name in [*slugs, *([student] if student else [])]:
        if name not in known:
            raise ValueError(f"submitted/ holds nothing of {name!r}.")
    return [
        one
        for one in found
        if (not slugs or one.slug in slugs) and (not student or one.learner == student)
    ]


@contextmanager
def alone(course: Path) -> Iterator[Path]:
    """Let one run at a time work in a course directory; give it an empty folder to work in.

    The lock is SQLite's, which the system takes from a process that ends, on Windows too.

    Raises:
        SystemExit: if another run is at work.
    """
    folder = course / FOLDER
    folder.mkdir(exist_ok=True)
    lock = sqlite3.connect(folder / "running.db", timeout=0, isolation_level=None)
    with closing(lock):
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise
            raise SystemExit(f"{course}: another run of `grade` is at work here.") from None
        work = folder / "work"
        shutil.rmtree(work, ignore_errors=True)  # a run that was killed leaves one
        work.mkdir(exist_ok=True)
        try:
            yield work
        finally:
            shutil.rmtree(work, ignore_errors=True)
