"""A record as text, for a terminal."""

from collections.abc import Sequence
from typing import Any

from grading.verdict.differing import in_digits
from grading.verdict.record import Example, Record, Told
from grading.words.equations import chapter_title, equation_tex
from grading.words.links import equation_link, is_for_building

__all__ = [
    "equation",
    "example",
    "head",
    "message",
    "named",
    "row_name",
    "rows",
    "shown",
    "text",
    "to_read",
]

#: So many numbers of a row are shown.
LONG = 12


def text(record: Record) -> str:
    """Return the whole explanation."""
    mark = "PASSED" if record.passed else "NOT YET"
    parts = [f"{mark}  {record.exercise}: {record.points:g} of {record.max_points:g} points"]
    if record.rule is not None:
        parts.append(" ".join([f"Rule: {record.rule}.", *named(record)]))
    parts += [message(record), equation(record), example(record)]
    return "\n".join(part for part in parts if part)


def named(record: Record) -> list[str]:
    """Return the codes of the mistakes as a label; [] where none is known."""
    codes = record.misconceptions
    return [f"Mistake{'s' if len(codes) > 1 else ''}: {', '.join(codes)}."] if codes else []


def message(record: Record) -> str:
    """Return what was seen, in sentences, and what to read."""
    if not record.link:
        return "\n".join(record.parts)
    words, address = to_read(record)
    return "\n".join([*record.parts, f"{words}: {address}" if address else f"{words}."])


def to_read(record: Record) -> tuple[str, str | None]:
    """Return what to read, in words, and its address; None where no page is known."""
    chapter, _, label = record.link.partition("#")
    words = f"Read the equation in the chapter “{chapter_title(record.link)}”"
    address = equation_link(chapter, label)
    if address is None and is_for_building():
        words += " (`make book` builds it here, and the next check links to it)"
    return words, address


def equation(record: Record) -> str:
    """Return the equation to read, as TeX under a heading; "" where there is none."""
    tex = equation_tex(record.link)
    return f"The equation, in TeX:\n  {tex}" if tex else ""


def example(record: Record) -> str:
    """Return the example under its heading; "" where there is none."""
    one = record.example
    if one is None:
        return ""
    lines = [head(one)]
    lines += [f"  {name} = {shown(value)}" for name, value in one.inputs.items()]
    both = rows(one)
    width = max((len(number) for row in both.values() for number in row), default=0)
    for name, row in both.items():
        cells = " ".join(number.rjust(width) for number in row)
        lines.append(f"  {row_name(one)}, {name:8}: {cells}")
    return "\n".join(lines)


def head(one: Example) -> str:
    """Return the heading of an example."""
    words = "Smallest example" if one.smallest else "An example"
    if one.other:
        words = "Another example on which it is wrong"
    what = one.label or (one.probe if one.other else "")
    return f"{words} ({what}):" if what else f"{words}:"


def row_name(one: Example) -> str:
    """Return the name of the row that differs: "weights[0, 1]"."""
    return one.output + (f"[{', '.join(map(str, one.index))}]" if one.index else "")


def rows(one: Example) -> dict[str, list[str]]:
    """Return both rows, with as many digits as it takes to see that they differ; {} without rows.

    The shape of a number has no entry, and is written as Python writes it.
    """
    if not one.yours and not one.expected:
        return {}
    for digits in (4, 6, 9, 17):
        yours, expected = _numbers(one.yours, digits), _numbers(one.expected, digits)
        if yours != expected:
            break
    return {"yours": yours or ["()"], "expected": expected or ["()"]}


def _numbers(row: Sequence[Any], digits: int) -> list[str]:
    written = [in_digits(value, digits) for value in row]
    return written if len(written) <= LONG else [*written[:LONG], "…"]


def shown(value: Any) -> str:
    """Return an input as it is shown: all its digits, so that the result can be computed again."""
    return value.words if isinstance(value, Told) else repr(value)
