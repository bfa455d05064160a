"""What a class was given, as its gradebook knows it; the released file adds what that lacks."""

import json
from pathlib import Path
from typing import Any

from nbgrader.api import Gradebook, MissingEntry

from grading.doctor.released import Released, ReleasedCell, released_notebook
from grading.notebooks import read_notebook


def notebook_names(db_url: str, assignment: str) -> list[str]:
    """Return the notebooks of an assignment; none where the gradebook does not know it."""
    with Gradebook(db_url) as gradebook:
        try:
            return sorted(sheet.name for sheet in gradebook.find_assignment(assignment).notebooks)
        except MissingEntry:
            return []


def released(db_url: str, assignment: str, name: str, file: Path) -> Released:
    """Return one released notebook.

    The gradebook says which cells are graded, and what they say. It knows neither their order nor
    the cells between them, so these are the file's.

    Args:
        db_url: the gradebook's address.
        assignment: the assignment's name.
        name: the notebook's name.
        file: the released notebook; it may be missing, or newer than the gradebook.
    """
    with Gradebook(db_url) as gradebook:
        sheet = gradebook.find_notebook(name, assignment)
        enrolled = {cell.grade_id: cell for cell in enrolled_cells(sheet)}
        kernelspec = json.loads(sheet.kernelspec or "{}")
    if not file.exists():
        return Released(name=name, cells=tuple(enrolled.values()), kernelspec=kernelspec)
    cells = []
    for cell in released_notebook(name, read_notebook(file)).cells:
        if not cell.grade_id:
            cells.append(cell)
        elif known := enrolled.pop(cell.grade_id, None):
            cells.append(with_id(known, cell.cell_id))
    cells += enrolled.values()
    return Released(name=name, cells=tuple(cells), kernelspec=kernelspec)


def with_id(cell: ReleasedCell, cell_id: str) -> ReleasedCell:
    """Return a cell of the gradebook with the id that its file gives it."""
    return ReleasedCell(
        cell_id=cell_id, cell_type=cell.cell_type, source=cell.source, marks=cell.marks
    )


def enrolled_cells(sheet: Any) -> list[ReleasedCell]:
    """Return the cells of a gradebook's notebook, with the metadata that nbgrader gave them."""
    points = {cell.name: cell.max_score for cell in [*sheet.grade_cells, *sheet.task_cells]}
    graded = {cell.name for cell in sheet.grade_cells}
    solutions = {cell.name for cell in sheet.solution_cells}
    tasks = {cell.name for cell in sheet.task_cells}
    return [
        ReleasedCell(
            cell_id="",
            cell_type=cell.cell_type,
            source=cell.source,
            marks={
                "cell_type": cell.cell_type,
                "checksum": cell.checksum,
                "grade": cell.name in graded,
                "grade_id": cell.name,
                "locked": bool(cell.locked),
                "schema_version": 3,
                "solution": cell.name in solutions,
                "task": cell.name in tasks,
            }
            | ({"points": points[cell.name]} if cell.name in points else {}),
        )
        for cell in sheet.source_cells
    ]
