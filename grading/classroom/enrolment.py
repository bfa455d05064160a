"""What a gradebook must know of an assignment before nbgrader grades it: notebooks and cells.

nbgrader enters them while it generates, and at the place where it generates. In the root it would
delete exercises/<slug> on the way, so it generates elsewhere, and what it entered there is copied.
"""

import warnings
from pathlib import Path
from typing import Any

from grading.classroom.course_directory import COURSE, gradebook_url, scripts_on_path

#: The columns of nbgrader's tables of cells. The names of a cell and of its kind say which.
COLUMNS = {
    "grade": ("max_score", "cell_type"),
    "solution": (),
    "task": ("max_score", "cell_type"),
    "source": ("cell_type", "locked", "source", "checksum"),
}

#: Of each notebook of an assignment: its kernel, and each cell's columns under "kind: name".
Assignment = dict[str, dict[str, Any]]


def has_gradebook(root: Path) -> bool:
    """Return whether a course directory has a gradebook; opening one would make it."""
    return (root / "gradebook.db").exists()


def opened(root: Path) -> Any:
    """Return the gradebook of a course directory, made where there is none."""
    scripts_on_path()
    # SQLAlchemy warns of how nbgrader adds rows; an instructor can do nothing about it.
    warnings.filterwarnings("ignore", module="nbgrader")
    from nbgrader.api import Gradebook

    return Gradebook(gradebook_url(root), COURSE)


def described(assignment: Any) -> Assignment:
    """Return what a gradebook knows of an assignment, as plain data."""
    return {
        sheet.name: {
            "kernelspec": sheet.kernelspec,
            "cells": {
                f"{kind}: {cell.name}": {column: getattr(cell, column) for column in columns}
                for kind, columns in COLUMNS.items()
                for cell in getattr(sheet, f"{kind}_cells")
            },
        }
        for sheet in assignment.notebooks
    }


def assignments(root: Path) -> dict[str, Assignment]:
    """Return every assignment that the gradebook of a course directory knows."""
    if not has_gradebook(root):
        return {}
    with opened(root) as gradebook:
        return {assignment.name: described(assignment) for assignment in gradebook.assignments}


def changed_parts(known: Assignment, wanted: Assignment) -> list[str]:
    """Return the names of the cells that one of the two lacks or has otherwise."""
    old, new = (
        {(name, part) for name in one for part in parts(one[name])} for one in (known, wanted)
    )
    return sorted({part for _, (part, _) in old ^ new})


def parts(sheet: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what one notebook consists of: each part's name, and all that is known of it."""
    cells = [(key.split(": ", 1)[1], f"{key} {value}") for key, value in sheet["cells"].items()]
    return [("the kernel", sheet["kernelspec"]), *cells]


def refuse_changes(root: Path, wanted: dict[str, Assignment]) -> None:
    """Stop where cells would change under submissions: graded ones, or collected in submitted/.

    The gradebook says which cells were released; where there is none, nothing was graded.

    Raises:
        SystemExit: with what changed and the two ways on.
    """
    if not has_gradebook(root):
        return
    with opened(root) as gradebook:
        refused = [
            refusal(one.name, changed, held)
            for one in gradebook.assignments
            if one.name in wanted and (held := holds(root, one))
            if (changed := changed_parts(described(one), wanted[one.name]))
        ]
    if refused:
        raise SystemExit("\n\n".join(refused))


def holds(root: Path, assignment: Any) -> str:
    """Return where submissions of an assignment lie and how many; "" where there are none."""
    collected = len(list((root / "submitted").glob(f"*/{assignment.name}")))
    where, number = "gradebook.db", len(assignment.submissions)
    if not number:
        where, number = "submitted/", collected
    counted = "1 submission" if number == 1 else f"{number} submissions"
    return f"{where} holds {counted}" if number else ""


def refusal(slug: str, changed: list[str], held: str) -> str:
    """Return why a release stops, and what to do."""
    return (
        f"{held} of {slug}, but solutions/{slug} has other cells now. "
        "Nothing was written.\n"
        f"  changed, new or gone: {', '.join(changed)}\n"
        f"To keep what was handed in, put solutions/{slug} back as it was when you released it.\n"
        "To grade everybody anew, move gradebook.db, autograded/ and feedback/ to a safe place,\n"
        f"then `make release` and `.venv/bin/nbgrader autograde {slug}`. submitted/ stays."
    )


def enrol(root: Path, wanted: dict[str, Assignment]) -> list[str]:
    """Make a folder ready for grading; return the assignments new to its gradebook, or changed."""
    (root / "exchange").mkdir(exist_ok=True)
    known = assignments(root)
    with opened(root) as gradebook:
        new = [slug for slug in wanted if known.get(slug) != wanted[slug]]
        for slug in new:
            for sheet in known.get(slug, {}):
                gradebook.remove_notebook(sheet, slug)
            # An assignment that is known keeps what an instructor entered: its due date.
            add_sheets(gradebook, gradebook.update_or_create_assignment(slug), wanted[slug])
    return new


def add_sheets(gradebook: Any, assignment: Any, wanted: Assignment) -> None:
    """Add an assignment's notebooks and their cells, all or none."""
    from nbgrader import api

    for name, sheet in wanted.items():
        row = api.Notebook(name=name, kernelspec=sheet["kernelspec"], assignment=assignment)
        gradebook.db.add(row)
        for cell, columns in sheet["cells"].items():
            kind, cell_name = cell.split(": ", 1)
            table = getattr(api, f"{kind.capitalize()}Cell")
            gradebook.db.add(table(name=cell_name, notebook=row, **columns))
    gradebook.db.commit()
