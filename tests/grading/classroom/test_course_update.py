"""A course changes under a class: every mark stays, whatever changed and whenever it is killed."""

import copy
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from datetime import datetime

import pytest

from grading.classroom import course_update, enrolment
from grading.classroom.course_update import changes, copied, said, update
from grading.classroom.enrolment import assignments, opened

KERNEL = '{"name": "python3"}'


def check_cell(name: str, points: float, source: str, text: str = "") -> dict:
    row = {"cell_type": "code", "locked": True, "source": source + text, "checksum": f"1{text}"}
    return {f"grade: {name}": {"max_score": points, "cell_type": "code"}, f"source: {name}": row}


def answer_cell(name: str, text: str = "") -> dict:
    row = {"cell_type": "code", "locked": False, "source": f"...{text}", "checksum": f"2{text}"}
    return {f"solution: {name}": {}, f"source: {name}": row}


def explanation(name: str, points: float, text: str = "") -> dict:
    row = {"cell_type": "markdown", "locked": False, "source": text, "checksum": f"3{text}"}
    graded = {"max_score": points, "cell_type": "markdown"}
    return {f"grade: {name}": graded, f"solution: {name}": {}, f"source: {name}": row}


def text_cell(name: str, text: str) -> dict:
    row = {"cell_type": "markdown", "locked": True, "source": text, "checksum": f"4{text}"}
    return {f"source: {name}": row}


def assignment(slug: str, text: str = "", *, kernel: str = KERNEL, points: float = 2.0) -> dict:
    cells = (
        answer_cell(f"{slug}-double-answer", text)
        | check_cell(f"{slug}-double", 2.5, "check(double)", text)
        | check_cell(f"{slug}-triple", 1.5, "check(triple)")
        | explanation(f"{slug}-explain", points, text)
        | text_cell(f"{slug}-given", f"read this{text}")
    )
    return {slug: {"kernelspec": kernel, "cells": cells}}


FIRST = {"tiny": assignment("tiny"), "other": assignment("other")}
TEXTS = assignment("tiny", "  # better words", kernel='{"name": "python4"}')
OTHERWISE = assignment("tiny", points=3.0)
del (
    OTHERWISE["tiny"]["cells"]["grade: tiny-double"],
    OTHERWISE["tiny"]["cells"]["source: tiny-double"],
)
OTHERWISE["tiny"]["cells"] |= check_cell("tiny-half", 0.5, "check(half)")
#: What a class has, and no release may touch.
CLASS = ("grade", "comment", "submitted_notebook", "submitted_assignment", "student", "assignment")


def rows(root, *tables: str) -> list[tuple]:
    """Return whole tables of a gradebook."""
    with closing(sqlite3.connect(root / "gradebook.db")) as gradebook:
        return [(t, *row) for t in tables for row in gradebook.execute(f"select * from {t}")]


def hand_in(root) -> None:
    """Let one learner have every kind of mark, and the instructor a due date."""
    with opened(root) as gradebook:
        gradebook.update_or_create_assignment("tiny", duedate=datetime(2026, 5, 4))
        gradebook.add_student("learner-17", last_name="Seventeen")
        gradebook.add_submission("tiny", "learner-17", timestamp=datetime(2026, 5, 3))
        handed_in = gradebook.find_submission_notebook("tiny", "tiny", "learner-17")
        handed_in.late_submission_penalty = 0.25
        for grade in handed_in.grades:
            by_hand = grade.name == "tiny-explain"
            grade.auto_score, grade.manual_score = (None, 1.5) if by_hand else (1.25, None)
            grade.extra_credit, grade.needs_manual_grade = 0.5 * by_hand, False
        for comment in handed_in.comments:
            comment.manual_comment = f"on {comment.name}"
        gradebook.db.commit()


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A course directory that was released; nobody has handed in."""
    root = tmp_path_factory.mktemp("released")
    done = update(root, FIRST)
    assert (done.entered, done.refreshed, done.stays) == (["tiny", "other"], [], {})
    return root


@pytest.fixture
def course(first, tmp_path):
    """A class of one, graded by machine and by hand."""
    shutil.copy(first / "gradebook.db", tmp_path)
    hand_in(tmp_path)
    return tmp_path


def test_a_second_release_changes_no_row(course):
    every = (*CLASS, "notebook", "base_cell", "grade_cells", "solution_cells", "source_cell")
    before = rows(course, *every)
    done = update(course, FIRST)
    assert (done.entered, done.refreshed, done.stays, done.copy) == ([], [], {}, None)
    assert rows(course, *every) == before
    assert len(before) > 20


def test_new_texts_are_entered_under_the_marks(course):
    marks, cells = rows(course, *CLASS), rows(course, "base_cell", "grade_cells")
    done = update(course, FIRST | {"tiny": TEXTS})
    assert (done.entered, done.refreshed, done.stays) == ([], ["tiny"], {})
    assert assignments(course) == FIRST | {"tiny": TEXTS}
    assert rows(course, *CLASS) == marks
    assert rows(course, "base_cell", "grade_cells") == cells
    assert {row[4:6] for row in marks if row[0] == "grade"} >= {(None, 1.5), (1.25, None)}


def test_what_is_graded_otherwise_stays_and_everything_else_is_updated(course):
    marks, third = rows(course, *CLASS[:5]), assignment("third")
    wanted = {"tiny": OTHERWISE, "other": assignment("other", "  # new"), "third": third}
    done = update(course, wanted)
    assert (done.entered, done.refreshed) == (["third"], ["other"])
    assert list(done.stays) == ["tiny"]
    assert assignments(course) == wanted | {"tiny": FIRST["tiny"]}
    assert rows(course, *CLASS[:5]) == marks
    assert done.stays["tiny"].held == "gradebook.db holds 1 submission"
    assert done.stays["tiny"].changes == [
        "tiny-double: gone",
        "tiny-explain: 2 points, now 3",
        "tiny-half: new, code check of 0.5 points",
    ]


def test_an_assignment_that_solutions_no_longer_has_stays(course):
    before = rows(course, *CLASS)
    assert update(course, {"other": FIRST["other"]}).stays == {}
    assert rows(course, *CLASS) == before
    assert assignments(course) == FIRST


def test_collected_and_not_yet_graded_is_handed_in_too(first, tmp_path):
    shutil.copy(first / "gradebook.db", tmp_path)
    for learner in ("learner-17", "learner-18"):
        (tmp_path / "submitted" / learner / "tiny").mkdir(parents=True)
    done = update(tmp_path, FIRST | {"tiny": OTHERWISE})
    assert done.stays["tiny"].held == "submitted/ holds 2 submissions"
    assert assignments(tmp_path) == FIRST
    done = update(tmp_path, FIRST | {"tiny": TEXTS})
    assert (done.refreshed, done.stays) == (["tiny"], {})


def test_without_submissions_it_is_replaced_and_keeps_its_due_date(first, tmp_path):
    shutil.copy(first / "gradebook.db", tmp_path)
    with opened(tmp_path) as gradebook:
        gradebook.update_or_create_assignment("tiny", duedate=datetime(2026, 5, 4))
    dates = rows(tmp_path, "assignment")
    done = update(tmp_path, FIRST | {"tiny": OTHERWISE})
    assert (done.entered, done.stays, done.copy) == (["tiny"], {}, None)
    assert assignments(tmp_path) == FIRST | {"tiny": OTHERWISE}
    assert rows(tmp_path, "assignment") == dates
    # Another notebook of the same assignment, in the place of the one that was there.
    renamed = {"small": OTHERWISE["tiny"]}
    assert update(tmp_path, FIRST | {"tiny": renamed}).entered == ["tiny"]
    assert assignments(tmp_path) == FIRST | {"tiny": renamed}


def test_a_class_that_is_moved_keeps_what_hangs_on_cells_that_remain(course):
    before = {tuple(row) for row in rows(course, "comment", *CLASS[2:])}
    done = update(course, FIRST | {"tiny": OTHERWISE}, move="tiny")
    assert (done.entered, done.stays) == (["tiny"], {})
    assert assignments(course) == FIRST | {"tiny": OTHERWISE}
    assert before == set(rows(course, "comment", *CLASS[2:]))
    with opened(course) as gradebook:
        marks = {
            grade.name: (grade.auto_score, grade.manual_score, grade.needs_manual_grade)
            for grade in gradebook.find_submission_notebook("tiny", "tiny", "learner-17").grades
        }
    # The explanation gives 3 points now: whoever gave it 1.5 of 2 looks at it again.
    assert marks == {
        "tiny-explain": (None, 1.5, True),
        "tiny-half": (None, None, True),
        "tiny-triple": (1.25, None, False),
    }
    # What was there before lies beside it, whole.
    assert done.copy is not None
    other = course / "before"
    other.mkdir()
    shutil.copy(done.copy, other / "gradebook.db")
    assert assignments(other) == FIRST
    assert len(rows(other, "grade")) == len(marks)


def test_moving_what_nobody_keeps_makes_no_copy(course):
    assert update(course, FIRST, move="tiny").copy is None
    assert update(course, FIRST | {"tiny": TEXTS}, move="tiny").copy is None


def test_a_renamed_notebook_is_graded_otherwise(course):
    renamed = FIRST | {"tiny": {"small": FIRST["tiny"]["tiny"]}}
    lines = ["the notebook tiny: gone", "the notebook small: new"]
    assert update(course, renamed).stays["tiny"].changes == lines
    before = rows(course, "submitted_assignment")
    assert update(course, renamed, move="tiny").entered == ["tiny"]
    assert assignments(course) == renamed
    assert rows(course, "submitted_assignment") == before
    with opened(course) as gradebook:
        handed_in = gradebook.find_submission_notebook("small", "tiny", "learner-17")
        assert {grade.name for grade in handed_in.grades} == {
            "tiny-double",
            "tiny-explain",
            "tiny-triple",
        }
        assert len(handed_in.comments) == 2
    assert len(rows(course, "submitted_notebook")) == 1


def test_two_copies_of_one_second_are_two(course):
    assert copied(course) != copied(course)


@pytest.mark.parametrize(
    ("cells", "lines"),
    [
        (check_cell("tiny-double", 2.5, "check( double )  # as before"), []),
        (check_cell("tiny-double", 2.5, "check(two)"), ["tiny-double: calls something else"]),
        (check_cell("tiny-double", 1.0, "check(double)"), ["tiny-double: 2.5 points, now 1"]),
        (
            explanation("tiny-double", 2.5),
            ["tiny-double: code check, now markdown explanation"],
        ),
        (answer_cell("tiny-half-answer"), ["tiny-half-answer: new, answer cell"]),
        (text_cell("tiny-given", "read that"), []),
        (text_cell("tiny-more", "and this"), []),
    ],
)
def test_what_counts_as_graded_otherwise(cells, lines):
    new = copy.deepcopy(FIRST["tiny"])
    new["tiny"]["cells"] |= cells
    assert changes(FIRST["tiny"], new) == lines


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
import test_course_update as these
from grading.classroom import course_update
from grading.classroom.course_update import update

real, times = course_update.enter, []

def enter(*arguments):
    real(*arguments)
    times.append(1)
    if len(times) == 2:
        os.kill(os.getpid(), signal.SIGKILL)

course_update.enter = enter
update(Path(sys.argv[1]), {"tiny": these.TEXTS, "third": these.assignment("third"), "x": {}})
"""


@pytest.mark.parametrize("is_new", [True, False])
def test_a_release_that_is_killed_is_completed_by_the_next(course, tmp_path, is_new):
    if is_new:
        (course / "gradebook.db").unlink()
    before = [] if is_new else rows(course, *CLASS, "source_cell")
    command = [sys.executable, "-c", KILLED, str(course), os.path.dirname(__file__)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert (course / "gradebook.db").exists() is not is_new
    if not is_new:
        assert rows(course, *CLASS, "source_cell") == before
    wanted = FIRST | {"tiny": TEXTS, "third": assignment("third")}
    assert update(course, wanted).stays == {}
    assert assignments(course) == wanted
    if not is_new:
        assert [r for r in rows(course, *CLASS[:5]) if r not in before] == []
    assert not (course / "gradebook.db.unfinished").exists()


@pytest.fixture
def held(course):
    """The gradebook, as a program holds it that is in the middle of writing."""
    with closing(sqlite3.connect(course / "gradebook.db", check_same_thread=False)) as other:
        other.isolation_level = None
        other.execute("BEGIN EXCLUSIVE")
        yield other


def test_a_gradebook_that_is_held_is_waited_for(course, held):
    timer = threading.Timer(1.0, held.execute, ["COMMIT"])
    timer.start()
    assert update(course, FIRST | {"tiny": TEXTS}).refreshed == ["tiny"]
    timer.join()


def test_a_gradebook_that_is_held_for_long_is_said(course, held, monkeypatch):
    monkeypatch.setattr(enrolment, "PATIENCE", 0.25)
    with pytest.raises(SystemExit, match=r"holds .*gradebook\.db.*\n.*waited for 0\.25 seconds"):
        update(course, FIRST | {"tiny": TEXTS})
    held.execute("COMMIT")
    assert assignments(course) == FIRST


def test_what_is_said_names_the_ways_on(course):
    stay = course_update.Stay(held="gradebook.db holds 1 submission", changes=["tiny-half: new"])
    text = said(course, "tiny", stay, is_new_already=False)
    assert "tiny stays as your class has it: gradebook.db holds 1 submission, and" in text
    assert "\n  tiny-half: new\n" in text
    assert "Every mark stays" in text
    assert "exercises/tiny was left as it is" in text
    assert f'-m grading release --move tiny --course "{course}"\n' in text
    assert "do not hand it out" in said(course, "tiny", stay, is_new_already=True)
