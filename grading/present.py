"""Put a finding into words, a small table and a link, for a terminal and for a page."""

import re
from html import escape
from typing import Any

import numpy as np
import torch

from grading.book_links import equation_link
from grading.contract import Finding
from grading.exercise import Exercise, Misconception
from grading.observe import Observation, volume
from grading.result import CheckResult
from grading.shrink import Example

__all__ = ["failure", "refusal", "success"]

# A page's own colours are inherited; only the mark and the rows that differ are coloured, in
# shades that are legible on light and on dark.
GOOD, BAD = "#2f9e6e", "#c8553d"
TABLE = "border-collapse:collapse;margin:.4em 0;font-family:monospace"
CELL = "padding:.1em .6em;border:1px solid #8888;text-align:right"
# More numbers than this are no example that a person reads.
READABLE = 24


def success(exercise: Exercise, truth: list[Observation]) -> CheckResult:
    """Say that every rule holds, with a picture of the smallest result or the next rung."""
    message = exercise.next_rung or "Every rule of the contract holds."
    picture = _picture(exercise, truth)
    return _result(exercise, None, None, message, "", picture)


def refusal(name: str, message: str) -> CheckResult:
    """Say that nothing could be checked, because no exercise of that name is known."""
    body = f"<div><strong>Not checked.</strong> {_marked_up(message)}</div>"
    return CheckResult(name, False, 0.0, 0.0, "check knows the exercise", None, message, "", body)


def failure(
    exercise: Exercise,
    finding: Finding,
    mistake: Misconception | None = None,
    example: Example | None = None,
) -> CheckResult:
    """Say which rule broke, which mistake it is, and show the smallest example."""
    parts = [finding.message + finding.remark]
    if mistake is not None:
        parts.append(f"Mistake {mistake.code}. {mistake.sentence}")
    chapter, label = exercise.to_read
    link = equation_link(chapter, label)
    read = f"Read the equation in the chapter {chapter.replace('-', ' ')}"
    shown, table = "", ""
    if example is not None:
        # Inputs that break another rule first are an example of their own.
        other = finding.probe and example.probe.name != finding.probe
        head = "Another example on which it is wrong" if other else "Smallest example"
        shown, table = _example(exercise, example, f"{head} ({example.probe.name}):")
    text = "\n".join([*parts, f"{read}: {link}" if link else f"{read}."])
    anchor = f'<a href="{escape(link)}">{escape(read)}</a>' if link else escape(read)
    body = "".join(f"<p>{_marked_up(part)}</p>" for part in parts) + table + f"<p>{anchor}</p>"
    return _result(exercise, finding.rule, mistake, text, shown, body)


def _result(
    exercise: Exercise,
    rule: str | None,
    mistake: Misconception | None,
    message: str,
    example: str,
    body: str,
) -> CheckResult:
    passed = rule is None
    points = exercise.points if passed else 0.0
    code = mistake.code if mistake else None
    mark = f'<strong style="color:{GOOD if passed else BAD}">'
    mark += f"{'✓ Passed' if passed else '✗ Not yet'}</strong>"
    head = f"{mark} <code>{escape(exercise.name)}</code>: {points:g} of {exercise.points:g} points"
    broken = f"<p><em>Rule: {escape(rule)}.</em></p>" if rule else f"<p>{_marked_up(message)}</p>"
    data = f' data-exercise="{escape(exercise.name)}" data-misconception="{escape(code or "")}"'
    edge = f"border-left:4px solid {GOOD if passed else BAD};padding:.2em .8em"
    html = f'<div class="course-check"{data} style="{edge}"><p>{head}</p>{broken}{body}</div>'
    return CheckResult(
        exercise.name, passed, points, exercise.points, rule, code, message, example, html
    )


def _marked_up(text: str) -> str:
    """Return a sentence as HTML; what stands between backticks is code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _example(exercise: Exercise, one: Example, head: str) -> tuple[str, str]:
    """Return a failing example as text and as an HTML table, under its heading."""
    found = one.difference
    output = exercise.outputs[min(found.output, len(exercise.outputs) - 1)].name
    place = f"[{', '.join(map(str, found.index))}]" if found.index else ""
    # Rows show as many digits as it takes to see that they differ.
    digits = next(d for d in (4, 6, 9, 17) if d == 17 or _differ(found.learner, found.expected, d))
    rows = {
        "yours": _numbers(found.learner, digits),
        "expected": _numbers(found.expected, digits),
    }
    given = {name: _shown(value) for name, value in one.inputs.items()}
    lines = [head]
    lines += [f"  {name} = {value}" for name, value in given.items()]
    width = max(len(number) for row in rows.values() for number in row)
    for name, row in rows.items():
        cells = " ".join(number.rjust(width) for number in row)
        lines.append(f"  {output}{place}, {name:8}: {cells}")
    cells = "".join(f"<li><code>{escape(n)} = {escape(v)}</code></li>" for n, v in given.items())
    html = f"<p>{escape(head)}</p><ul>{cells}</ul>"
    html += f'<table style="{TABLE}">' + "".join(
        f'<tr><th scope="row" style="{CELL};text-align:left">{output}{place}, {name}</th>'
        + "".join(f'<td style="{CELL}">{escape(number)}</td>' for number in row)
        + "</tr>"
        for name, row in rows.items()
    )
    return "\n".join(lines), html + "</table>"


def _differ(mine: torch.Tensor, truth: torch.Tensor, digits: int) -> bool:
    return _numbers(mine, digits) != _numbers(truth, digits)


def _numbers(row: torch.Tensor, digits: int) -> list[str]:
    values = row.reshape(-1).tolist()
    # 0 is added so that no zero is shown as negative.
    shown = [
        f"{value + 0:.{digits}g}" if isinstance(value, float) else str(value) for value in values
    ]
    return shown if len(shown) <= 12 else [*shown[:12], "…"]


def _shown(value: Any) -> str:
    if isinstance(value, np.ndarray):
        value = torch.from_numpy(value)
    if isinstance(value, torch.Generator):
        return "a torch.Generator"
    if not isinstance(value, torch.Tensor):
        return repr(value)
    if value.numel() > READABLE:
        return f"numbers of shape {tuple(value.shape)}"
    return str(_rounded(value.tolist()))


def _rounded(value: Any) -> Any:
    if isinstance(value, list):
        return [_rounded(entry) for entry in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def _picture(exercise: Exercise, truth: list[Observation]) -> str:
    """Draw the smallest result with two axes as a shaded table; "" where there is none."""
    for one in sorted(truth, key=lambda one: volume(one.inputs)):
        grids = [view for view in one.view or () if view.ndim >= 2 and min(view.shape[-2:]) > 1]
        if grids and not one.probe.edge:
            grid = grids[-1].reshape(-1, *grids[-1].shape[-2:])[0][:10, :12]
            return _shaded(grid, f"{exercise.title}: one result, the darker the larger.")
    return ""


def _shaded(grid: torch.Tensor, caption: str) -> str:
    low, high = float(grid.min()), float(grid.max())
    rows = ""
    for row in grid.tolist():
        rows += "<tr>" + "".join(
            f'<td style="{CELL};background:rgba(47,158,110,'
            f'{0.75 * (value - low) / ((high - low) or 1):.2f})">{value:.2f}</td>'
            for value in row
        )
        rows += "</tr>"
    return f'<table style="{TABLE}"><caption>{escape(caption)}</caption>{rows}</table>'
