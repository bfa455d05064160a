"""A record as HTML, for a notebook and for the feedback."""

import re
from collections.abc import Sequence
from html import escape

from grading.verdict.record import Example, Picture, Record
from grading.words.equations import equation_mathml
from grading.words.maps import maps
from grading.words.text import head, named, row_name, rows, shown, to_read

__all__ = ["page"]

# A page's own colours are inherited; only the mark and the rows that differ are coloured, in
# shades that are legible on light and on dark.
GOOD, BAD = "#2f9e6e", "#c8553d"
#: What is wider than a phone is scrolled by itself.
WIDE = "overflow-x:auto;margin:.2em 0;padding:.3em 0"
TABLE = "border-collapse:collapse;margin:.4em 0;font-family:monospace"
CELL = "padding:.1em .6em;border:1px solid #8888;text-align:right"


def page(record: Record) -> str:
    """Return the whole explanation as one block."""
    if record.max_points == 0:  # no exercise of that name is known
        return f"<div><strong>Not checked.</strong> {_paragraphs(record.parts)}</div>"
    colour = GOOD if record.passed else BAD
    mark = f'<strong style="color:{colour}">{"✓ Passed" if record.passed else "✗ Not yet"}</strong>'
    earned = f"{record.points:g} of {record.max_points:g} points"
    body = f"<p>{mark} <code>{escape(record.exercise)}</code>: {earned}</p>"
    if record.rule is not None:
        label = " ".join(f"<code>{escape(words)}</code>" for words in named(record))
        body += f"<p><em>Rule: {escape(record.rule)}.</em> {label}</p>"
    body += "".join(f"<p>{_marked_up(part)}</p>" for part in record.parts)
    if record.example is not None:
        body += _example(record.example)
    if record.comparison is not None:
        body += maps(record.comparison)
    if record.link:
        words, address = to_read(record)
        link = f'<a href="{escape(address)}">{escape(words)}</a>' if address else _marked_up(words)
        formula = equation_mathml(record.link)  # ours, and well-formed: see the tests
        body += f'<div style="{WIDE}">{formula}</div>' if formula else ""
        body += f"<p>{link}.</p>"
    if record.picture is not None:
        body += _shaded(record.picture)
    codes = "+".join(record.misconceptions)
    data = f' data-exercise="{escape(record.exercise)}" data-misconception="{escape(codes)}"'
    edge = f"border-left:4px solid {colour};padding:.2em .8em"
    return f'<div class="course-check"{data} style="{edge}">{body}</div>'


def _paragraphs(parts: Sequence[str]) -> str:
    return " ".join(_marked_up(part) for part in parts)


def _marked_up(text: str) -> str:
    """Return a sentence as HTML; what stands between backticks is code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _example(one: Example) -> str:
    given = {name: shown(value) for name, value in one.inputs.items()}
    cells = "".join(f"<li><code>{escape(n)} = {escape(v)}</code></li>" for n, v in given.items())
    table = "".join(
        f'<tr><th scope="row" style="{CELL};text-align:left">{escape(row_name(one))}, {name}</th>'
        + "".join(f'<td style="{CELL}">{escape(number)}</td>' for number in row)
        + "</tr>"
        for name, row in rows(one).items()
    )
    shown_rows = (
        f'<div style="{WIDE}"><table style="{TABLE}">{table}</table></div>' if table else ""
    )
    return f"<p>{escape(head(one))}</p><ul>{cells}</ul>{shown_rows}"


def _shaded(picture: Picture) -> str:
    low = min(value for row in picture.rows for value in row)
    high = max(value for row in picture.rows for value in row)
    caption = f"{picture.title}: one result, the darker the larger."
    body = ""
    for row in picture.rows:
        cells = "".join(
            f'<td style="{CELL};background:rgba(47,158,110,'
            f'{0.75 * (value - low) / ((high - low) or 1):.2f})">{value:.2f}</td>'
            for value in row
        )
        body += f"<tr>{cells}</tr>"
    table = f'<table style="{TABLE}"><caption>{escape(caption)}</caption>{body}</table>'
    return f'<div style="{WIDE}">{table}</div>'
