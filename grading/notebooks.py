"""Where the course's notebooks lie, and how they are read and written."""

from pathlib import Path

import nbformat
from nbformat.notebooknode import NotebookNode

ROOT = Path(__file__).resolve().parent.parent
#: The id of the cell that speaks where the course is not installed; nothing needs it.
NOTICE_ID = "course-is-missing"


def slugs(root: Path = ROOT) -> list[str]:
    """Return the names of the assignments: one folder with one notebook of the same name each."""
    found = (root / "solutions").glob("*/*.ipynb")
    return sorted(path.stem for path in found if path.stem == path.parent.name)


def notebook(folder: Path, slug: str) -> Path:
    """Return where an assignment's notebook lies below a folder of notebooks."""
    return folder / slug / f"{slug}.ipynb"


def read_notebook(path: Path) -> NotebookNode:
    """Return a notebook; formats older than 4 are brought up to it."""
    nb: NotebookNode = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    return nb


def write_notebook(nb: NotebookNode, path: Path) -> None:
    """Write a notebook, making its folder where there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(nb, path)  # type: ignore[no-untyped-call]
