"""The report that is printed: tables, and where to look further."""

import sys
from pathlib import Path

from grading.classroom.grade.marking import Ended
from grading.report.marks import CheckRow, read_course
from grading.report.tables import LEGEND, counts, histogram, table, write_csv

DEFAULT = str(Path("_build") / "class")
#: The marks, which `nbgrader export` writes, and each check.
TABLES = ("grades.csv", "checks.csv")


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
    print(f"\n{LEGEND}\n\n{counts(marks)}\n")
    print(histogram(rows))
    page = a_feedback_page(course, rows)
    print(f"\nfeedback of one learner   {near(page) if page else 'none yet'}")
    tables = [near(course / name) for name in TABLES if (course / name).exists()]
    print(f"as tables                 {', '.join(tables)}")
    place = "" if near(course) == DEFAULT else f" {near(course)}"
    print(f"gradebook (formgrader)    {near(Path(sys.executable))} -m grading formgrader{place}")


def print_ended(ended: Ended) -> None:
    """Print what a run of `grade` did; what has no mark is named on stderr."""
    print(f"graded {len(ended.graded)}, pages written {len(ended.graded) + len(ended.pages)}")
    for (learner, slug), state in ended.ungraded.items():
        print(f"{learner}, {slug}: not graded: {state.reason}", file=sys.stderr)
    for (learner, slug), why in ended.without_page.items():
        print(f"{learner}, {slug}: its page could not be written: {why}", file=sys.stderr)
    for sentence in ended.unplaced:
        print(sentence, file=sys.stderr)
