"""What a learner needs who was handed one notebook: the course itself, by one command.

The address follows from the repository in _config.yml, as every address of the course does. It is
an archive and not `git+…`, for which pip needs git: Windows comes without it.
"""

from pathlib import Path

import yaml
from nbformat.notebooknode import NotebookNode
from nbformat.v4 import new_code_cell

from grading.notebooks import NOTICE_ID, read_notebook, write_notebook
from grading.words.links import SETTINGS

#: Where PyTorch keeps its builds for the CPU; the registry's for Linux brings gigabytes of CUDA.
CPU_BUILDS = "https://download.pytorch.org/whl/cpu"

NOTICE = """\
# Where the course is not installed, this cell says how to install it; elsewhere it does nothing.
import importlib.util

if importlib.util.find_spec("course_lib") is None:
    raise ImportError(
        "The course is not installed where this notebook runs. "
        "Type this line into a cell of its own, run it once, and restart the kernel:\\n"
        '%{command}'
    )
"""


def course_archive(settings: Path = SETTINGS) -> str:
    """Return what pip installs the course from: the archive of its branch, or the repository."""
    repository = yaml.safe_load(settings.read_text(encoding="utf-8"))["repository"]
    address = str(repository["url"]).rstrip("/")
    if address.startswith("https://github.com/"):
        return f"{address}/archive/refs/heads/{repository['branch']}.zip"
    return f"git+{address}"


def install_command(settings: Path = SETTINGS) -> str:
    """Return the one command that installs the course, on every system."""
    return f'pip install "{course_archive(settings)}" --extra-index-url {CPU_BUILDS}'


def notice(settings: Path = SETTINGS) -> NotebookNode:
    """Return the quiet cell that speaks where the course is missing."""
    cell: NotebookNode = new_code_cell(  # type: ignore[no-untyped-call]
        NOTICE.format(command=install_command(settings)), id=NOTICE_ID
    )
    cell.metadata.update({"tags": ["hide-input"], "jupyter": {"source_hidden": True}})
    return cell


def add_notice(path: Path, settings: Path = SETTINGS) -> None:
    """Put the quiet cell before the first code of a notebook."""
    nb = read_notebook(path)
    first = next((n for n, cell in enumerate(nb.cells) if cell.cell_type == "code"), len(nb.cells))
    nb.cells.insert(first, notice(settings))
    write_notebook(nb, path)
