"""What an instructor sees of a graded class: marks, named mistakes, and why one was not graded."""

import csv
import json
import sys
from collections import Counter
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

from nbformat.notebooknode import NotebookNode

from grading.course_directory import gradebook_url, notebook, read_notebook

DEFAULT = str(Path("_build") / "class")


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


class AttributeFinder(HTMLParser):
    """Collect the values of one attribute in a piece of HTML."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.values: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the attribute's value where an element has it."""
        self.values += [value for name, value in attrs if name == self.name and value]


def misconception(cell: NotebookNode) -> str:
    """Return the code of the mistake that a check cell names, or an empty string."""
    finder = AttributeFinder("data-misconception")
    for output in cell.get("outputs", []):
        if output.output_type == "execute_result":
            text = output.data.get("text/html", "")
            finder.feed("".join(text))
    return finder.values[0] if finder.values else ""


def named_mistakes(course: Path, learner: str, slug: str) -> dict[str, str]:
    """Return the named mistake of each check of an autograded notebook."""
    path = notebook(course / "autograded" / learner, slug)
    if not path.exists():
        return {}
    cells = [cell for cell in read_notebook(path).cells if cell.metadata.get("nbgrader")]
    return {cell.metadata["nbgrader"].get("grade_id", ""): misconception(cell) for cell in cells}


def why_ungraded(course: Path, learner: str, slug: str) -> str:
    """Return why a submission has no autograded notebook, or an empty string."""
    if notebook(course / "autograded" / learner, slug).exists():
        return ""
    stamp = course / "stamps" / f"{learner}--{slug}.json"
    reason = json.loads(stamp.read_text())["reason"] if stamp.exists() else ""
    return str(reason) or "not graded; run `nbgrader autograde`"


def read_course(course: Path) -> tuple[list[Mark], list[CheckRow]]:
    """Read marks from the gradebook and the named mistakes from the graded notebooks."""
    from nbgrader.api import Gradebook

    marks, rows = [], []
    with Gradebook(gradebook_url(course)) as gradebook:
        for assignment in gradebook.assignments:
            for handed_in in assignment.submissions:
                for sheet in handed_in.notebooks:
                    learner, slug = handed_in.student.id, assignment.name
                    marks.append(
                        Mark(
                            learner=learner,
                            slug=slug,
                            points=sheet.score,
                            max_points=sheet.max_score,
                            to_read=sum(grade.needs_manual_grade for grade in sheet.grades),
                            reason=why_ungraded(course, learner, slug),
                        )
                    )
                    mistakes = named_mistakes(course, learner, slug)
                    rows += [
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
    return sorted(marks + unknown(course, marks), key=lambda m: (m.learner, m.slug)), rows


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


def cell_text(mark: Mark | None) -> str:
    """Return how one mark stands in the table."""
    if mark is None:
        return "-"
    if mark.reason:
        return "not graded"
    return f"{mark.points:g}/{mark.max_points:g}" + (" r" if mark.to_read else "")


def table(marks: list[Mark], rows: list[CheckRow], about: dict[str, str]) -> str:
    """Return learners down, notebooks across, then the named mistakes and what is special."""
    names = sorted({mark.slug for mark in marks})
    lines = [["learner", *names, "named mistakes", ""]]
    for learner in sorted({mark.learner for mark in marks}):
        own = {mark.slug: mark for mark in marks if mark.learner == learner}
        codes = [row.misconception for row in rows if row.learner == learner and row.misconception]
        notes = [mark.reason for mark in own.values() if mark.reason] + [about.get(learner, "")]
        cells = [cell_text(own.get(name)) for name in names]
        lines.append([learner, *cells, " ".join(codes), "; ".join(filter(None, notes))])
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def histogram(rows: list[CheckRow]) -> str:
    """Return how often each mistake was named, per check."""
    counts = Counter((row.check, row.misconception) for row in rows if row.misconception)
    if not counts:
        return "no named mistakes"
    width = max(len(check) for check, _ in counts)
    return "\n".join(
        f"{check.ljust(width)}  {code:<16} {'#' * number} {number}"
        for (check, code), number in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    )


def write_csv(rows: list[CheckRow], path: Path) -> None:
    """Write one line per learner and check, for a spreadsheet."""
    fields = ["learner", "slug", "check", "points", "max_points", "misconception"]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(fields)
        writer.writerows([getattr(row, field) for field in fields] for row in rows)


def a_feedback_page(course: Path, rows: list[CheckRow]) -> Path | None:
    """Return one learner's feedback page, best one on which a mistake is named."""
    for row in sorted(rows, key=lambda row: (not row.misconception, row.learner)):
        page = course / "feedback" / row.learner / row.slug / f"{row.slug}.html"
        if page.exists():
            return page
    return None


def near(path: Path) -> str:
    """Return a path as it is written from here."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def print_report(course: Path, about: dict[str, str] | None = None) -> None:
    """Print the class's results and where to look further; write them as CSV too."""
    marks, rows = read_course(course)
    write_csv(rows, course / "checks.csv")
    print(f"\n{table(marks, rows, about or {})}")
    print("\nr: an explanation waits to be read.  -: not handed in.\n")
    print(histogram(rows))
    page = a_feedback_page(course, rows)
    print(f"\nfeedback of one learner   {near(page) if page else 'none yet'}")
    print(f"marks, and each check     {near(course / 'grades.csv')}, {near(course / 'checks.csv')}")
    place = "" if near(course) == DEFAULT else f" {near(course)}"
    print(f"gradebook (formgrader)    {near(Path(sys.executable))} -m grading formgrader{place}")
