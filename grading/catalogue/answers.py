"""Check the functions of a notebook or script from the command line."""

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from grading.notebooks import read_notebook


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


def check_file(path: Path, wanted: list[str]) -> int:
    """Print the result of each exercise that a file answers; return 0 if all pass.

    Args:
        path: a notebook or a script.
        wanted: names of exercises; empty means all that the file defines.
    """
    from grading.checking import check
    from grading.exercises import all_exercises, retired

    if not path.is_file():
        print(f"There is no file {path}.", file=sys.stderr)
        return 2
    found = functions(code_cells(path), path)
    every = (*all_exercises(), *retired())
    known = [name for one in every for name in (one.name, *one.formerly)]
    chosen = wanted or [name for name in known if name in found]
    if not chosen:
        print(f"{path} defines no function that an exercise asks for.", file=sys.stderr)
        return 2
    passed = True
    for name in chosen:
        result = check(found.get(name), exercise=name)
        print(f"{result}\n")
        passed = passed and result.passed
    return 0 if passed else 1
