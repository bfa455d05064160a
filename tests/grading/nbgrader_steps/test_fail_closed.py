"""Each case in which stock nbgrader fails open, in a real run of autograde."""

from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from grading.nbgrader_steps.fail_closed import lost, refusals, refuse
from grading.notebooks import notebook

# Reads submissions as they are; the doctor would mend what these tests damage.
NO_DOCTOR = "--Autograde.exporter_class=nbconvert.exporters.NotebookExporter"

# The body of each task's function, and the points of 2.0 that it must earn.
CASES = {
    "right": ("return 2.0", 2.0),
    "part": ("return 0.5", 0.5),
    "whole_number": ("return 2", 2.0),
    "negative": ("return -1", 0.0),
    "not_a_number": ("return float('nan')", 0.0),
    "infinite": ("return float('inf')", 0.0),
    "false": ("return False", 0.0),
    "true": ("return True", 0.0),
    "word": ("return 'abc'", 0.0),
    "quoted_number": ("return '2.0'", 0.0),
    "nothing": ("return None", 0.0),
    "a_list": ("return [2.0]", 0.0),
    "underscore": (
        "return type('N', (), {'__repr__': lambda self: '0_2'})()",
        0.0,
    ),
    "too_much": ("return 2.5", 0.0),
    "raises": ("raise ValueError('no')", 0.0),
    "unfinished": ("raise NotImplementedError", 0.0),
    "two_results": ("import sys; sys.displayhook(2.0); return 0.0", 0.0),
    "shown_before": ("from IPython.display import display; display(2.0); return 1.0", 1.0),
    "warns": ("import warnings; warnings.warn('slow'); return 2.0", 2.0),
    "writes_to_stderr": ("import sys; print('hm', file=sys.stderr); return 2.0", 2.0),
    "warns_and_is_wrong": ("import warnings; warnings.warn('slow'); return -1", 0.0),
    "prints": ("print('1.0'); return 2.0", 2.0),
}


@pytest.fixture(scope="module")
def course(make_tiny_course):
    return make_tiny_course(dict.fromkeys(CASES, "return 2.0"))


@pytest.fixture(scope="module")
def graded(course):
    course.answer("learner", {task: body for task, (body, _) in CASES.items()})
    return course.autograde("learner")


@pytest.mark.parametrize("task", CASES)
def test_only_one_proven_number_earns_points(graded, task):
    assert graded[task] == CASES[task][1]


def test_the_explanation_waits_for_a_person(course, graded):
    # Unchanged since the release: nbgrader itself gives 0 and says "No response".
    assert graded["explain"] == 0


def test_the_learner_reads_why_a_check_earned_nothing(course, graded):
    nb = nbformat.read(notebook(course.root / "autograded" / "learner", course.slug), as_version=4)
    shown = {
        cell.metadata.nbgrader.grade_id: cell.outputs[0].data["text/html"]
        for cell in nb.cells
        if cell.cell_type == "code"
        and cell.outputs
        and "data" in cell.outputs[0]
        and "text/html" in cell.outputs[0].data
    }
    assert "more than the cell&#x27;s 2" in shown["tiny-too_much"]
    assert "2 results" in shown["tiny-two_results"]
    assert "ended in an error" in shown["tiny-raises"]
    assert "no result" in shown["tiny-nothing"]


def edited(course, learner: str, change, *options: str) -> dict[str, float | None]:
    """Grade an otherwise right submission that `change` has tampered with."""
    right = course.answer(learner, {"right": "return 2.0", "part": "return 2.0"})
    nb = nbformat.read(right, as_version=4)
    change(nb)
    nbformat.write(nb, right)
    return course.autograde(learner, *options)


def check_cell(nb, task: str):
    return next(
        cell
        for cell in nb.cells
        if cell.metadata.get("nbgrader", {}).get("grade_id") == f"tiny-{task}"
    )


def test_a_check_that_is_tagged_to_be_skipped_earns_nothing(course):
    def skip(nb):
        check_cell(nb, "right").metadata["tags"] = ["skip-execution"]

    points = edited(course, "skips", skip, NO_DOCTOR)
    assert (points["right"], points["part"]) == (0.0, 2.0)
    assert course.autograde("skips")["right"] == 2.0  # the doctor takes the tag off, so it runs


def test_a_check_that_disappears_from_a_second_submission_loses_its_points(course):
    assert edited(course, "deletes", lambda nb: None)["right"] == 2.0

    def delete(nb):
        nb.cells.remove(check_cell(nb, "right"))

    points = edited(course, "deletes", delete, NO_DOCTOR)
    assert (points["right"], points["part"]) == (0.0, 2.0)
    assert course.autograde("deletes")["right"] == 2.0  # the doctor puts the check back


def test_raised_points_and_an_edited_check_are_put_back(course):
    def cheat(nb):
        cell = check_cell(nb, "right")
        cell.metadata["nbgrader"]["points"] = 50.0
        cell.source = "50.0"
        check_cell(nb, "part").source = "2.0"

    points = edited(course, "cheats", cheat)
    assert (points["right"], points["part"]) == (2.0, 2.0)


def test_outputs_that_the_learner_stored_prove_nothing(course):
    def store(nb):
        for cell in nb.cells:
            if cell.cell_type == "code" and cell.metadata["nbgrader"]["grade"]:
                data = {"text/plain": "2.0"}
                cell.outputs = [nbformat.v4.new_output("execute_result", data, execution_count=1)]

    points = edited(course, "stores", store, "--no-execute")
    assert {points[task] for task in CASES} == {0.0}


def test_nothing_is_written_outside_the_course(course):
    names = {path.name for path in Path(course.root).iterdir()}
    assert names <= {"solutions", "exercises", "submitted", "autograded", "exchange"} | {
        "gradebook.db",
        "nbgrader_config.py",
    }


def test_what_was_refused_is_read_back_and_a_check_that_is_gone_is_told():
    cell = new_code_cell("check(f)", outputs=[])
    cell.metadata["nbgrader"] = {"grade": True, "solution": False, "grade_id": "shown", "points": 2}
    refuse(cell, "the cell showed no result")
    for minor, has_id in ((4, False), (5, True)):
        nb = new_notebook(cells=[cell])
        nb.nbformat_minor = minor
        nb.cells.insert(0, lost("gone", nb))
        assert ("id" in nb.cells[0]) is has_id
        assert (
            "The check `gone` is no longer in this notebook, so it earned 0" in nb.cells[0].source
        )
        assert refusals(nb) == {
            "gone": "the check is no longer in the notebook",
            "shown": "the cell showed no result",
        }
    assert refusals(new_notebook(cells=[new_code_cell("1")])) == {}
