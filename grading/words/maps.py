"""Two matrices beside each other as small shaded grids: the learner's and the expected one.

They are plain tables: those stay when a notebook is exported, or shown where nothing is trusted.
"""

import math
from collections.abc import Sequence
from html import escape

from grading.verdict.record import Comparison

__all__ = ["maps"]

Grid = Sequence[Sequence[float]]

#: What the letters of rows and columns stand for.
MEANT = {"T": "query", "S": "key"}
#: Blue for what is above 0, orange for what is below: told apart by every eye, on light and dark.
ABOVE, BELOW = "31,119,200", "224,125,20"
SIDE_BY_SIDE = "display:flex;flex-wrap:wrap;gap:.4em 1.6em;margin:.4em 0"
TABLE = "border-collapse:collapse;margin:0;display:table;width:auto;min-width:0"
CELL = (
    "width:1.15em;height:1.15em;min-width:1.15em;padding:0;border:1px solid #8886;"
    "text-align:center;vertical-align:middle;font:.75em/1 monospace"
)


def maps(one: Comparison) -> str:
    """Return both matrices as HTML: marked where they differ, described for who does not see."""
    finite = [abs(n) for grid in (one.yours, one.expected) for row in grid for n in row]
    top = max((number for number in finite if math.isfinite(number)), default=0.0) or 1.0
    both = {"yours": one.yours, "expected": one.expected}
    figures = "".join(
        f"<div><div>{name}</div>{_table(one, name, grid, top)}</div>" for name, grid in both.items()
    )
    return f'<p>{escape(_caption(one))}</p><div style="{SIDE_BY_SIDE}">{figures}</div>'


def _caption(one: Comparison) -> str:
    row, column = (MEANT.get(letter, letter) for letter in one.axes)
    text = f"All of {one.title}, before the inputs were cut down: a row for each {row}, a column "
    text += f"for each {column}. The stronger the colour, the larger the number"
    if any(number < 0 for grid in (one.yours, one.expected) for line in grid for number in line):
        text += "; orange is below 0"
    text += ". A dot marks a wrong number."
    return text + (" Only the first rows and columns are shown." if one.cut else "")


def _table(one: Comparison, name: str, grid: Grid, top: float) -> str:
    rows = "".join(
        '<tr style="background:none">'
        + "".join(_cell(one, name, place, number, top) for place, number in _placed(line, row))
        + "</tr>"
        for line, row in enumerate(grid)
    )
    words = escape(_described(one, name, grid))
    return f'<table role="img" aria-label="{words}" style="{TABLE}">{rows}</table>'


def _placed(line: int, row: Sequence[float]) -> list[tuple[tuple[int, int], float]]:
    return [((line, column), number) for column, number in enumerate(row)]


def _cell(one: Comparison, name: str, place: tuple[int, int], number: float, top: float) -> str:
    share = min(abs(number) / top, 1.0) if not math.isnan(number) else 0.0
    background = f"rgba({BELOW if number < 0 else ABOVE},{0.9 * share:.2f})"
    sign = "" if math.isfinite(number) else "?" if math.isnan(number) else "∞"
    if not sign and name == "yours" and _is_wrong(one, place):
        sign = "•"
    return f'<td style="{CELL};background:{background}" title="{number:.4g}">{sign}</td>'


def _is_wrong(one: Comparison, place: tuple[int, int]) -> bool:
    line, column = place
    if line >= len(one.expected) or column >= len(one.expected[0]):
        return True
    mine, right = one.yours[line][column], one.expected[line][column]
    return not math.isclose(mine, right, rel_tol=1e-5, abs_tol=1e-6)


def _described(one: Comparison, name: str, grid: Grid) -> str:
    """Return a grid in words: its size, its range, and how much of it is wrong."""
    numbers = [number for line in grid for number in line]
    finite = [number for number in numbers if math.isfinite(number)]
    text = f"{one.title}, {name}: {len(grid)} rows and {len(grid[0])} columns"
    if finite:
        text += f", from {min(finite):.4g} to {max(finite):.4g}"
    if name == "yours":
        places = [(line, column) for line, row in enumerate(grid) for column in range(len(row))]
        wrong = sum(_is_wrong(one, place) for place in places)
        text += f"; {wrong} of {len(numbers)} numbers are wrong"
    return text + "."
