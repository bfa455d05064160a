"""A downloaded notebook runs where the course is missing: its first cell installs it.

Elsewhere is an environment of its own: Python, every package of the tests, and no course. The first
cell takes the course from a copy of this folder, as COURSE_SOURCE lets it, and asks no network.
"""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOWNLOADS = ROOT / "_build" / "html" / "_downloads"
RUN = """
import sys
import nbformat
from nbclient import NotebookClient

notebook = nbformat.read(sys.argv[1], as_version=4)
if len(sys.argv) > 2:
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    notebook.cells = code[: int(sys.argv[2])]
NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
"""
COURSE = ("course_lib", "grading", "attention_course", "__editable__")


class Elsewhere:
    """An environment without the course, and the course's sources in another place."""

    def __init__(self, folder: Path) -> None:
        self.packages = folder / "packages"
        self.source = folder / "source"
        self.environment = folder / "environment"
        command = [sys.executable, "-m", "venv", "--without-pip", str(self.environment)]
        subprocess.run(command, check=True)
        self.python = self.environment / ("Scripts" if os.name == "nt" else "bin") / "python"

    def lend_packages(self) -> None:
        """Link every installed package but the course itself."""
        self.packages.mkdir()
        for path in Path(sysconfig.get_path("purelib")).iterdir():
            if not path.name.startswith(COURSE) and path.suffix != ".pth":
                (self.packages / path.name).symlink_to(path)

    def copy_source(self) -> None:
        """Copy what pip needs to build the course; a build leaves its traces there, not here."""
        self.source.mkdir()
        for name in ("course_lib", "grading"):
            shutil.copytree(ROOT / name, self.source / name)
        for name in ("pyproject.toml", "LICENSE", "README.md"):
            shutil.copy(ROOT / name, self.source)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        settings = {
            "PYTHONPATH": str(self.packages),
            "COURSE_SOURCE": str(self.source),
            "PIP_NO_INDEX": "1",
            # pip reads "0" as: do not isolate. The builder is among the packages that are lent.
            "PIP_NO_BUILD_ISOLATION": "0",
            "OMP_NUM_THREADS": "1",
            "JUPYTER_PATH": str(Path(sys.prefix) / "share" / "jupyter"),
        }
        return subprocess.run(
            [str(self.python), *arguments],
            env=os.environ | settings,
            cwd=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Elsewhere:
    place = Elsewhere(tmp_path_factory.mktemp("elsewhere"))
    place.lend_packages()
    place.copy_source()
    missing = place.run("-c", "import torch, course_lib")
    assert "No module named 'course_lib'" in missing.stderr, "the course is there already"
    return place


def downloads(folder: str) -> list[Path]:
    found = sorted((DOWNLOADS / folder).glob("*.ipynb"))
    if not found:
        raise FileNotFoundError(f"There is no notebook in {DOWNLOADS / folder}: run `make book`.")
    return found


def remove_course(place: Elsewhere) -> None:
    place.run("-m", "pip", "uninstall", "--yes", "--quiet", "attention-course")


def test_every_chapter_runs_elsewhere(elsewhere: Elsewhere) -> None:
    for path in downloads("."):
        remove_course(elsewhere)
        done = elsewhere.run("-c", RUN, str(path))
        assert done.returncode == 0, f"{path.name}: {done.stderr[-3000:]}"
        where = elsewhere.run("-c", "import course_lib; print(course_lib.__file__)").stdout
        assert str(elsewhere.environment) in where, "the course came from somewhere else"


def test_every_exercise_begins_elsewhere(elsewhere: Elsewhere) -> None:
    remove_course(elsewhere)
    for path in downloads("exercises"):
        done = elsewhere.run("-c", RUN, str(path), "2")
        assert done.returncode == 0, f"{path.name}: {done.stderr[-3000:]}"


def markdown(path: Path) -> str:
    cells: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


def test_no_directive_is_left_in_a_chapter() -> None:
    for path in downloads("."):
        text = markdown(path)
        assert len(text) > 3_000
        for mark in ("{eq}`", "{term}`", "{numref}`", "{cite", "{doc}`", "```{", ":::", "]()"):
            assert mark not in text, f"{path.name} has {mark!r}"
        assert r"\tag{" in text


def test_a_chapter_keeps_its_code_and_its_results() -> None:
    for path in downloads("."):
        executed = ROOT / "_build" / "jupyter_execute" / path.name
        both = [json.loads(p.read_text(encoding="utf-8"))["cells"] for p in (path, executed)]
        ours, theirs = ([cell for cell in cells if cell["cell_type"] == "code"] for cells in both)
        assert len(ours) == len(theirs) + 1
        for mine, its in zip(ours[1:], theirs, strict=True):
            assert "".join(mine["source"]) == "".join(its["source"])
            assert len(mine["outputs"]) == len(its["outputs"])
