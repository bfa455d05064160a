"""A plan as it is printed: a table, what was left out, and what could not be placed."""

import sys
import unicodedata
from collections import Counter

from grading.collection.entry import Refused
from grading.collection.places import EARLIER
from grading.collection.plan import PLACED, Plan, Row
from grading.collection.sources import where
from grading.collection.times import Zone, is_ahead, shown

HEADINGS = ("learner", "assignment", "file", "time (UTC)", "state")
DOWNLOADS = (
    "{} of these times are those of the download: Moodle and Canvas write no other into their "
    "zips, and nbgrader takes them for those of the hand-ins. Moodle's worksheet of the "
    "assignment, as the roster, has the right ones."
)

AHEAD = (
    "{} of these times lie in the future: a clock was wrong, or the zone in which they are read. "
    "What is handed in until then would be taken for older, and is not placed."
)


def print_plan(plan: Plan, zone: Zone) -> None:
    """Print what becomes of each notebook; on stderr, what is not placed and why."""
    lines = [cells(row) for row in plan.rows]
    lines += [unplaced(one) for one in plan.unplaced]
    if lines:
        print_table([HEADINGS, *lines])
    print_summary(plan, zone)
    for one in plan.unplaced:
        print(f"not placed: {printable(one.where)}: {printable(one.why)}", file=sys.stderr)


def cells(row: Row) -> tuple[str, ...]:
    """Return a row of the table."""
    one = row.hand_in
    state = f"{row.state} ({row.remark})" if row.remark else row.state
    line = (one.learner, one.slug, where(one.entry), shown(row.moment), state)
    return tuple(map(printable, line))


def unplaced(one: Refused) -> tuple[str, ...]:
    """Return a row for what is not placed, without what to do about it."""
    why = one.why.split("; ")[0]
    return ("?", "?", printable(one.where), "", printable(f"unplaced ({why})"))


def print_table(lines: list[tuple[str, ...]]) -> None:
    """Print lines in columns; the last is as wide as it is."""
    widths = [max(map(columns, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        blanks = [" " * (width - columns(cell)) for cell, width in zip(line, widths, strict=True)]
        print("  ".join(cell + blank for cell, blank in zip(line, blanks, strict=True)).rstrip())


def columns(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return len(text) + wide - sum(map(bool, map(unicodedata.combining, text)))


def print_summary(plan: Plan, zone: Zone) -> None:
    """Print how many of each state there are, what was left out, and what the times are."""
    counts = Counter(row.state for row in plan.rows) + Counter(unplaced=len(plan.unplaced))
    print(f"\n{', '.join(f'{number} {state}' for state, number in counts.items()) or 'nothing'}")
    if counts["resubmission"]:
        print(f"What a resubmission replaces is kept in {EARLIER}/.")
    if counts["older"]:
        print("Older ones are left out: what lies in submitted/ was handed in later.")
    placed = [row for row in plan.rows if row.state in PLACED]
    if ahead := sum(is_ahead(row.moment) for row in placed):
        print(AHEAD.format(ahead))
    downloads = sum(row.hand_in.is_download for row in placed)
    if downloads:
        print(DOWNLOADS.format(downloads))
    if any(row.hand_in.entry.is_from_archive for row in plan.rows):
        print(f"Times without a zone are read in {zone.name}; --timezone names another.")
    for one in plan.left_out:
        print(f"left out: {left_out(one)}")


def left_out(one: Refused) -> str:
    """Return what was left out, and why."""
    return printable(f"{one.where}: {one.why}")


def printable(text: str) -> str:
    """Return a text without what could move a terminal's cursor: names come from strangers."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
