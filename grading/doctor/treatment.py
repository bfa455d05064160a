"""A notebook while it is mended: its cells, which released cell each one is, and what was done."""

from dataclasses import dataclass, field
from typing import Any

from nbformat.notebooknode import NotebookNode, from_dict

from grading.doctor.python_text import defined
from grading.doctor.released import Released, ReleasedCell, bare


@dataclass(kw_only=True)
class Treatment:
    """What the steps of the doctor work on.

    Attributes:
        released: what the class was given.
        cells: the submitted cells, in their order.
        pairs: of each released cell, by its place in the release, the submitted cell that it is.
        repairs: what was mended so far, one sentence each.
    """

    released: Released
    cells: list[NotebookNode]
    pairs: dict[int, NotebookNode] = field(default_factory=dict)
    repairs: list[str] = field(default_factory=list)

    def place(self, cell: NotebookNode) -> int:
        """Return where a cell stands."""
        return next(place for place, one in enumerate(self.cells) if one is cell)

    def remove(self, cell: NotebookNode) -> None:
        """Take a cell out of the notebook."""
        del self.cells[self.place(cell)]

    def move_behind(self, cell: NotebookNode, other: NotebookNode) -> None:
        """Let a cell stand directly behind another."""
        self.remove(cell)
        self.cells.insert(self.place(other) + 1, cell)

    def move_before(self, cell: NotebookNode, other: NotebookNode) -> None:
        """Let a cell stand directly before another."""
        self.remove(cell)
        self.cells.insert(self.place(other), cell)

    def unpaired(self) -> list[NotebookNode]:
        """Return the cells that are no released ones: a learner's own, and copies."""
        known = {cell["id"] for cell in self.pairs.values()}
        return [cell for cell in self.cells if cell["id"] not in known]

    def made(self, one: ReleasedCell, name: str) -> NotebookNode:
        """Return a new cell with a released cell's text, under an id that no other has."""
        ids = {cell["id"] for cell in self.cells}
        made: dict[str, Any] = {"id": name, "cell_type": one.cell_type, "source": one.source}
        made["metadata"] = {}
        if name in ids or not name:
            made["id"] = next(
                new for n in range(len(ids) + 1) if (new := f"restored-{n}") not in ids
            )
        if one.cell_type == "code":
            made |= {"outputs": [], "execution_count": None}
        cell: NotebookNode = from_dict(made)  # type: ignore[no-untyped-call]
        return cell


def is_blank(cell: NotebookNode, one: ReleasedCell) -> bool:
    """Return whether nothing was written into a released cell."""
    return bare(cell.source) in ("", one.bare)


def defines(cell: NotebookNode, one: ReleasedCell) -> bool:
    """Return whether a submitted cell holds functions of a released answer, and not its stub."""
    return bool(one.defines & defined(cell.source)) and bare(cell.source) != one.bare


def retype(cell: NotebookNode, kind: str) -> None:
    """Make a cell one of another type; its text stays."""
    cell.cell_type = kind
    for name in ("outputs", "execution_count", "attachments"):
        cell.pop(name, None)
    if kind == "code":
        cell.outputs, cell.execution_count = [], None
