"""A release enters the assignments into the root's gradebook, and never under the submissions."""

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing

import nbformat
import pytest

from grading.notebooks import notebook

CODE = """
import json, pathlib, sys
from grading.classroom import release
print(json.dumps(getattr(release, sys.argv[1])(pathlib.Path.cwd())))
"""


def run(root, call: str, *, fails: bool = False):
    """Call a function of the release here; return its result, or what it stopped with."""
    done = subprocess.run(
        [sys.executable, "-c", CODE, call],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=root,
        env=os.environ | {"PATH": "/usr/bin:/bin", "HOME": str(root)},
    )
    assert (done.returncode != 0) is fails, done.stderr
    return done.stderr if fails else json.loads(done.stdout)


@pytest.fixture(scope="module")
def course(make_tiny_course):
    """A course directory that was released, and in which nobody has handed in."""
    course = make_tiny_course({"double": "return 2.0"}, generates=False)
    assert run(course.root, "release") == [["exercises/tiny/tiny.ipynb"], ["tiny"]]
    return course


@pytest.fixture
def solution(course):
    """The solution notebook; put back after a test that edits it."""
    path = notebook(course.root / "solutions", course.slug)
    content = path.read_bytes()
    yield path
    path.write_bytes(content)


def edit_explanation(path, points: float) -> None:
    """Let the explanation give other points, as an instructor might."""
    nb = nbformat.read(path, as_version=4)
    nb.cells[-1].metadata["nbgrader"]["points"] = points
    nbformat.write(nb, path)


def points_in_gradebook(root) -> dict[str, float]:
    query = "select name, max_score from base_cell join grade_cells using (id)"
    with closing(sqlite3.connect(root / "gradebook.db")) as gradebook:
        return dict(gradebook.execute(query).fetchall())


def everything(root) -> dict[str, bytes]:
    """Every file of the course but the notes of the last release."""
    files = (path for path in root.rglob("*") if path.is_file() and "_build" not in path.parts)
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def test_what_is_entered_is_what_nbgrader_itself_enters(course, make_tiny_course):
    tables = ("notebook", "base_cell", "grade_cells", "solution_cells", "source_cell")
    ids = {"id", "notebook_id", "assignment_id"}

    def rows(root):
        with closing(sqlite3.connect(root / "gradebook.db")) as gradebook:
            gradebook.row_factory = sqlite3.Row
            found = {t: [dict(r) for r in gradebook.execute(f"select * from {t}")] for t in tables}
        plain = [(t, {k: r[k] for k in r if k not in ids}) for t in tables for r in found[t]]
        return sorted(plain, key=str)

    generated = make_tiny_course({"double": "return 2.0"})
    assert rows(course.root) == rows(generated.root)
    assert len(rows(course.root)) > 10


def test_a_second_release_enters_nothing(course):
    before = everything(course.root)
    assert run(course.root, "release") == [[], []]
    assert everything(course.root) == before


def test_a_lost_gradebook_is_made_again_though_exercises_are_up_to_date(course):
    gradebook = course.root / "gradebook.db"
    content = gradebook.read_bytes()
    gradebook.unlink()
    try:
        assert run(course.root, "update_exercises") == []
        assert run(course.root, "check") == []
        assert not gradebook.exists()
        assert run(course.root, "release") == [[], ["tiny"]]
        assert points_in_gradebook(course.root) == {"tiny-double": 2.0, "tiny-explain": 2.0}
    finally:
        gradebook.write_bytes(content)


def test_changed_cells_are_entered_as_long_as_nobody_has_handed_in(course, solution):
    edit_explanation(solution, 3.0)
    assert run(course.root, "release") == [["exercises/tiny/tiny.ipynb"], ["tiny"]]
    assert points_in_gradebook(course.root) == {"tiny-double": 2.0, "tiny-explain": 3.0}
    edit_explanation(solution, 2.0)
    assert run(course.root, "release") == [["exercises/tiny/tiny.ipynb"], ["tiny"]]
    assert points_in_gradebook(course.root) == {"tiny-double": 2.0, "tiny-explain": 2.0}


def test_cells_that_changed_after_submissions_stop_it_and_nothing_is_touched(make_tiny_course):
    course = make_tiny_course({"double": "return 2.0"}, generates=False)
    run(course.root, "release")
    course.answer("learner-17", {"double": "return 2.0"})
    assert course.autograde("learner-17")["double"] == 2.0
    solution = notebook(course.root / "solutions", course.slug)
    released = solution.read_bytes()
    assert run(course.root, "release") == [[], []]

    edit_explanation(solution, 3.0)
    before = everything(course.root)
    for call in ("release", "update_exercises"):
        said = run(course.root, call, fails=True)
        assert "gradebook.db holds 1 submission of tiny" in said
        assert "changed, new or gone: tiny-explain\n" in said
        assert "move gradebook.db, autograded/ and feedback/" in said
        assert "Traceback" not in said
    assert everything(course.root) == before

    # The first way on that it names.
    solution.write_bytes(released)
    assert run(course.root, "release") == [[], []]
    # What no cell of a gradebook holds may change: a text between the tasks.
    nb = nbformat.read(solution, as_version=4)
    nb.cells[-2].source = "In three sentences: why is it there?"
    nbformat.write(nb, solution)
    assert run(course.root, "release") == [["exercises/tiny/tiny.ipynb"], []]
    assert course.points("learner-17")["double"] == 2.0

    # The second way on.
    edit_explanation(solution, 3.0)
    (course.root / "before").mkdir()
    for name in ("gradebook.db", "autograded"):
        (course.root / name).rename(course.root / "before" / name)
    assert run(course.root, "release") == [["exercises/tiny/tiny.ipynb"], ["tiny"]]
    course.nbgrader("autograde", course.slug)
    assert course.points("learner-17")["double"] == 2.0
    assert points_in_gradebook(course.root) == {"tiny-double": 2.0, "tiny-explain": 3.0}


def test_cells_that_changed_under_collected_submissions_stop_it_before_any_is_graded(
    make_tiny_course,
):
    course = make_tiny_course({"double": "return 2.0"}, generates=False)
    run(course.root, "release")
    course.answer("learner-17", {"double": "return 2.0"})
    edit_explanation(notebook(course.root / "solutions", course.slug), 3.0)
    before = everything(course.root)
    for call in ("release", "update_exercises"):
        said = run(course.root, call, fails=True)
        assert "submitted/ holds 1 submission of tiny" in said
        assert "changed, new or gone: tiny-explain\n" in said
        assert "put solutions/tiny back" in said
    assert everything(course.root) == before

    # The way on that it names: only the gradebook is there to be moved.
    (course.root / "gradebook.db").rename(course.root / "gradebook-before.db")
    assert run(course.root, "release") == [["exercises/tiny/tiny.ipynb"], ["tiny"]]
    course.nbgrader("autograde", course.slug)
    assert points_in_gradebook(course.root) == {"tiny-double": 2.0, "tiny-explain": 3.0}
