"""Grade what is not done, and take each result over: marks, notebook, page, and the note last."""

import os
import shutil
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path

from tqdm import tqdm

from grading.classroom.course_directory import engine_digest
from grading.classroom.grade.apart import LOG, grade_apart
from grading.classroom.grade.gradebook import (
    GradebookLockedError,
    Marks,
    copy_gradebook,
    enrolled,
    enter_learners,
    enter_marks,
    marks,
)
from grading.classroom.grade.pages import page_of, write_page
from grading.classroom.grade.reasons import LOCKED, WAIT, Ungraded
from grading.classroom.grade.rereading import still_read
from grading.classroom.grade.states import (
    FOLDER,
    State,
    file_digest,
    graded_notebook,
    graded_state,
    job_name,
    note,
    noted,
    ungraded_state,
)
from grading.classroom.grade.submissions import Pair, Submission, content_digest, handed_in_at
from grading.jobs import digest, in_processes


@dataclass
class Ended:
    """How a run ended.

    Attributes:
        graded: what was graded by this run.
        pages: whose pages were written by this run, besides those.
        ungraded: the state of each submission that was asked for and has no mark of its own.
        without_page: why a learner's page could not be written.
        unplaced: what lies in submitted/ and is no submission, in a sentence each.
    """

    graded: list[Pair] = field(default_factory=list)
    pages: list[Pair] = field(default_factory=list)
    ungraded: dict[Pair, State] = field(default_factory=dict)
    without_page: dict[Pair, str] = field(default_factory=dict)
    unplaced: list[str] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        """Return whether all that was asked for is graded and told."""
        return not (self.ungraded or self.without_page or self.unplaced)


@dataclass
class Run:
    """What one run knows, and what it has done.

    Attributes:
        course: the course directory.
        work: a folder for what is in progress, with a copy of the gradebook.
        engine: a hash of all that decides a mark besides the submission and its cells.
        known: a hash of the cells of each assignment that the gradebook knows.
        marked: what the gradebook gave each submission when the run started, or gives it by now.
        patience: how many seconds to wait for a locked gradebook.
        ended: what was done.
    """

    course: Path
    work: Path
    engine: str
    known: dict[str, str]
    marked: dict[Pair, Marks]
    patience: float
    ended: Ended = field(default_factory=Ended)

    @classmethod
    def starts(cls, course: Path, work: Path, wanted: list[Submission], patience: float) -> "Run":
        """Return a run on a copy of the gradebook; new learners are entered."""
        copy_gradebook(course, work / "gradebook.db", patience)
        settings = (course / "nbgrader_config.py").read_bytes()
        engine = digest([engine_digest(), settings])
        run = cls(course, work, engine, enrolled(work), marks(work), patience)
        try:
            enter_learners(course, work, {one.learner for one in wanted}, patience)
        except GradebookLockedError:
            run.loses_patience()
        return run

    def loses_patience(self) -> None:
        """Wait no longer than a second from now on: a batch goes on without the gradebook."""
        self.patience = min(self.patience, 1.0)

    def state(self, one: Submission) -> State:
        """Return what was noted of a submission."""
        return noted(self.course, one.pair) or State(kind="ungraded", reason="not graded yet")

    def inputs(self, one: Submission, content: str) -> str:
        """Return a hash of all that decides the marks of a submission."""
        return digest([self.engine, self.known.get(one.slug, ""), content])

    def earned(self, one: Submission) -> str:
        """Return a hash of the machine's marks of a submission."""
        return self.marked.get(one.pair, Marks()).earned

    def page_digest(self, one: Submission, state: State, marked: dict[Pair, Marks]) -> str:
        """Return a hash of all that stands on a learner's page, and of the page itself."""
        told = [state.kind, state.reason, state.next_step, state.marked, state.autograded]
        page = file_digest(page_of(self.course, one.pair))
        own = marked.get(one.pair, Marks()).digest
        return digest([self.engine, own, *told, page])


def grade_changed(run: Run, wanted: list[Submission], *, insists: bool) -> None:
    """Grade what is not done, two at a time; one that fails stops no other."""
    todo: dict[Submission, tuple[Path, Path, Submission]] = {}
    for one in wanted:
        content = content_digest(one.folder)
        if is_done(run, one, content, insists=insists):
            continue
        if why := cannot_be_graded(run, one):
            refuse(run, one, why, content)
        else:
            todo[one] = (run.course, run.work / str(len(todo)), one)
    with tqdm(total=len(todo), desc="grade", unit="notebook", disable=not todo) as bar:
        for one, ends in in_processes(grade_apart, todo):
            why, content = outcome(ends)
            place = todo[one][1]
            keep_log(run.course, one.pair, place)
            why = why or enter(run, one, place)
            if why is None:
                take_over(run, one, place, content)
            else:
                refuse(run, one, why, content)
            shutil.rmtree(place, ignore_errors=True)
            bar.update()


def is_done(run: Run, one: Submission, content: str, *, insists: bool) -> bool:
    """Return whether a submission was graded as it is, by nobody else since, and has those marks.

    Args:
        run: the run.
        one: the submission.
        content: the hash of its files.
        insists: True tries again what is ungraded.
    """
    state = noted(run.course, one.pair)
    if state is None or (insists and not state.is_graded):
        return False
    graded = file_digest(graded_notebook(run.course, one.pair))
    found = (run.inputs(one, content), graded, run.earned(one))
    return (state.inputs, state.autograded, state.earned) == found


def cannot_be_graded(run: Run, one: Submission) -> Ungraded | None:
    """Return why it makes no sense to grade a submission, or None."""
    if one.slug not in run.known:
        return Ungraded(f"the gradebook knows no assignment {one.slug}; run `make release`", WAIT)
    try:
        handed_in_at(one.folder)
    except ValueError:
        return Ungraded("its timestamp.txt holds no time that can be read", WAIT)
    return None


def outcome(ends: "Future[tuple[Ungraded | None, str]]") -> tuple[Ungraded | None, str]:
    """Return how grading a submission ended; that its process died is a reason too."""
    error = ends.exception()
    if error is None:
        return ends.result()
    return Ungraded(f"grading it was cut off ({type(error).__name__})", WAIT), ""


def enter(run: Run, one: Submission, place: Path) -> Ungraded | None:
    """Enter the marks of a submission into the class's gradebook; return why not, or None."""
    state = noted(run.course, one.pair)
    read = still_read(graded_notebook(run.course, one.pair), graded_notebook(place, one.pair))
    if state is not None and state.earned != run.earned(one):
        read = set()  # a copy of the gradebook was put back: its marks are of another hand-in
    try:
        enter_marks(run.course, place, one.pair, read, run.patience)
    except GradebookLockedError:
        run.loses_patience()
        return LOCKED
    return None


def take_over(run: Run, one: Submission, place: Path, content: str) -> None:
    """Put the graded notebook and the page where the class's lie, and note the state."""
    graded = graded_notebook(run.course, one.pair)
    move(graded_notebook(place, one.pair).parent, graded.parent)
    run.marked |= marks(place, one.pair)
    state = replace(
        graded_state(graded),
        marked=handed_in_at(place / "submitted" / one.learner / one.slug),
        inputs=run.inputs(one, content),
        files=content,
        autograded=file_digest(graded),
        earned=run.earned(one),
    )
    page = page_of(place, one.pair)
    if page.is_file():
        write_page(run.course, one.pair, page.read_text(encoding="utf-8"))
        state = replace(state, page=run.page_digest(one, state, run.marked))
    note(run.course, one.pair, state)
    run.ended.graded.append(one.pair)


def refuse(run: Run, one: Submission, why: Ungraded, content: str) -> None:
    """Note that a submission could not be graded; what the gradebook holds of it stands."""
    before = noted(run.course, one.pair)
    stands = before is not None and before.earned == run.earned(one)
    state = replace(
        ungraded_state(why, before if stands else None),
        inputs="" if why.is_ours else run.inputs(one, content),
        files=content,
        autograded=file_digest(graded_notebook(run.course, one.pair)),
        earned=run.earned(one),
    )
    note(run.course, one.pair, state)


def keep_log(course: Path, pair: Pair, place: Path) -> None:
    """Keep what nbgrader logged of a submission."""
    if (place / LOG).exists():
        logs = course / FOLDER / "logs"
        logs.mkdir(exist_ok=True)
        os.replace(place / LOG, logs / f"{job_name(pair)}.txt")


def move(folder: Path, target: Path) -> None:
    """Put a folder in the place of another."""
    from nbgrader.utils import rmtree

    if target.exists():
        rmtree(str(target))
    target.parent.mkdir(parents=True, exist_ok=True)
    os.replace(folder, target)
