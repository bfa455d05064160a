"""The records that check cells show, found by their MIME type: no page of ours is parsed."""

from nbformat.notebooknode import NotebookNode

from grading.verdict.record import MIME, UNJUDGED, Record


def record_of(cell: NotebookNode) -> Record | None:
    """Return the record of the result that a cell shows, or None where it shows none.

    Raises:
        ValueError: if what it shows as a record is none.
    """
    for output in cell.get("outputs", []):
        if output.output_type == "execute_result" and MIME in output.data:
            return Record.from_json(output.data[MIME])
    return None


def why_unjudged(cell: NotebookNode) -> str:
    """Return why a check says that it could not judge; "" where it judged, or says nothing."""
    try:
        record = record_of(cell)
    except ValueError:  # what a learner's cell shows can be anything
        return ""
    return " ".join(record.parts) if record is not None and record.rule == UNJUDGED else ""
