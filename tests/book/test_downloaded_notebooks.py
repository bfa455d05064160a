"""A downloaded notebook runs where the course is missing: its first cell installs it.

Elsewhere is an environment of its own: Python, every package of the tests, and no course. The first
cell takes the course from a copy of this folder, as COURSE_SOURCE lets it, and asks no network.
It is the same cell in every notebook, and what it installs is the whole of the course, so one
chapter and one exercise stand for all; each chapter's download runs in test_published_notebooks.
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
from built_site import DOWNLOADS, ROOT, chapters, demand_site

from grading.notebooks import slugs

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


def test_a_chapter_and_an_exercise_run_elsewhere_on_the_whole_course(elsewhere: Elsewhere) -> None:
    demand_site()
    # The exercise finds what the chapter's first cell has installed; its first lines are run.
    for arguments in ([f"{chapters()[0]}.ipynb"], [f"exercises/{slugs()[0]}.ipynb", "2"]):
        path, *cells = arguments
        done = elsewhere.run("-c", RUN, str(DOWNLOADS / path), *cells)
        assert done.returncode == 0, f"{path}: {done.stderr[-3000:]}"
    where = elsewhere.run("-c", "import course_lib; print(course_lib.__file__)").stdout.strip()
    installed = Path(where).parents[1]
    assert elsewhere.environment in installed.parents, "the course came from somewhere else"
    for package in ("course_lib", "grading"):
        assert files_below(installed / package) == files_below(ROOT / package), package


def files_below(package: Path) -> set[str]:
    found = (path for path in package.rglob("*") if path.is_file())
    return {str(path.relative_to(package)) for path in found if path.suffix != ".pyc"}


def markdown(path: Path) -> str:
    cells: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


def first_cell(path: Path) -> dict[str, Any]:
    cell: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["cells"][0]
    return {name: part for name, part in cell.items() if name != "id"}


def test_every_notebook_begins_with_the_same_cell() -> None:
    paths = [DOWNLOADS / f"{slug}.ipynb" for slug in chapters()]
    paths += [DOWNLOADS / "exercises" / f"{slug}.ipynb" for slug in slugs()]
    first = first_cell(paths[0])
    assert "COURSE_SOURCE" in "".join(first["source"])
    for path in paths[1:]:
        assert first_cell(path) == first, path


@pytest.mark.parametrize("slug", chapters())
def test_no_directive_is_left_in_a_chapter(slug: str) -> None:
    text = markdown(DOWNLOADS / f"{slug}.ipynb")
    assert len(text) > 3_000
    for mark in ("{eq}`", "{term}`", "{numref}`", "{cite", "{doc}`", "```{", ":::", "]()"):
        assert mark not in text, mark
    assert r"\tag{" in text
