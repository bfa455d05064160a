"""A second run of every published page gives what the page shows, cell by cell.

Of a chapter it is the form that readers download which runs again: it holds the outputs of the
page to the letter, so one run proves both. nbval compares nothing where a cell was never executed,
and skips what it is told to skip; so the cells that it compared are counted, and no cell may ask
to be left out.
"""

import copy
import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
from built_site import DOWNLOADS, EXECUTED, ROOT, chapters, executed_pages

SANITISE = Path(__file__).with_name("nbval_sanitise.cfg")
ESCAPES = {"nbval-skip", "nbval-ignore-output", "nbval-raises-exception", "raises-exception"}


def code_cells(path: Path) -> list[dict[str, Any]]:
    """Return the code cells of a built notebook; without it there is an error, no empty test."""
    if not path.exists():
        raise FileNotFoundError(f"There is no {path.relative_to(ROOT)}: run `make book` first.")
    cells: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


def compared(path: Path, report: Path) -> tuple[int, list[str]]:
    """Run nbval strictly; return how many cells it compared, and what differed."""
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env"]
    # The settings of our own tests are not nbval's: it warns of its own use of pytest.
    settings = ["-c", os.devnull, "--rootdir", str(ROOT), "-p", "no:cacheprovider"]
    quiet = [*settings, "-p", "no:xdist", "--nbval-sanitize-with", str(SANITISE)]
    run = subprocess.run(
        [*command, *quiet, f"--junitxml={report}", "-q", str(path)],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert report.exists(), run.stdout + run.stderr
    cases = list(ElementTree.parse(report).iter("testcase"))
    wrong = [
        f"{case.get('classname')} {case.get('name')}: {''.join(verdict.itertext())[-1500:]}"
        for case in cases
        for verdict in case
        if verdict.tag in ("failure", "error", "skipped")
    ]
    return len(cases), wrong


def test_the_chapters_are_executed_pages() -> None:
    assert set(chapters()) < set(executed_pages())


@pytest.mark.parametrize("page_name", executed_pages())
def test_every_cell_of_the_page_says_the_same_again(page_name: str, tmp_path: Path) -> None:
    path = EXECUTED / f"{page_name}.ipynb"
    shown = code_cells(path)
    for cell in shown:
        assert cell["execution_count"], f"{page_name}: a cell was not executed"
        assert not ESCAPES & set(cell["metadata"].get("tags", [])), f"{page_name}: {cell}"
        assert "NBVAL" not in "".join(cell["source"]), f"{page_name}: {cell['source']}"
    cells = shown
    if page_name in chapters():
        path = DOWNLOADS / f"{page_name}.ipynb"
        cells = code_cells(path)
        # The first cell, which nobody has run yet, sets the course up; the others are the page's.
        assert cells[0]["execution_count"] is None
        assert [results(cell) for cell in cells[1:]] == [results(cell) for cell in shown]
    count, wrong = compared(path, tmp_path / "report.xml")
    assert not wrong, "\n".join(wrong)
    assert count == len(cells) > 0
    print(f"{len(shown)} cells of {page_name} compared")


def results(cell: dict[str, Any]) -> tuple[str, Any, Any]:
    """Return what a cell ran and what came of it."""
    tags = set(cell["metadata"].get("tags", []))
    assert not ESCAPES & tags
    return "".join(cell["source"]), cell["execution_count"], cell["outputs"]


@pytest.mark.parametrize("fault", ["number", "missing output", "not executed", "none"])
def test_a_page_that_shows_something_else_is_refused(tmp_path: Path, fault: str) -> None:
    cell: dict[str, Any] = {
        "cell_type": "code",
        "id": "one",
        "execution_count": 1,
        "metadata": {},
        "source": "40 + 2",
        "outputs": [
            {
                "output_type": "execute_result",
                "execution_count": 1,
                "metadata": {},
                "data": {"text/plain": "42"},
            }
        ],
    }
    planted = copy.deepcopy(cell)
    if fault == "number":
        planted["outputs"][0]["data"]["text/plain"] = "43"
    elif fault == "missing output":
        planted["outputs"] = []
    elif fault == "not executed":
        planted["execution_count"] = None
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": kernel}}
    path = tmp_path / "page.ipynb"
    path.write_text(json.dumps(notebook | {"cells": [planted]}), encoding="utf-8")
    count, wrong = compared(path, tmp_path / "report.xml")
    assert count == 1
    assert bool(wrong) == (fault != "none"), wrong
