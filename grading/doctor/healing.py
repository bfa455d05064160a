"""A hand-in -> the notebook that is graded, and what was mended, in sentences."""

from collections.abc import Mapping
from dataclasses import dataclass

from nbformat.notebooknode import NotebookNode, from_dict

from grading.doctor.choosing import best_notebook
from grading.doctor.matching import match
from grading.doctor.python_text import imported
from grading.doctor.released import Released
from grading.doctor.restoring import (
    note_marks,
    order,
    reset_checks,
    restore_imports,
    restore_missing,
    set_marks,
    supports,
)
from grading.doctor.treatment import Treatment
from grading.doctor.writing import (
    find_answers,
    find_explanations,
    join_split,
    resolve_conflicts,
    set_types,
)

#: Where a notebook's metadata keeps what the course knows of it.
COURSE_KEY = "attention_course"


@dataclass(frozen=True, kw_only=True)
class Healed:
    """A notebook that can be graded.

    Attributes:
        name: the file of the hand-in that it was.
        nb: the notebook; its metadata keeps the repairs, and how the release binds the names that
            its checks read.
        repairs: what was mended, one sentence each.
    """

    name: str
    nb: NotebookNode
    repairs: tuple[str, ...]


def heal(files: Mapping[str, bytes], released: Released) -> Healed:
    """Return the notebook of a hand-in, mended so that it earns what its own functions earn.

    What was released is put back as it was: nbgrader's marks, the checks, the imports. What was
    written stays, and is found in whatever cell it stands. Nothing is run here.

    Args:
        files: all files of the hand-in, by their paths below its folder with `/` between.
        released: the notebook that the class was given.

    Raises:
        UngradableError: if no file is a notebook that can be read and has released cells.
    """
    chosen = best_notebook(files, released)
    treated = Treatment(
        released=released, cells=list(chosen.nb.cells), repairs=list(chosen.repairs)
    )
    given = {cell.bare for cell in released.cells}
    treated.repairs += resolve_conflicts(treated.cells, given)
    treated.pairs = match(treated.cells, released)
    join_split(treated)
    answers = find_answers(treated)
    find_explanations(treated)
    set_types(treated)
    reset_checks(treated)
    note_marks(treated)
    restore_missing(treated, answers)
    restore_imports(treated)
    order(treated, answers)
    set_marks(treated)
    return Healed(name=chosen.name, nb=finished(treated), repairs=tuple(treated.repairs))


def finished(treated: Treatment) -> NotebookNode:
    """Return the notebook that was treated, with metadata that the release and the course give."""
    released = treated.released
    imports: dict[str, str] = {}
    for cell in released.cells:
        if supports(cell):
            imports |= imported(cell.source)
    metadata = {
        "kernelspec": dict(released.kernelspec),
        "language_info": {"name": "python"},
        COURSE_KEY: {"repairs": list(treated.repairs), "imports": imports},
    }
    made = {"cells": treated.cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    nb: NotebookNode = from_dict(made)  # type: ignore[no-untyped-call]
    return nb
