"""An unproven check earns nothing: the step that nbgrader's autograding lacks.

Stock nbgrader 0.9.6 gives full marks to a check cell that was not executed or whose result is −1,
nan, False or 'abc', gives 0 to one that warned, and leaves a submission ungraded whose check says
more than its maximum. This preprocessor runs between IgnorePattern and ClearMetadata and leaves
each check cell with exactly one result, a number from 0 to the maximum.

An exercise may have other points by now than the notebook that a class works on: it moved, or
others came beside it. Then a check's record says which part of its points was earned, and the cell
earns the same part of its own.
"""

import html
import re

from nbformat.notebooknode import NotebookNode, from_dict
from nbformat.v4 import new_markdown_cell
from nbgrader.api import Gradebook
from nbgrader.preprocessors import NbGraderPreprocessor
from nbgrader.utils import is_grade, is_solution

from grading.verdict.record import MIME, Record

# Only what Python prints for a number that is not negative: no nan, no inf, no 1_000, no quotes.
NUMBER = re.compile(r"\d+(\.\d*)?([eE][+-]?\d+)?")
#: Under this name metadata say why points were refused: a result's, and those of a cell about a
#: check that is gone.
REFUSED = "attention_course_refused"


def is_check(cell: NotebookNode) -> bool:
    """Return whether the cell is graded by its output, not by a person."""
    return cell.cell_type == "code" and is_grade(cell) and not is_solution(cell)


def plain_text(output: NotebookNode) -> str:
    """Return the text that an output shows; nbformat allows a list of lines."""
    text = output.get("data", {}).get("text/plain", "")
    return "".join(text).strip() if isinstance(text, list) else str(text).strip()


def why_unproven(cell: NotebookNode, maximum: float) -> str | None:
    """Return why the cell's outputs prove no points, or None where they prove them."""
    if any(output.output_type == "error" for output in cell.outputs):
        return "the cell ended in an error"
    results = [output for output in cell.outputs if output.output_type == "execute_result"]
    if not results:
        return "the cell showed no result; it may not have been executed"
    if len(results) > 1:
        return f"the cell showed {len(results)} results where there must be one"
    text = plain_text(results[0])
    if not NUMBER.fullmatch(text):
        return f"the result is {text[:40]!r}, which is not a number of points"
    if float(text) > maximum:
        return f"the result is {text}, more than the cell's {maximum:g}"
    return None


def scale(cell: NotebookNode, maximum: float) -> None:
    """Let a check whose exercise has other points than the cell earn the same part of the cell's.

    The text must be the points that the record names; whatever else a cell shows is left as it is.
    A forged record gives no more than a forged text does: the cell's points at most.
    """
    results = [output for output in cell.outputs if output.output_type == "execute_result"]
    if len(results) != 1 or MIME not in results[0].get("data", {}):
        return
    try:
        record = Record.from_json(results[0].data[MIME])
    except ValueError:  # what a learner's cell shows can be anything
        return
    text = plain_text(results[0])
    if not NUMBER.fullmatch(text) or float(text) != record.points:
        return
    if record.max_points in (0.0, maximum) or record.points > record.max_points:
        return
    earned = maximum * (record.points / record.max_points)
    results[0].data["text/plain"] = repr(earned)
    sentence = (
        f"This check gave {record.points:g} of {record.max_points:g} points. "
        f"In your class it counts {maximum:g}, so it earned {earned:g}."
    )
    data = {"text/plain": sentence, "text/html": f"<p>{sentence}</p>"}
    note = {"output_type": "display_data", "metadata": {}, "data": data}
    cell.outputs.append(from_dict(note))  # type: ignore[no-untyped-call]


def refuse(cell: NotebookNode, reason: str) -> None:
    """Let the cell show 0 points first, then the reason, then what it showed before."""
    for output in cell.outputs:
        if output.output_type == "execute_result":
            output.output_type = "display_data"
            del output["execution_count"]
    sentence = f"This check earned 0 points: {reason}."
    zero = {"text/plain": "0.0", "text/html": f"<p>{html.escape(sentence)}</p>"}
    note = {REFUSED: reason}
    result: dict[str, object] = {"output_type": "execute_result", "metadata": note, "data": zero}
    result["execution_count"] = cell.get("execution_count")
    cell.outputs.insert(0, from_dict(result))  # type: ignore[no-untyped-call]


def lost(name: str, nb: NotebookNode) -> NotebookNode:
    """Return a cell that tells the learner of a check that is gone from a notebook."""
    text = (
        f"**The check `{name}` is no longer in this notebook, so it earned 0 points.** "
        "Copy your answers into a fresh copy of the exercise, which has it, and hand that in."
    )
    cell: NotebookNode = new_markdown_cell(text, id=f"lost-{name}"[:64])  # type: ignore[no-untyped-call]
    if (nb.nbformat, nb.nbformat_minor) < (4, 5):
        del cell["id"]  # cells have ids since 4.5
    cell.metadata[REFUSED] = {name: "the check is no longer in the notebook"}
    return cell


def refusals(nb: NotebookNode) -> dict[str, str]:
    """Return why points were refused in a graded notebook, by the name of the check."""
    found: dict[str, str] = {}
    for cell in nb.cells:
        if is_check(cell) and cell.outputs and REFUSED in cell.outputs[0].get("metadata", {}):
            reason = cell.outputs[0].metadata[REFUSED]
            found[cell.metadata["nbgrader"]["grade_id"]] = str(reason)
        elif cell.cell_type == "markdown":
            found |= dict(cell.metadata.get(REFUSED, {}))
    return found


class FailClosed(NbGraderPreprocessor):  # type: ignore[misc]  # nbgrader has no types
    """Leave every check cell with one number that nbgrader reads as the points earned."""

    def preprocess(
        self, nb: NotebookNode, resources: dict[str, dict[str, str]]
    ) -> tuple[NotebookNode, dict[str, dict[str, str]]]:
        """Judge every check cell, and give 0 for those that the submission no longer has."""
        executed = self.config.Execute.get("enabled", True)
        for cell in filter(is_check, nb.cells):
            self.judge(cell, executed=executed)
        self.zero_missing(nb, resources["nbgrader"])
        return nb, resources

    def judge(self, cell: NotebookNode, *, executed: bool) -> None:
        """Refuse an unproven cell; let a warning in a proven one cost nothing."""
        metadata = cell.metadata["nbgrader"]
        maximum = float(metadata["points"])
        scale(cell, maximum)
        reason = why_unproven(cell, maximum)
        if not executed:
            reason = "the notebook was not executed, so its outputs are the learner's own words"
        if reason is not None:
            self.log.warning("Check '%s' earned 0: %s", metadata["grade_id"], reason)
            refuse(cell, reason)
        for output in cell.outputs:
            if output.output_type == "stream":
                output.name = "stdout"  # nbgrader gives 0 to any cell that wrote to stderr

    def zero_missing(self, nb: NotebookNode, names: dict[str, str]) -> None:
        """Give 0 for each check that is gone: an earlier submission's points would remain."""
        present = {cell.metadata["nbgrader"]["grade_id"] for cell in filter(is_check, nb.cells)}
        with Gradebook(names["db_url"]) as gradebook:
            submission = gradebook.find_submission_notebook(
                names["notebook"], names["assignment"], names["student"]
            )
            by_hand = {cell.name for cell in submission.notebook.solution_cells}
            for grade in submission.grades:
                if grade.name not in present | by_hand:
                    self.log.warning("Check '%s' is missing and earned 0", grade.name)
                    grade.auto_score = 0.0
                    grade.needs_manual_grade = False
                    nb.cells.insert(0, lost(grade.name, nb))
            gradebook.db.commit()
