"""The records that check cells show, found by their MIME type: no page of ours is parsed."""

from nbformat.notebooknode import NotebookNode

from grading.verdict.record import MIME, Record

#: What the report says where a cell shows something else under a record's name.
UNREADABLE = "(no readable record)"


def record_of(cell: NotebookNode) -> Record | None:
    """Return the record of the result that a cell shows, or None where it shows none.

    Raises:
        ValueError: if what it shows as a record is none.
    """
    for output in cell.get("outputs", []):
        if output.output_type == "execute_result" and MIME in output.data:
            return Record.from_json(output.data[MIME])
    return None


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
