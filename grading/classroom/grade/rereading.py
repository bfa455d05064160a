"""Which marks by hand are still about what they were given for, when a hand-in is graded again.

nbgrader lets each of them wait to be read again. After an update of the course that would be every
explanation of a class, with nothing new in it.
"""

from pathlib import Path

from nbformat.notebooknode import NotebookNode

from grading.nbgrader_steps.fail_closed import is_check
from grading.notebooks import read_notebook


def still_read(before: Path, now: Path) -> set[str]:
    """Return the cells whose mark by hand stands as it was read.

    An explanation's where its text is the same; a check's where every answer is.

    Args:
        before: the graded notebook that was read; it may be missing.
        now: the graded notebook that takes its place.
    """
    if not before.is_file():
        return set()
    old, new = read_notebook(before), read_notebook(now)
    texts, written = own_texts(old), own_texts(new)
    same = {name for name, text in written.items() if texts.get(name) == text}
    checks = [cell.metadata["nbgrader"]["grade_id"] for cell in new.cells if is_check(cell)]
    return same if len(same) < len(written) else {*same, *checks}


def own_texts(nb: NotebookNode) -> dict[str, str]:
    """Return what a learner wrote in the cells that are theirs, by the names of the cells."""
    return {
        marks["grade_id"]: cell.source
        for cell in nb.cells
        if (marks := cell.metadata.get("nbgrader", {})).get("solution") or marks.get("task")
    }
