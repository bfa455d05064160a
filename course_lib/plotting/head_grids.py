"""The attention patterns of several heads, side by side: what each reads in the same text."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from course_lib.plotting.colors import FAINT, INK, KEY, QUERY
from course_lib.plotting.grids import fill_cells
from course_lib.plotting.standard import Sheet, StaticFigure, sheet_of_paper

__all__ = ["patterns_side_by_side"]

#: How many patterns stand beside each other, by the sheet; the height of their titles.
COLUMNS = {"wide": 4, "narrow": 3}
TITLE, ABOVE = 24, 26
#: The steps from weight 0 to 1: in cells of a few pixels more shades cannot be told apart, and the
#: file of a dozen heads would be half as large again.
STEPS = 12


def patterns_side_by_side(
    weights: Float[Tensor, "H T S"], titles: Sequence[str], *, row: int | None = None
) -> StaticFigure:
    """Draw a small grid for each head, a stronger cell for more weight; all on one scale.

    A weight is rounded to a twelfth, so that one below 0.04 leaves its cell empty.

    Args:
        weights: numbers from 0 to 1, one grid for each head.
        titles: a name for each head.
        row: a query whose row is framed in every grid; None frames none.

    Returns:
        The figure.

    Raises:
        ValueError: if there is not one title for each head, or no query of that number.
    """
    heads, queries, keys = weights.shape
    if len(titles) != heads:
        raise ValueError(
            f"each head has a title; weights has H={heads} and titles are {len(titles)}"
        )
    if row is not None and not 0 <= row < queries:
        raise ValueError(f"a row that is framed is one of the T={queries} queries; row is {row}")
    numbers = weights.detach().double().numpy()

    def draw(sheet: Sheet) -> Figure:
        columns = min(COLUMNS[sheet.name], heads)
        lines = -(-heads // columns)
        side = (sheet.width - 14 * columns) / columns
        height = lines * (side * queries / keys + TITLE) + ABOVE
        figure, panels = sheet_of_paper(sheet, height, lines, columns)
        figure.set_layout_engine("constrained", w_pad=0.03, h_pad=0.03, hspace=0.02, wspace=0.02)
        for axes, grid, title in zip(panels, numbers, titles, strict=False):
            _pattern(axes, sheet, grid, title, row)
        for axes in panels[heads:]:
            axes.set_axis_off()
        # No height is given for the first: the layout puts it at the top and leaves room for both.
        figure.suptitle("key position s →", x=0.99, ha="right", color=KEY, fontsize=sheet.letters)
        top = 1 - 3 / height
        figure.text(0.01, top, "query position t ↓", va="top", color=QUERY, fontsize=sheet.letters)
        return figure

    return StaticFigure(draw)


def _pattern(axes: Axes, sheet: Sheet, grid: np.ndarray, title: str, row: int | None) -> None:
    """Fill the cells of one head, and frame the row that the reader is to compare."""
    fill_cells(axes, np.round(grid * STEPS) / STEPS)
    axes.set(xticks=[], yticks=[])
    axes.grid(visible=False)
    axes.set_title(title, fontsize=sheet.letters, color=INK, loc="left", pad=4)
    for spine in axes.spines.values():
        spine.set_visible(True)
        spine.set_color(FAINT)
    if row is not None:
        frame = Rectangle(
            (-0.5, row - 0.5), grid.shape[1], 1, fill=False, edgecolor=QUERY, linewidth=2
        )
        axes.add_patch(frame)
