"""The class as tables: learners down, notebooks across; mistakes by name; a spreadsheet."""

import csv
from collections import Counter
from pathlib import Path

from grading.report.marks import CheckRow, Mark


def cell_text(mark: Mark | None) -> str:
    """Return how one mark stands in the table."""
    if mark is None:
        return "-"
    if mark.points is None:
        return "-" if mark.state == "not handed in" else "not graded"
    signs = {"ungraded": " e", "refused": " x"}
    read = " r" if mark.to_read else ""
    return f"{mark.points:g}/{mark.max_points:g}" + signs.get(mark.state, "") + read


#: What the signs in the table mean.
LEGEND = (
    "r: an explanation waits to be read.  -: not handed in.\n"
    "x: a check proved nothing and earned 0.  e: the mark of an earlier hand-in stands.\n"
    "An explanation that nobody has read counts 0 until somebody does."
)


def counts(marks: list[Mark]) -> str:
    """Return how many submissions are in which state, and how many were mended."""
    numbers = Counter(mark.state for mark in marks)
    said = [f"{kind} {numbers[kind]}" for kind in ("graded", "refused", "ungraded")]
    return ", ".join([*said, f"mended before grading {sum(bool(m.repairs) for m in marks)}"])


def table(marks: list[Mark], rows: list[CheckRow], about: dict[str, str]) -> str:
    """Return learners down, notebooks across, then the named mistakes and what is special."""
    names = sorted({mark.slug for mark in marks})
    lines = [["learner", *names, "named mistakes", ""]]
    for learner in sorted({mark.learner for mark in marks}):
        own = {mark.slug: mark for mark in marks if mark.learner == learner}
        codes = [row.misconception for row in rows if row.learner == learner and row.misconception]
        notes = [notice(mark) for mark in own.values()] + [about.get(learner, "")]
        cells = [cell_text(own.get(name)) for name in names]
        lines.append([learner, *cells, " ".join(codes), "; ".join(filter(None, notes))])
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def notice(mark: Mark) -> str:
    """Return what is said of a mark beside the table; that an explanation waits has a sign."""
    is_plain = mark.state == "graded"
    return "" if is_plain or not mark.reason else f"{mark.slug}: {mark.reason}"


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
    fields = ["learner", "slug", "check", "state", "points", "max_points", "misconception"]
    fields.append("reason")
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(fields)
        writer.writerows([getattr(row, field) for field in fields] for row in rows)
