"""A release enters the assignments into the root's gradebook, and never harms a class."""

import io
import os
import sqlite3
import subprocess
import sys
from contextlib import closing, redirect_stderr, redirect_stdout

import nbformat
import pytest

from grading.__main__ import main
from grading.notebooks import notebook

UP_TO_DATE = "exercises/ is up to date.\n"
WROTE, ENTERED = "wrote exercises/tiny/tiny.ipynb\n", "entered tiny into gradebook.db\n"


def typed(root) -> str:
    """Type the command in the course directory, in a process of its own; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "grading", "release"],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=root,
        env=os.environ | {"PATH": "/usr/bin:/bin", "HOME": str(root)},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def run(root, *words: str, status: int = 0, here: bool = True) -> str:
    """Run the command here, in the course directory or naming it; return what it printed."""
    place = [] if here else ["--course", str(root)]
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.chdir(root if here else root.parent)
        patch.setattr(sys, "argv", ["grading", "release", *words, *place])
        assert main() == status, err.getvalue()
    return (err if status else out).getvalue()


@pytest.fixture(scope="module")
def course(make_tiny_course):
    """A course directory that was released, and in which nobody has handed in."""
    course = make_tiny_course({"double": "return 2.0"}, generates=False)
    assert typed(course.root) == WROTE + ENTERED
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
    graded = [cell for cell in nb.cells if "nbgrader" in cell.metadata]
    graded[-1].metadata["nbgrader"]["points"] = points
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
    assert run(course.root) == UP_TO_DATE
    assert everything(course.root) == before


def test_a_lost_gradebook_is_made_again_though_exercises_are_up_to_date(course):
    gradebook = course.root / "gradebook.db"
    content = gradebook.read_bytes()
    gradebook.unlink()
    try:
        assert run(course.root, "--no-gradebook") == UP_TO_DATE
        assert run(course.root, "--check") == ""
        assert not gradebook.exists()
        assert run(course.root) == ENTERED
        assert points_in_gradebook(course.root) == {"tiny-double": 2.0, "tiny-explain": 2.0}
    finally:
        gradebook.write_bytes(content)


def test_changed_cells_are_entered_as_long_as_nobody_has_handed_in(course, solution):
    edit_explanation(solution, 3.0)
    assert run(course.root) == WROTE + ENTERED
    assert points_in_gradebook(course.root) == {"tiny-double": 2.0, "tiny-explain": 3.0}
    edit_explanation(solution, 2.0)
    assert run(course.root) == WROTE + ENTERED
    assert points_in_gradebook(course.root) == {"tiny-double": 2.0, "tiny-explain": 2.0}


def test_a_folder_that_is_no_course_is_refused(tmp_path):
    assert "is no course directory" in run(tmp_path, status=2)


def test_a_class_that_does_not_exist_cannot_be_moved(course):
    said = run(course.root, "--move", "tinny", status=2)
    assert "There is no assignment 'tinny'. Choose one of: tiny" in said


def marks(root) -> list[tuple]:
    with closing(sqlite3.connect(root / "gradebook.db")) as gradebook:
        tables = ("grade", "comment", "submitted_notebook", "submitted_assignment")
        return [row for t in tables for row in gradebook.execute(f"select * from {t}").fetchall()]


def test_a_course_changes_under_a_class_in_every_way(make_tiny_course):
    course = make_tiny_course({"double": "return 2.0"}, generates=False)
    run(course.root, here=False)
    course.answer("learner-17", {"double": "return 2.0"}, "So that the variance stays 1.")
    course.nbgrader("autograde", course.slug)
    before = marks(course.root)
    assert run(course.root) == UP_TO_DATE

    # What no cell of a gradebook holds: a text between the tasks.
    solution = notebook(course.root / "solutions", course.slug)
    nb = nbformat.read(solution, as_version=4)
    nb.cells[-2].source = "In three sentences: why is it there?"
    nbformat.write(nb, solution)
    assert run(course.root) == WROTE
    # A text that one holds.
    nb.cells[0].source = nb.cells[0].source.replace("def double", "# Twice.\ndef double")
    nbformat.write(nb, solution)
    assert run(course.root) == WROTE + "entered new texts of tiny; nothing is graded otherwise\n"
    assert marks(course.root) == before

    # Other points: the class keeps what it has, in the gradebook and in exercises/.
    edit_explanation(solution, 3.0)
    files = everything(course.root)
    for words in ((), ("--no-gradebook",)):
        said = run(course.root, *words)
        assert said.startswith(
            UP_TO_DATE + "\ntiny stays as your class has it: gradebook.db holds 1"
        )
        assert "\n  tiny-explain: 2 points, now 3\n" in said
        assert "exercises/tiny was left as it is." in said
        assert "release --move tiny" in said
    assert marks(course.root) == before
    after = everything(course.root)
    assert {name for name in files | after if files.get(name) != after.get(name)} <= {
        "gradebook.db"
    }
    assert points_in_gradebook(course.root) == {"tiny-double": 2.0, "tiny-explain": 2.0}
    # The points of the class are those that it was graded by, also when it is graded again.
    course.nbgrader("autograde", course.slug, "--force")
    assert marks(course.root) == before

    # A pull brought the new exercise before the release was typed.
    exercise = notebook(course.root / "exercises", course.slug)
    old = exercise.read_bytes()
    (course.root / "gradebook.db").rename(course.root / "aside.db")
    (course.root / "submitted").rename(course.root / "aside")
    assert run(course.root, "--no-gradebook") == WROTE
    (course.root / "aside.db").rename(course.root / "gradebook.db")
    (course.root / "aside").rename(course.root / "submitted")
    assert "exercises/tiny is the new version already" in run(course.root)
    exercise.write_bytes(old)

    # The way on that it names.
    said = run(course.root, "--move", "tiny")
    assert said.splitlines()[0].startswith("copied gradebook.db to gradebook.db.")
    assert said.splitlines()[1:] == (WROTE + ENTERED).splitlines()
    course.nbgrader("autograde", course.slug, "--force")
    assert course.points("learner-17") == {"double": 2.0, "explain": None}
    assert points_in_gradebook(course.root) == {"tiny-double": 2.0, "tiny-explain": 3.0}
    assert run(course.root) == UP_TO_DATE
