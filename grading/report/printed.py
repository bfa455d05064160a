"""The report that is printed: tables, and where to look further."""

import sys
from pathlib import Path

from grading.report.marks import CheckRow, read_course
from grading.report.tables import histogram, table, write_csv

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
    print("\nr: an explanation waits to be read.  -: not handed in.\n")
    print(histogram(rows))
    page = a_feedback_page(course, rows)
    print(f"\nfeedback of one learner   {near(page) if page else 'none yet'}")
    tables = [near(course / name) for name in TABLES if (course / name).exists()]
    print(f"as tables                 {', '.join(tables)}")
    place = "" if near(course) == DEFAULT else f" {near(course)}"
    print(f"gradebook (formgrader)    {near(Path(sys.executable))} -m grading formgrader{place}")
