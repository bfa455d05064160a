"""A second run of every published page gives what the page shows, cell by cell.

nbval compares nothing where a cell was never executed, and skips what it is told to skip; so the
cells that it compared are counted, and no cell may ask to be left out.
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

ROOT = Path(__file__).resolve().parents[2]
EXECUTED = ROOT / "_build" / "jupyter_execute"
SANITISE = ROOT / "tests" / "nbval_sanitise.cfg"
ESCAPES = {"nbval-skip", "nbval-ignore-output", "nbval-raises-exception", "raises-exception"}


def notebooks() -> list[Path]:
    """Return the executed pages; without them there is an error, never an empty test."""
    found = sorted(EXECUTED.glob("**/*.ipynb"))
    if not found:
        raise FileNotFoundError("There is no executed chapter: run `make book` first.")
    return found


def code_cells(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def compared(paths: list[Path], report: Path) -> tuple[int, list[str]]:
    """Run nbval strictly; return how many cells it compared, and what differed."""
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env"]
    # The settings of our own tests are not nbval's: it warns of its own use of pytest.
    settings = ["-c", os.devnull, "--rootdir", str(ROOT), "-p", "no:cacheprovider"]
    quiet = [*settings, "-p", "no:xdist", "--nbval-sanitize-with", str(SANITISE)]
    run = subprocess.run(
        [*command, *quiet, f"--junitxml={report}", "-q", *map(str, paths)],
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


def test_every_cell_of_every_page_says_the_same_again(tmp_path: Path) -> None:
    paths = notebooks()
    total = 0
    for path in paths:
        for cell in code_cells(json.loads(path.read_text(encoding="utf-8"))):
            assert cell["execution_count"], f"{path.stem}: a cell was not executed"
            assert not ESCAPES & set(cell["metadata"].get("tags", [])), f"{path.stem}: {cell}"
            assert "NBVAL" not in "".join(cell["source"]), f"{path.stem}: {cell['source']}"
            total += 1
    count, wrong = compared(paths, tmp_path / "report.xml")
    assert not wrong, "\n".join(wrong)
    assert count == total > 0
    print(f"{count} cells of {len(paths)} pages compared")


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
    count, wrong = compared([path], tmp_path / "report.xml")
    assert count == 1
    assert bool(wrong) == (fault != "none"), wrong
