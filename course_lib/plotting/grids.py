"""Grids for matrices: one row a query, one column a key."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from torch import Tensor

from course_lib.plotting.colors import FAINT, INK, KEY, QUERY, RAMP, ramp_color
from course_lib.plotting.standard import Sheet, StaticFigure, on_mark, sheet_of_paper

__all__ = ["fill_cells", "weights_heatmap"]

# The height of a cell, the most that all rows take, and the least width of a cell in which a number
# of two digits can be read. More rows than LINES have no lines between them.
CELL, TALL, NUMBER, LINES = 24, 420, 30, 32


def weights_heatmap(
    weights: Float[Tensor, "T S"], query_labels: Sequence[str], key_labels: Sequence[str]
) -> StaticFigure:
    """Draw weights as a grid: one row a query, one column a key, a stronger cell for more.

    Cells with room show their numbers, from 0.05 on; where there is none, a scale stands beneath.

    Args:
        weights: numbers from 0 to 1.
        query_labels: a label for each row, from top to bottom.
        key_labels: a label for each column.

    Returns:
        The figure.

    Raises:
        ValueError: if there is not one label for each row and each column.
    """
    if tuple(weights.shape) != (len(query_labels), len(key_labels)):
        raise ValueError(
            "a heatmap needs one label for each query and each key; weights has "
            f"T={weights.shape[0]}, S={weights.shape[1]}, with {len(query_labels)} query and "
            f"{len(key_labels)} key labels"
        )
    numbers = weights.detach().double().numpy()

    def draw(sheet: Sheet) -> Figure:
        queries, keys = numbers.shape
        wide = 0.8 * sheet.width / keys
        row = min(CELL if keys > 6 else 38, TALL / queries)
        room = wide >= NUMBER
        upright = wide < 7.5 * max(map(len, key_labels))
        above = 30 + (7.5 * max(map(len, key_labels)) if upright else 22)
        figure, (axes,) = sheet_of_paper(sheet, row * queries + above + (0 if room else 70))
        fill_cells(axes, numbers)
        axes.set_xticks(range(keys), list(key_labels), rotation=90 if upright else 0)
        axes.set_yticks(range(queries), list(query_labels))
        _dress(axes, sheet)
        if room:
            _write_numbers(axes, sheet, numbers)
        else:
            _scale(figure, axes, sheet)
        return figure

    return StaticFigure(draw)


def fill_cells(axes: Axes, numbers: Float[np.ndarray, "T S"]) -> None:
    """Fill the cells, runs of one shade in a row as one piece: a large grid stays a small file.

    Args:
        axes: the panel.
        numbers: a weight for each cell, T rows of S.

    Returns:
        Nothing: they stand in the panel.
    """
    runs: dict[str, list[Path]] = {}
    for t, row in enumerate(numbers):
        shades = [ramp_color(weight)[0] for weight in row]
        starts = [s for s in range(len(row)) if s == 0 or shades[s] != shades[s - 1]]
        for start, end in zip(starts, [*starts[1:], len(row)], strict=True):
            left, right, top, bottom = start - 0.5, end - 0.5, t - 0.5, t + 0.5
            corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
            if shades[start] != RAMP[0]:
                runs.setdefault(shades[start], []).append(Path([*corners, corners[0]], closed=True))
    for shade, pieces in sorted(runs.items()):
        whole = Path.make_compound_path(*pieces)
        axes.add_patch(PathPatch(whole, facecolor=shade, edgecolor="none"))
    axes.set(xlim=(-0.5, numbers.shape[1] - 0.5), ylim=(numbers.shape[0] - 0.5, -0.5))


def _dress(axes: Axes, sheet: Sheet) -> None:
    """Put the keys above and the queries to the left, in their colours, with lines between."""
    axes.xaxis.tick_top()
    axes.set_title("query position t ↓", color=QUERY, fontsize=sheet.letters, loc="left", pad=10)
    axes.set_title("key position s →", color=KEY, fontsize=sheet.letters, loc="right", pad=10)
    axes.tick_params(length=0, labelsize=sheet.letters)
    axes.spines["bottom"].set_visible(False)
    axes.grid(visible=False)
    (bottom, top), (left, right) = axes.get_ylim(), axes.get_xlim()
    if bottom - top > LINES:
        top, left = bottom - 1e-9, right - 1e-9
    axes.hlines(np.arange(top, bottom + 1), left, right, color=FAINT, linewidth=1)
    axes.vlines(np.arange(left, right + 1), top, bottom, color=FAINT, linewidth=1)


def _write_numbers(axes: Axes, sheet: Sheet, numbers: np.ndarray) -> None:
    small = numbers.shape[1] > 6
    for (t, s), weight in np.ndenumerate(numbers):
        if weight >= 0.05 or not small:
            text = f"{weight:.2f}".lstrip("0") if small and weight < 0.995 else f"{weight:.2f}"
            on_mark([axes.text(
                s, t, text, ha="center", va="center", color=ramp_color(weight)[1],
                fontsize=sheet.letters - 1 if small else sheet.letters,
            )])  # fmt: skip


def _scale(figure: Figure, axes: Axes, sheet: Sheet) -> None:
    """Show what the shades mean, where cells are too small for numbers."""
    shades = ScalarMappable(Normalize(0, 1), ListedColormap(RAMP))
    strip = figure.colorbar(shades, ax=axes, location="bottom", shrink=0.7, aspect=28, pad=0.03)
    strip.outline.set_edgecolor(FAINT)
    strip.set_ticks([0, 0.5, 1], labels=["0", "0.5", "weight 1"])
    strip.ax.tick_params(labelsize=sheet.letters, colors=INK, length=0)
