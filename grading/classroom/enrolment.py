"""What a gradebook must know of an assignment before nbgrader grades it: notebooks and cells.

nbgrader enters them while it generates, and at the place where it generates. In the root it would
delete exercises/<slug> on the way, so it generates elsewhere, and what it entered there is copied.
"""

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
#: Of which cells a submission holds a score, and of which a comment: as nbgrader makes them.
SCORED, COMMENTED = ("grade", "task"), ("solution", "task")

#: As many seconds a gradebook is waited for that another program holds.
PATIENCE = 30.0

#: Of each notebook of an assignment: its kernel, and each cell's columns under "kind: name".
Assignment = dict[str, dict[str, Any]]


def gradebook_file(root: Path) -> Path:
    """Return where a course directory's gradebook lies."""
    return root / "gradebook.db"


@contextmanager
def opened(root: Path) -> Iterator[Any]:
    """Open the gradebook of a course directory for one transaction; make it where there is none.

    Whoever holds it is waited for. What is not committed when the block ends is not written, and
    a new gradebook takes its name only when it is complete.

    Raises:
        SystemExit: if another program holds it for longer.
    """
    scripts_on_path()
    # SQLAlchemy warns of how nbgrader adds rows; an instructor can do nothing about it.
    warnings.filterwarnings("ignore", module="nbgrader")
    from nbgrader.api import Gradebook
    from sqlalchemy import text
    from sqlalchemy.exc import OperationalError

    final = gradebook_file(root.resolve())
    unfinished = final.with_name("gradebook.db.unfinished")
    unfinished.unlink(missing_ok=True)
    file = final if final.exists() else unfinished
    address = f"{gradebook_url(root).rsplit(final.name, 1)[0]}{file.name}?timeout={PATIENCE}"
    try:
        with Gradebook(address, COURSE) as gradebook:
            # Nobody hands in between what is read here and what is written.
            gradebook.db.execute(text("BEGIN IMMEDIATE"))
            yield gradebook
    except OperationalError as error:
        if "database is locked" not in str(error):
            raise
        raise SystemExit(
            f"Another program holds {final}: an autograding, or a formgrader that saves a mark.\n"
            f"It was waited for {PATIENCE:g} seconds. Nothing was written; run this again later."
        ) from None
    if file is unfinished:
        os.replace(unfinished, final)


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
    if not gradebook_file(root).exists():
        return {}
    with opened(root) as gradebook:
        return {assignment.name: described(assignment) for assignment in gradebook.assignments}


def enter(gradebook: Any, slug: str, wanted: Assignment) -> None:
    """Let the gradebook know an assignment as it is wanted; the caller commits.

    What stays keeps its row, and with it every mark and comment that hangs on it; so does the
    assignment, with its due date. What is gone goes with its marks: only where nobody has handed
    in, or where an instructor moves the class.
    """
    from nbgrader import api

    known = {assignment.name: assignment for assignment in gradebook.assignments}
    if slug not in known:
        known[slug] = api.Assignment(name=slug, course_id=COURSE)
        gradebook.db.add(known[slug])
    sheets = {sheet.name: sheet for sheet in known[slug].notebooks}
    for name, sheet in sheets.items():
        if name not in wanted:
            remove_sheet(gradebook.db, sheet)
    for name, content in wanted.items():
        if name not in sheets:
            sheets[name] = api.Notebook(name=name, assignment=known[slug])
            gradebook.db.add(sheets[name])
            for handed_in in known[slug].submissions:
                row = api.SubmittedNotebook(notebook=sheets[name], assignment=handed_in)
                gradebook.db.add(row)
        sheets[name].kernelspec = content["kernelspec"]
        enter_cells(gradebook.db, sheets[name], content["cells"])
    gradebook.db.flush()


def enter_cells(db: Any, sheet: Any, wanted: dict[str, dict[str, Any]]) -> None:
    """Let a notebook have the cells that are wanted."""
    known = {
        f"{kind}: {cell.name}": cell
        for kind in COLUMNS
        for cell in (getattr(sheet, f"{kind}_cells") if sheet.id else [])
    }
    for key in known.keys() - wanted.keys():
        remove_cell(db, known[key])
    for key, columns in wanted.items():
        cell = known.get(key) or add_cell(db, sheet, key, columns)
        if columns.get("max_score", 0.0) != getattr(cell, "max_score", 0.0):
            ask_again(cell)
        for column, value in columns.items():
            setattr(cell, column, value)


def add_cell(db: Any, sheet: Any, key: str, columns: dict[str, Any]) -> Any:
    """Add a cell, and a place for its mark and comment in each submission that is there."""
    from nbgrader import api

    kind, name = key.split(": ", 1)
    table: Callable[..., Any] = getattr(api, f"{kind.capitalize()}Cell")
    cell = table(name=name, notebook=sheet, **columns)
    db.add(cell)
    for handed_in in sheet.submissions:
        if kind in SCORED:
            db.add(api.Grade(cell=cell, notebook=handed_in))
        if kind in COMMENTED:
            db.add(api.Comment(cell=cell, notebook=handed_in))
    return cell


def ask_again(cell: Any) -> None:
    """Let a person look again at marks of theirs whose maximum changes."""
    for grade in cell.grades:
        if grade.manual_score is not None:
            grade.needs_manual_grade = True


def remove_sheet(db: Any, sheet: Any) -> None:
    """Remove a notebook with all that hangs on it."""
    for kind in COLUMNS:
        for cell in getattr(sheet, f"{kind}_cells"):
            remove_cell(db, cell)
    for handed_in in sheet.submissions:
        db.delete(handed_in)
    db.delete(sheet)


def remove_cell(db: Any, cell: Any) -> None:
    """Remove a cell with the marks and comments on it."""
    for row in [*getattr(cell, "grades", ()), *getattr(cell, "comments", ())]:
        db.delete(row)
    db.delete(cell)
