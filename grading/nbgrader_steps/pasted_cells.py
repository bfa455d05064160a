"""A pasted cell stops nobody: the step that nbgrader's sanitising lacks.

Copy and paste in JupyterLab copies a cell's nbgrader metadata too. Stock nbgrader 0.9.6 empties the
metadata of the first copy and then ends the grading of the whole class over the empty metadata
(its issue 1083). This preprocessor runs before and makes the earlier copies ordinary cells.
"""

from nbformat.notebooknode import NotebookNode
from nbgrader.preprocessors import NbGraderPreprocessor


class DropPasted(NbGraderPreprocessor):  # type: ignore[misc]  # nbgrader has no types
    """Let only the last cell of each grade_id keep nbgrader's metadata, as nbgrader means to."""

    def preprocess(
        self, nb: NotebookNode, resources: dict[str, dict[str, str]]
    ) -> tuple[NotebookNode, dict[str, dict[str, str]]]:
        """Take nbgrader's metadata off every cell that a later one repeats, or that has no id."""
        seen = set()
        for cell in reversed(nb.cells):
            if "nbgrader" not in cell.metadata:
                continue
            grade_id = cell.metadata["nbgrader"].get("grade_id")
            if grade_id is None or grade_id in seen:
                self.log.warning("A cell repeats '%s' and is not graded", grade_id)
                del cell.metadata["nbgrader"]
            seen.add(grade_id)
        return nb, resources
