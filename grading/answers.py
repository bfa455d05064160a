"""Check the functions of a notebook or script from the command line."""

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from grading.course_directory import read_notebook


def code_cells(path: Path) -> list[str]:
    """Return the pieces of Python in a file: the code cells of a notebook, or the whole script."""
    if path.suffix != ".ipynb":
        return [path.read_text(encoding="utf-8")]
    cells = read_notebook(path).cells
    return [str(cell.source) for cell in cells if cell.cell_type == "code"]


def functions(pieces: Iterable[str], path: Path) -> dict[str, Callable[..., Any]]:
    """Run the pieces one after the other, as a notebook does; a piece that raises is passed over.

    A piece that calls `check` itself is left out: its results would be printed twice.
    """
    space: dict[str, Any] = {"__name__": "answers"}
    for number, piece in enumerate(pieces):
        if piece.lstrip().startswith("check("):
            continue
        try:
            exec(compile(piece, f"{path.name}, cell {number}", "exec"), space)
        except Exception as error:
            first = (str(error).splitlines() or [""])[0]
            print(f"[{path.name}, cell {number}] {type(error).__name__}: {first}", file=sys.stderr)
    return {name: value for name, value in space.items() if callable(value)}
