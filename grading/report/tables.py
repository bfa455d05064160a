"""The class as tables: learners down, notebooks across; mistakes by name; a spreadsheet."""

import csv
from collections import Counter
from pathlib import Path

from grading.report.marks import CheckRow, Mark


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
    named = [(row.check, row.misconception.split("+")) for row in rows if row.misconception]
    counts = Counter((check, code) for check, codes in named for code in codes)
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
