"""What the tables of public mistakes share: a row, what the check has to say of it, their pages."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from grading import check

#: Where most threads are.
G = "https://github.com/"
#: Why an answer that is refused has no name; the rule, the sizes and the example speak alone.
RARE = "no mistake of the catalogue: the example shows it"
RAISES = "an error in words, with the line and the sizes"


class Row(NamedTuple):
    """A wrong answer; `said` are the codes of its mistakes, or the reason why there is none."""

    exercise: str
    does: str
    answer: Any
    thread: str
    said: str


def table(exercise: str, *rows: tuple[str, Any, str, str]) -> tuple[Row, ...]:
    """Return the rows of one exercise; each thread is a path of GitHub's."""
    return tuple(Row(exercise, does, answer, G + path, said) for does, answer, path, said in rows)


def codes(said: str) -> str | None:
    """Return the codes of a row, or None if it says why there are none."""
    return said if re.fullmatch(r"[A-Z0-9]+-[A-Z0-9]+(\+[A-Z0-9]+-[A-Z0-9]+)*", said) else None


def expected(row: Row) -> str:
    """Return what the check has to say of a row: refused, and by which name."""
    return f"refused: {codes(row.said) or 'no name'}"


def verdict(exercise: str, answer: Any) -> str:
    """Return what the check says of an answer: accepted, or refused and by which name."""
    result = check(answer, exercise=exercise)
    return "accepted" if result.passed else f"refused: {result.misconception or 'no name'}"


def page(head: str, rows: Sequence[Row], num_right: int) -> str:
    """Return the log of a chapter: counts, and a line for each wrong answer."""
    named = [row for row in rows if codes(row.said)]
    lines = [
        head,
        f"{len(rows)} wrong answers: {len(rows)} refused; {len(named)} rightly named, 0 falsely "
        f"named, {len(rows) - len(named)} without a name. {num_right} unusual right answers: "
        f"{num_right} accepted.",
        "",
        "| exercise | thread | what the answer does | said |",
        "|---|---|---|---|",
    ]
    for row in rows:
        said = f"`{row.said}`" if codes(row.said) else row.said
        lines.append(f"| `{row.exercise}` | {row.thread} | {row.does} | {said} |")
    return "\n".join(lines) + "\n"
