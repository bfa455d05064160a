"""What a class was given of one notebook: its cells, in their order."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from nbformat.notebooknode import NotebookNode

from grading.doctor.python_text import defined


@dataclass(frozen=True, kw_only=True)
class ReleasedCell:
    """One cell as it was given out.

    Attributes:
        cell_id: its id in the notebook; "" where it is not known.
        cell_type: "code" or "markdown".
        source: its text.
        marks: nbgrader's metadata; empty where the cell is not graded and takes no answer.
        shown: the metadata of any other cell: how editors show it.
    """

    cell_id: str
    cell_type: str
    source: str
    marks: Mapping[str, Any] = field(default_factory=dict)
    shown: Mapping[str, Any] = field(default_factory=dict)

    @property
    def grade_id(self) -> str:
        """The name by which nbgrader knows the cell, or ""."""
        return str(self.marks.get("grade_id", ""))

    @property
    def is_answer(self) -> bool:
        """Whether a learner writes code here."""
        return bool(self.marks.get("solution")) and not self.marks.get("grade")

    @property
    def is_explanation(self) -> bool:
        """Whether a learner writes what a person reads and grades."""
        return bool(self.marks.get("solution") and self.marks.get("grade"))

    @property
    def is_check(self) -> bool:
        """Whether its output is the number of points."""
        return bool(self.marks.get("grade")) and not self.marks.get("solution")

    @cached_property
    def defines(self) -> frozenset[str]:
        """The functions that it defines."""
        return defined(self.source) if self.cell_type == "code" else frozenset()

    @cached_property
    def bare(self) -> str:
        """Its text without what editors change."""
        return bare(self.source)


@dataclass(frozen=True, kw_only=True)
class Released:
    """One released notebook.

    Attributes:
        name: the notebook's name, without a suffix.
        cells: all its cells, in their order.
        kernelspec: the kernel that runs it.
    """

    name: str
    cells: tuple[ReleasedCell, ...]
    kernelspec: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def by_grade_id(self) -> dict[str, ReleasedCell]:
        """The cells that nbgrader knows, by their names."""
        return {cell.grade_id: cell for cell in self.cells if cell.grade_id}


def bare(source: str) -> str:
    """Return a text without what editors change: the ends of its lines, and lines around it."""
    return "\n".join(line.rstrip() for line in source.strip().splitlines())


def released_notebook(name: str, nb: NotebookNode) -> Released:
    """Return what a released notebook's file says."""
    cells = tuple(
        ReleasedCell(
            cell_id=cell.get("id", ""),
            cell_type=cell.cell_type,
            source=cell.source,
            marks=dict(cell.metadata.get("nbgrader", {})),
            shown={} if "nbgrader" in cell.metadata else dict(cell.metadata),
        )
        for cell in nb.cells
    )
    return Released(name=name, cells=cells, kernelspec=dict(nb.metadata.get("kernelspec", {})))
