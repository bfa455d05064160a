"""The executed solution notebooks: nbval compares every code cell, every check gives its points.

A notebook without outputs compares nothing under nbval, so the notebooks are executed first, and
the number of cells that nbval compared is asserted.
"""

import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import nbformat
import pytest
from built_site import chapters

from grading.classroom.solution_runs import execute, run_solutions
from grading.nbgrader_steps.fail_closed import is_check, plain_text, why_unproven
from grading.notebooks import ROOT, notebook, slugs

EXECUTED = ROOT / "_build" / "solutions"


EVERY = pytest.mark.parametrize("slug", slugs(), scope="module")


@pytest.fixture(scope="module")
def executed(slug):
    """Run the notebook if it changed since `python -m grading solutions`; usually it has not."""
    run_solutions(only=slug)
    return notebook(EXECUTED, slug)


def code_cells(path: Path) -> list:
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def checks(path: Path) -> list:
    return [cell for cell in code_cells(path) if is_check(cell)]


def earned(cell) -> float:
    """The points that an executed check cell proves."""
    maximum = float(cell.metadata["nbgrader"]["points"])
    assert why_unproven(cell, maximum) is None, cell.source
    shown = [output for output in cell.outputs if output.output_type == "execute_result"]
    return float(plain_text(shown[0]))


def nbval(path: Path, report: Path) -> ElementTree.Element:
    """Run nbval strictly on one notebook; return what pytest reports."""
    command = [
        *(sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", str(path)),
        *("-q", "-c", os.devnull, "-p", "no:cacheprovider", f"--junitxml={report}"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=path.parent)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    return ElementTree.parse(report).getroot()


def test_every_notebook_belongs_to_a_chapter():
    assert slugs()
    assert set(slugs()) <= set(chapters())


@EVERY
def test_nbval_compares_every_code_cell(executed, tmp_path):
    cells = code_cells(executed)
    assert all(cell.execution_count for cell in cells)
    suite = next(nbval(executed, tmp_path / "report.xml").iter("testsuite"))
    counts = {name: int(suite.get(name)) for name in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": len(cells), "failures": 0, "errors": 0, "skipped": 0}


@EVERY
def test_every_check_gives_its_full_points(executed):
    cells = checks(executed)
    assert cells
    for cell in cells:
        assert earned(cell) == float(cell.metadata["nbgrader"]["points"]), cell.source


@EVERY
def test_the_points_of_a_notebook_are_ten(slug):
    cells = nbformat.read(notebook(ROOT / "solutions", slug), as_version=4).cells
    marked = [cell.metadata["nbgrader"] for cell in cells if "nbgrader" in cell.metadata]
    assert sum(cell["points"] for cell in marked if cell["grade"]) == 10
    by_hand = [cell["points"] for cell in marked if cell["grade"] and cell["solution"]]
    assert by_hand == [2]


@EVERY
def test_exactly_the_planned_checks_refuse_the_released_notebook(slug, executed, tmp_path):
    exercise = notebook(ROOT / "exercises", slug)
    path = execute(exercise, tmp_path / exercise.name, allow_errors=True)
    planned = [cell.metadata["nbgrader"]["grade_id"] for cell in checks(exercise)]
    solved = [cell.metadata["nbgrader"]["grade_id"] for cell in checks(executed)]
    assert planned == solved
    refused = [
        cell.metadata["nbgrader"]["grade_id"] for cell in checks(path) if earned(cell) == 0.0
    ]
    assert refused == planned
    # A blank is not wrong, it is not written yet: every other cell of the notebook runs.
    failed = [
        cell.source
        for cell in code_cells(path)
        if any(output.output_type == "error" for output in cell.outputs)
    ]
    assert failed == []


@EVERY
def test_no_outputs_are_committed(slug):
    for folder in ("solutions", "exercises"):
        for cell in code_cells(notebook(ROOT / folder, slug)):
            assert (cell.outputs, cell.execution_count) == ([], None)
