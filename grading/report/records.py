"""The records that check cells show, found by their MIME type: no page of ours is parsed."""

from nbformat.notebooknode import NotebookNode

from grading.verdict.record import MIME, Record


def record_of(cell: NotebookNode) -> Record | None:
    """Return the record of the result that a cell shows, or None where there is none to read."""
    for output in cell.get("outputs", []):
        if output.output_type == "execute_result" and MIME in output.data:
            try:
                return Record.from_json(output.data[MIME])
            except ValueError:  # what a learner's cell shows can be anything
                return None
    return None


def misconception(cell: NotebookNode) -> str:
    """Return the codes of the mistakes that a check cell names, joined with +; "" for none."""
    record = record_of(cell)
    return "+".join(record.misconceptions) if record is not None else ""
