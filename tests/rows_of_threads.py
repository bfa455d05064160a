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


def demand_refused(row: Row) -> None:
    """Demand that the answer is refused, and called what the table says and nothing else."""
    result = check(row.answer, exercise=row.exercise)
    assert not result.passed, str(result)
    assert result.misconception == codes(row.said), str(result)


def demand_accepted(exercise: str, answer: Any) -> None:
    """Demand that a right answer passes, unusual as it is."""
    result = check(answer, exercise=exercise)
    assert result.passed, str(result)


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
