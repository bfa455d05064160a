"""What the report reads in a graded notebook: the named mistakes, and what was mended."""

from nbformat.notebooknode import NotebookNode

from grading.nbgrader_steps.shown_records import record_of

#: What the report says where a cell shows something else under a record's name.
UNREADABLE = "(no readable record)"


def misconception(cell: NotebookNode) -> str:
    """Return the codes of the mistakes that a check cell names, joined with +; "" for none."""
    try:
        record = record_of(cell)
    except ValueError:  # what a learner's cell shows can be anything
        return UNREADABLE
    return "+".join(record.misconceptions) if record is not None else ""


def repairs(nb: NotebookNode | None) -> tuple[str, ...]:
    """Return what was mended in a notebook before it was graded, a sentence each."""
    found = nb.metadata.get("attention_course", {}).get("repairs", []) if nb is not None else []
    return tuple(str(sentence) for sentence in found)
