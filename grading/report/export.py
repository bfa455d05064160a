"""`nbgrader export` with the state beside the score: who has no mark has no number, never 0.0."""

import csv
from pathlib import Path
from typing import Any

from nbgrader.api import Gradebook
from nbgrader.plugins import CsvExportPlugin

from grading.classroom.grade.submissions import in_words
from grading.report.marks import mark_of, state_beside

#: nbgrader's own columns in their order, then ours.
COLUMNS = (
    "assignment",
    "duedate",
    "timestamp",
    "student_id",
    "last_name",
    "first_name",
    "email",
    "raw_score",
    "late_submission_penalty",
    "score",
    "max_score",
    "state",
    "reason",
)


class ExportWithStates(CsvExportPlugin):  # type: ignore[misc]  # nbgrader has no types
    """nbgrader's table of marks with two columns more, quoted where a cell holds a comma."""

    def export(self, gradebook: Gradebook) -> None:
        """Write a line for each learner and assignment."""
        target = Path(self.to or "grades.csv")
        self.log.info("Exporting grades to %s", target)
        course = Path(self.parent.coursedir.root)
        with target.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS, restval="")
            writer.writeheader()
            for assignment in gradebook.assignments:
                if not self.assignment or assignment.name in map(str, self.assignment):
                    writer.writerows(self.lines(course, gradebook, assignment))

    def lines(self, course: Path, gradebook: Gradebook, assignment: Any) -> list[dict[str, Any]]:
        """Return the lines of one assignment."""
        entered = {one.student.id: one for one in assignment.submissions}
        wanted = set(map(str, self.student))
        return [
            line(course, assignment, student, entered.get(student.id))
            for student in gradebook.students
            if not wanted or student.id in wanted
        ]


def line(course: Path, assignment: Any, student: Any, entered: Any) -> dict[str, Any]:
    """Return one line of the table; what is not there is blank."""
    pair = (student.id, assignment.name)
    mark = mark_of(assignment, entered, pair, state_beside(course, pair, entered))
    told = {
        "assignment": assignment.name,
        "duedate": in_words(assignment.duedate),
        "student_id": student.id,
        "last_name": student.last_name,
        "first_name": student.first_name,
        "email": student.email,
        "max_score": assignment.max_score,
        "state": mark.state,
        "reason": mark.reason,
    }
    if mark.points is not None:
        penalty = entered.late_submission_penalty
        told |= {
            "timestamp": in_words(entered.timestamp),
            "raw_score": entered.score,
            "late_submission_penalty": penalty,
            "score": max(0.0, entered.score - penalty),
        }
    return told
