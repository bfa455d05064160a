"""nbgrader's own commands on a course directory with our settings, as an instructor types them."""

import copy
import csv

import nbformat
import pytest

from grading.notebooks import notebook
from grading.report.marks import read_course


@pytest.fixture(scope="module")
def course(make_tiny_course):
    course = make_tiny_course({"double": "return 2.0"})
    course.answer("right", {"double": "return 2.0"}, "Scores keep a variance of 1.")
    course.answer("wrong", {"double": "return 0.0"})
    pasted = nbformat.read(course.answer("pastes", {"double": "return 2.0"}), as_version=4)
    copy_a_check(pasted)
    nbformat.write(pasted, notebook(course.root / "submitted" / "pastes", course.slug))
    broken = course.answer("cut-off", {"double": "return 2.0"})
    broken.write_bytes(broken.read_bytes()[:300])
    return course


def copy_a_check(nb) -> None:
    """Copy and paste a check cell in JupyterLab: its metadata is pasted too."""
    nb.cells.insert(1, copy.deepcopy(nb.cells[1]))
    nb.cells[1]["id"] = "pasted"


@pytest.fixture(scope="module")
def graded(course):
    printed = course.nbgrader("autograde", course.slug, fails=True)
    assert "UngradableError: The file is cut off" in printed
    return course


def test_validate_says_which_answer_is_not_there_yet(course):
    right = notebook(course.root / "submitted" / "right", course.slug)
    wrong = notebook(course.root / "submitted" / "wrong", course.slug)
    assert "Success!" in course.nbgrader("validate", str(right))
    assert "VALIDATION FAILED ON 2 CELL" in course.nbgrader("validate", str(wrong))


def test_autograde_goes_on_after_a_damaged_file(graded):
    assert graded.points("right")["double"] == 2.0
    assert graded.points("wrong")["double"] == 0.0
    assert graded.points("cut-off")["double"] is None
    marks, _ = read_course(graded.root)
    assert {mark.learner: mark.reason for mark in marks if mark.state == "ungraded"} == {
        "cut-off": "the file is damaged: it is not JSON"
    }


def test_a_pasted_check_cell_stops_nobody(graded):
    assert graded.points("pastes")["double"] == 2.0
    assert graded.points("right")["double"] == 2.0


def test_feedback_is_one_file_that_asks_no_other_host(graded, browser):
    graded.nbgrader("generate_feedback", graded.slug)
    page = graded.root / "feedback" / "wrong" / "tiny" / "tiny.html"
    asked = []
    view = browser.new_page()
    view.on("request", lambda request: asked.append(request.url))
    view.goto(page.as_uri())
    assert [url for url in asked if url != page.as_uri()] == []
    assert "tiny (Score: 0.0 / 4.0)" in view.inner_text("h4")
    # The formula of the explanation's text is typeset without fonts or scripts from elsewhere.
    assert view.locator(".rendered_html math msqrt").count() == 1
    assert "$" not in view.inner_text("#notebook")
    view.close()


def test_export_writes_the_marks(graded):
    graded.nbgrader("export", "--to", "grades.csv")
    with (graded.root / "grades.csv").open() as file:
        scores = {row["student_id"]: row["score"] for row in csv.DictReader(file)}
    assert scores == {"right": "2.0", "wrong": "0.0", "cut-off": "", "pastes": "2.0"}


def test_zip_collect_sorts_files_that_are_named_by_learner_and_notebook(graded):
    archive = graded.root / "downloaded" / graded.slug / "archive"
    archive.mkdir(parents=True)
    content = notebook(graded.root / "submitted" / "right", graded.slug).read_bytes()
    (archive / f"learner-17_{graded.slug}.ipynb").write_bytes(content)
    graded.nbgrader("zip_collect", graded.slug)
    collected = notebook(graded.root / "submitted" / "learner-17", graded.slug)
    assert collected.read_bytes() == content
