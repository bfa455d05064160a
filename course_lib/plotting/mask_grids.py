"""Masks side by side: which query may read which key, as filled cells."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from course_lib.plotting.colors import FAINT, INK, KEY, OUTPUT, QUERY
from course_lib.plotting.standard import NARROW, Sheet, StaticFigure, sheet_of_paper

__all__ = ["mask_grids"]

#: Four grids fill a desk's width; a phone shows two beside each other.
MOST = 4
# The largest cell, and the room for a title, the word for the keys and their numbers.
CELL, ABOVE = 24, 64
# Between two rows of grids, so that a title does not lean on the grid over it.
BETWEEN = 24


def mask_grids(masks: Mapping[str, Bool[Tensor, "T S"]]) -> StaticFigure:
    """Draw masks of one size beside each other: a row a query, a column a key, filled: may read.

    Args:
        masks: a title for each, and True where query t may read key s; at most four, all of one
            shape.

    Returns:
        The figure. Positions count from 1.

    Raises:
        ValueError: if there are none or more than four, or they differ in shape.
    """
    shapes = {name: tuple(mask.shape) for name, mask in masks.items()}
    if not 1 <= len(masks) <= MOST or len(set(shapes.values())) > 1:
        raise ValueError(
            f"mask_grids draws one to {MOST} masks of one shape; {len(masks)} came: {shapes}"
        )
    grids = {name: mask.detach().cpu().numpy() for name, mask in masks.items()}

    def draw(sheet: Sheet) -> Figure:
        columns = min(len(grids), 2 if sheet is NARROW else MOST)
        rows = -(-len(grids) // columns)
        queries, keys = next(iter(grids.values())).shape
        cell = min(CELL, (sheet.width / columns - 42) / keys)
        tall = rows * (cell * queries + ABOVE) + (rows - 1) * BETWEEN
        figure, panels = sheet_of_paper(sheet, tall, rows, columns)
        for axes, (name, grid) in zip(panels, grids.items(), strict=False):
            _draw(axes, sheet, name, grid)
        for spare in panels[len(grids) :]:
            spare.set_visible(False)
        return figure

    return StaticFigure(draw)


def _draw(axes: Axes, sheet: Sheet, name: str, grid: np.ndarray) -> None:
    """Fill the cells that may be read; put the keys above and the queries to the left."""
    queries, keys = grid.shape
    cells = [Rectangle((s - 0.5, t - 0.5), 1, 1) for t, s in np.argwhere(grid)]
    axes.add_collection(PatchCollection(cells, facecolor=OUTPUT, edgecolor="none"))
    axes.set(xlim=(-0.5, keys - 0.5), ylim=(queries - 0.5, -0.5), aspect="equal", anchor="N")
    axes.grid(visible=False)
    axes.spines["bottom"].set_visible(False)
    axes.hlines(np.arange(queries + 1) - 0.5, -0.5, keys - 0.5, color=FAINT, linewidth=1)
    axes.vlines(np.arange(keys + 1) - 0.5, -0.5, queries - 0.5, color=FAINT, linewidth=1)
    axes.xaxis.tick_top()
    # Numbers of two digits stand too close for every column of a phone.
    step = 1 if keys <= 8 else 2 if keys <= 12 else 4
    axes.set_xticks(range(0, keys, step), [str(s + 1) for s in range(0, keys, step)])
    axes.set_yticks(range(0, queries, step), [str(t + 1) for t in range(0, queries, step)])
    axes.tick_params(length=0, labelsize=sheet.letters, labelleft=True, labeltop=True)
    for words, color in zip(axes.get_xticklabels(), [KEY] * keys, strict=False):
        words.set_color(color)
    for words, color in zip(axes.get_yticklabels(), [QUERY] * queries, strict=False):
        words.set_color(color)
    axes.set_title(name, fontsize=sheet.letters, color=INK, loc="left", pad=8)
