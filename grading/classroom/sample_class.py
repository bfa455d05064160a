"""A small class, graded by nbgrader from release to feedback: what `make course` shows.

Everything lies in _build/class, a course directory of its own in which every nbgrader command can
be tried. A second run grades only what changed.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import warnings
from concurrent.futures import Future
from pathlib import Path

from tqdm import tqdm

from grading.classroom.course_directory import (
    engine_digest,
    gradebook_url,
    nbgrader_api,
)
from grading.classroom.release import files_below, generate_all
from grading.classroom.sample_learners import ANSWERS, Learner, learners, submission
from grading.jobs import Stamps, died, digest, flat, in_processes
from grading.notebooks import ROOT, notebook, slugs
from grading.words.links import local_book

PAIR = tuple[str, str]  # a learner's id and a notebook's name


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


def hand_in(root: Path, course: Path, members: list[Learner]) -> dict[PAIR, str]:
    """Write each submission that changed; return all with the hash that decides their marks."""
    engine = engine_digest(root)
    folders = {"solutions": course / "solutions", "exercises": course / "exercises"}
    handed_in = {}
    for member in members:
        for slug in slugs(root):
            content = submission(member, slug, **folders)
            if content is None:
                continue
            path = notebook(course / "submitted" / member.name, slug)
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists() or path.read_bytes() != content:
                path.write_bytes(content)
            handed_in[member.name, slug] = digest([engine, content])
    return handed_in


def stamps_of(course: Path) -> Stamps:
    """Return the notes of what was graded, by the names that `job_name` gives."""
    return Stamps(course / "stamps")


def job_name(pair: PAIR) -> str:
    """Return the name of one submission in files about it."""
    return "--".join(pair)


def reason_of_failure(log: str) -> str:
    """Return in one sentence why nbgrader could not grade a submission."""
    if "NotJSONError" in log:
        return "the file is damaged: it is not JSON"
    errors = re.findall(r"^\s*(?:\w+\.)*(\w+Error: .*)$", log, flags=re.MULTILINE)
    return str(errors[0])[:120] if errors else "nbgrader gave no reason; see the log"


def grade(course: Path, pair: PAIR) -> str:
    """Autograde one submission and make its feedback; return why it could not be, or ""."""
    learner, slug = pair
    if book := local_book():  # the feedback pages are files, and may link to files
        os.environ["COURSE_BOOK"] = book.as_uri()
    # SQLAlchemy warns of how nbgrader adds rows; an instructor can do nothing about it.
    warnings.filterwarnings("ignore", module="nbgrader")
    api = nbgrader_api(course)
    result = api.autograde(slug, learner)
    log = result.get("log", "") + result.get("error", "")
    if result["success"]:
        result = api.generate_feedback(slug, learner)
        log += result.get("log", "") + result.get("error", "")
    logs = course / "logs"
    logs.mkdir(exist_ok=True)
    (logs / f"{job_name(pair)}.txt").write_text(log, encoding="utf-8")
    return "" if result["success"] else reason_of_failure(log)


def outcome(run: "Future[str]") -> str:
    """Return why a submission could not be graded; a dead process is such a reason too."""
    error = run.exception()
    return f"grading stopped: {type(error).__name__}" if error else run.result()


def enter_learners(course: Path, names: set[str]) -> None:
    """Enter the learners before two processes at once meet a new one and both enter it."""
    from nbgrader.api import Gradebook

    with Gradebook(gradebook_url(course)) as gradebook:
        for name in sorted(names):
            # The formgrader lists people by their names; without one it says "None, None".
            gradebook.update_or_create_student(name, last_name=name, first_name="sample")


def grade_changed(course: Path, handed_in: dict[PAIR, str]) -> int:
    """Grade what is new or changed, two at a time; one that fails never stops the others."""
    stamps = stamps_of(course)
    todo = {
        pair: (course, pair)
        for pair, inputs in handed_in.items()
        if not stamps.is_done(job_name(pair), inputs)
    }
    if not todo:
        return 0
    enter_learners(course, {learner for learner, _ in todo})
    with tqdm(total=len(todo), desc="class: grade", unit="notebook") as bar:
        for pair, run in in_processes(grade, todo):
            # No submission has the hash "": what a process died of is tried again by the next run.
            inputs = "" if died(run) else handed_in[pair]
            stamps.note(job_name(pair), inputs, outcome(run))
            bar.update()
    return len(todo)


def export(course: Path) -> None:
    """Let nbgrader write the marks of the whole class as a table."""
    command = [sys.executable, "-m", "nbgrader", "export", "--to", "grades.csv"]
    subprocess.run(command, cwd=course, check=True, capture_output=True)


def grade_class(root: Path = ROOT, answers: Path = ANSWERS) -> tuple[Path, dict[str, str]]:
    """Build and grade the sample class; return its course directory, and who each learner is."""
    members = learners(answers)
    course = prepare(root, members)
    handed_in = hand_in(root, course, members)
    changed = grade_changed(course, handed_in)
    if changed or not (course / "grades.csv").exists():
        export(course)
    return course, {member.name: member.about for member in members}
