"""What each learner has: marks from the gradebook, named mistakes from the graded notebooks."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grading.classroom.course_directory import gradebook_url
from grading.jobs import Stamps
from grading.notebooks import notebook, read_notebook
from grading.report.records import misconception


@dataclass(frozen=True, kw_only=True)
class CheckRow:
    """What one check cell gave one learner."""

    learner: str
    slug: str
    check: str
    points: float
    max_points: float
    misconception: str


@dataclass(frozen=True, kw_only=True)
class Mark:
    """What one learner has for one notebook."""

    learner: str
    slug: str
    points: float
    max_points: float
    to_read: int
    reason: str


def named_mistakes(course: Path, learner: str, slug: str) -> dict[str, str]:
    """Return the named mistakes of each check of an autograded notebook."""
    path = notebook(course / "autograded" / learner, slug)
    if not path.exists():
        return {}
    cells = [cell for cell in read_notebook(path).cells if cell.metadata.get("nbgrader")]
    return {cell.metadata["nbgrader"].get("grade_id", ""): misconception(cell) for cell in cells}


def why_ungraded(course: Path, learner: str, slug: str) -> str:
    """Return why a submission has no autograded notebook, or an empty string."""
    if notebook(course / "autograded" / learner, slug).exists():
        return ""
    noted = Stamps(course / "stamps").reason(f"{learner}--{slug}")
    broken = damage(course, learner, slug)
    read = f"the file is damaged: {broken}" if broken else "not graded; run `nbgrader autograde`"
    return noted or read


def damage(course: Path, learner: str, slug: str) -> str:
    """Return why a file that was handed in cannot be read, or an empty string."""
    try:
        read_notebook(notebook(course / "submitted" / learner, slug))
    except FileNotFoundError:
        return f"there is no {slug}.ipynb"
    except Exception as error:  # nbformat raises a dozen kinds, of four packages
        kind = type(error).__name__
        return "it is not JSON" if kind == "NotJSONError" else f"{kind}: {error}"[:120]
    return ""


def read_course(course: Path) -> tuple[list[Mark], list[CheckRow]]:
    """Read marks from the gradebook and the named mistakes from the graded notebooks."""
    from nbgrader.api import Gradebook

    marks, rows = [], []
    with Gradebook(gradebook_url(course)) as gradebook:
        for assignment in gradebook.assignments:
            for handed_in in assignment.submissions:
                for sheet in handed_in.notebooks:
                    who = (handed_in.student.id, assignment.name)
                    marks.append(mark_of(course, sheet, *who))
                    rows += check_rows(course, sheet, *who)
    return sorted(marks + unknown(course, marks), key=lambda m: (m.learner, m.slug)), rows


def mark_of(course: Path, sheet: Any, learner: str, slug: str) -> Mark:
    """Return what the gradebook holds for one notebook of one learner."""
    return Mark(
        learner=learner,
        slug=slug,
        points=sheet.score,
        max_points=sheet.max_score,
        to_read=sum(grade.needs_manual_grade for grade in sheet.grades),
        reason=why_ungraded(course, learner, slug),
    )


def check_rows(course: Path, sheet: Any, learner: str, slug: str) -> list[CheckRow]:
    """Return what each check of one notebook gave, and which mistakes it named."""
    mistakes = named_mistakes(course, learner, slug)
    return [
        CheckRow(
            learner=learner,
            slug=slug,
            check=grade.name,
            points=grade.score,
            max_points=grade.max_score,
            misconception=mistakes.get(grade.name, ""),
        )
        for grade in sheet.grades
    ]


def unknown(course: Path, marks: list[Mark]) -> list[Mark]:
    """Return a row for each submission that the gradebook does not know."""
    known = {(mark.learner, mark.slug) for mark in marks}
    folders = sorted(path for path in (course / "submitted").glob("*/*") if path.is_dir())
    return [
        Mark(
            learner=learner,
            slug=slug,
            points=0.0,
            max_points=0.0,
            to_read=0,
            reason=why_ungraded(course, learner, slug),
        )
        for learner, slug in ((path.parent.name, path.name) for path in folders)
        if (learner, slug) not in known
    ]
