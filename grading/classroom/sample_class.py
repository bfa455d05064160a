"""A small class, graded by nbgrader from release to feedback: what `make course` shows.

Everything lies in _build/class, a course directory of its own in which every nbgrader command can
be tried. A second run grades only what changed.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from grading.classroom.grade.gradebook import opened
from grading.classroom.grade.run import grade
from grading.classroom.release import files_below, generate_all
from grading.classroom.sample_learners import ANSWERS, Learner, learners, submission
from grading.jobs import Stamps, digest, flat
from grading.notebooks import ROOT, notebook, slugs
from grading.words.links import local_book


def class_folder(root: Path) -> Path:
    """Return where the sample class lies."""
    return root / "_build" / "class"


def prepare(root: Path, members: list[Learner]) -> Path:
    """Make the course directory; from nothing where the assignments or the members changed.

    nbgrader refuses to change an assignment that has submissions, so a changed one needs a new
    gradebook.
    """
    course = class_folder(root)
    names = slugs(root)
    if not names:
        raise SystemExit("solutions/ holds no notebooks, so there is nothing to hand in.")
    roster = json.dumps([[member.name, *member.hands_in] for member in members])
    now = digest([roster, *flat(files_below(root / "solutions", names))])
    stamps = stamps_of(course)
    if stamps.is_done("assignments", now):
        return course
    if course.exists():
        shutil.rmtree(course)
    shutil.copytree(root / "solutions", course / "solutions")
    generate_all(course, title="class: release")
    stamps.note("assignments", now)
    return course


def hand_in(root: Path, course: Path, members: list[Learner]) -> None:
    """Write each submission that changed."""
    folders = {"solutions": course / "solutions", "exercises": course / "exercises"}
    for member in members:
        for slug in slugs(root):
            content = submission(member, slug, **folders)
            if content is None:
                continue
            path = notebook(course / "submitted" / member.name, slug)
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists() or path.read_bytes() != content:
                path.write_bytes(content)


def stamps_of(course: Path) -> Stamps:
    """Return the note of which assignments and members the class was made of."""
    return Stamps(course / "stamps")


def enter_learners(course: Path, names: set[str]) -> None:
    """Enter the learners by name: without one the formgrader lists them as "None, None"."""
    with opened(course) as gradebook:
        for name in sorted(names):
            gradebook.update_or_create_student(name, last_name=name, first_name="sample")


def export(course: Path) -> None:
    """Let nbgrader write the marks of the whole class as a table."""
    command = [sys.executable, "-m", "nbgrader", "export", "--to", "grades.csv"]
    subprocess.run(command, cwd=course, check=True, capture_output=True)


@contextmanager
def linked_here() -> Iterator[None]:
    """Let feedback link to the book that was built here: these pages are read on this machine."""
    book = local_book()
    if book is not None:
        os.environ["COURSE_BOOK"] = book.as_uri()
    try:
        yield
    finally:
        if book is not None:
            del os.environ["COURSE_BOOK"]


def grade_class(root: Path = ROOT, answers: Path = ANSWERS) -> tuple[Path, dict[str, str]]:
    """Build and grade the sample class; return its course directory, and who each learner is."""
    members = learners(answers)
    course = prepare(root, members)
    hand_in(root, course, members)
    enter_learners(course, {member.name for member in members})
    with linked_here():
        ended = grade(course)
    if ended.graded or ended.pages or not (course / "grades.csv").exists():
        export(course)
    return course, {member.name: member.about for member in members}
