"""What a learner needs who was handed one notebook: the course itself, by one command.

The address follows from the repository in _config.yml, as every address of the course does. It is
an archive and not `git+…`, for which pip needs git: Windows comes without it.
"""

from pathlib import Path

import yaml
from nbformat.notebooknode import NotebookNode
from nbformat.v4 import new_code_cell

from grading.notebooks import NOTICE_ID, read_notebook, write_notebook
from grading.words.links import PLACEHOLDER, SETTINGS

__all__ = ["add_notice", "clone_command", "course_archive", "install_command", "notice"]

#: Where PyTorch keeps its builds for the CPU; the registry's for Linux brings gigabytes of CUDA.
CPU_BUILDS = "https://download.pytorch.org/whl/cpu"

#: What stands in a command as long as nobody has published the course.
SOMEWHERE = "PATH_OF_THE_COURSE"
ASK = (
    "Ask whoever handed this notebook out where the course is, and write that in the place of "
    f"{SOMEWHERE}. "
)

NOTICE = """\
# Where the course is not installed, this cell says how to install it; elsewhere it does nothing.
import importlib.util

if importlib.util.find_spec("course_lib") is None:
    raise ImportError(
        "The course is not installed where this notebook runs. {ask}"
        "Type this line into a cell of its own, run it once, and restart the kernel:\\n"
        '%{command}'
    )
"""


def course_archive(settings: Path = SETTINGS) -> str | None:
    """Return what pip installs the course from: the archive of its branch, or the repository.

    None as long as the address is a placeholder: no page and no notebook then leads to it.
    """
    repository = yaml.safe_load(settings.read_text(encoding="utf-8"))["repository"]
    address = str(repository["url"]).rstrip("/")
    if f"/{PLACEHOLDER}/" in address:
        return None
    if address.startswith("https://github.com/"):
        return f"{address}/archive/refs/heads/{repository['branch']}.zip"
    return f"git+{address}"


def install_command(settings: Path = SETTINGS) -> str:
    """Return the one command that installs the course, on every system."""
    source = course_archive(settings) or SOMEWHERE
    return f'pip install "{source}" --extra-index-url {CPU_BUILDS}'


def clone_command(settings: Path = SETTINGS) -> str | None:
    """Return the command that fetches the course with git; None where nobody has published it."""
    address = yaml.safe_load(settings.read_text(encoding="utf-8"))["repository"]["url"]
    return None if course_archive(settings) is None else f"git clone {str(address).rstrip('/')}"


def notice(settings: Path = SETTINGS) -> NotebookNode:
    """Return the quiet cell that speaks where the course is missing."""
    cell: NotebookNode = new_code_cell(  # type: ignore[no-untyped-call]
        NOTICE.format(
            command=install_command(settings), ask="" if course_archive(settings) else ASK
        ),
        id=NOTICE_ID,
    )
    cell.metadata.update({"tags": ["hide-input"], "jupyter": {"source_hidden": True}})
    return cell


def add_notice(path: Path, settings: Path = SETTINGS) -> None:
    """Put the quiet cell before the first code of a notebook."""
    nb = read_notebook(path)
    first = next((n for n, cell in enumerate(nb.cells) if cell.cell_type == "code"), len(nb.cells))
    nb.cells.insert(first, notice(settings))
    write_notebook(nb, path)
