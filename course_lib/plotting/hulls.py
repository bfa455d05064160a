"""Values as points of a plane, the hull of those that a query may read, and its output inside."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon
from torch import Tensor

from course_lib.plotting.colors import FAINT, INK, MUTED, OUTPUT, VALUE
from course_lib.plotting.standard import NARROW, Sheet, StaticFigure, sheet_of_paper

__all__ = ["hull_of", "hulls"]

#: Four panels fill a desk's width; a phone shows two beside each other.
MOST = 4


def hulls(
    value: Float[Tensor, "S 2"],
    may_attend: Bool[Tensor, "T S"],
    output: Float[Tensor, "T 2"],
    names: Sequence[str],
) -> StaticFigure:
    """Draw a panel for each query: the values, the hull of those that it may read, its output.

    Args:
        value: a point of the plane for each key.
        may_attend: True where query t may read key s; one to four queries.
        output: what each query gets.
        names: what stands above each panel.

    Returns:
        The figure. Keys are numbered from 1.

    Raises:
        ValueError: if there are more than four queries, or the rows do not fit together.
    """
    sizes = {"may_attend": len(may_attend), "output": len(output), "names": len(names)}
    if len(set(sizes.values())) > 1 or not 1 <= len(names) <= MOST:
        raise ValueError(f"hulls draws one to {MOST} queries, with a row and a name each; {sizes}")
    if tuple(may_attend.shape[1:]) != tuple(value.shape[:1]):
        raise ValueError(
            "may_attend has a column for each value; "
            f"it has {may_attend.shape[1]} and value has {value.shape[0]} rows"
        )
    points, read, found = value.double().numpy(), may_attend.numpy(), output.double().numpy()

    def draw(sheet: Sheet) -> Figure:
        columns = min(len(names), 2 if sheet is NARROW else MOST)
        rows = -(-len(names) // columns)
        tall = sheet.width / columns
        figure, panels = sheet_of_paper(sheet, rows * tall, rows, columns)
        for axes, name, reads, at in zip(panels, names, read, found, strict=False):
            _draw(axes, sheet, points, reads, at)
            axes.set_title(name, fontsize=sheet.letters, color=INK, loc="left", pad=8)
        for spare in panels[len(names) :]:
            spare.set_visible(False)
        return figure

    return StaticFigure(draw)


def hull_of(points: Float[np.ndarray, "S 2"]) -> Float[np.ndarray, "_ 2"]:
    """Return the corners of the convex hull of points in the plane, in turn around it.

    Args:
        points: at least one.

    Returns:
        Those of them that are corners, anticlockwise; one point alone, or the ends of a line.

    Source: Andrew 1979, the monotone chain.
    """
    ordered = sorted({(float(x), float(y)) for x, y in points})
    if len(ordered) < 3:
        return np.array(ordered)
    sides: list[list[tuple[float, float]]] = []
    for row in (ordered, ordered[::-1]):
        side: list[tuple[float, float]] = []
        for x, y in row:
            while len(side) > 1 and _turn(side[-2], side[-1], (x, y)) <= 0:
                side.pop()
            side.append((x, y))
        sides.append(side[:-1])
    return np.array(sides[0] + sides[1])


def _turn(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> float:
    """Return twice the area of a triangle: above 0 where a, b, c turn to the left."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _draw(
    axes: Axes, sheet: Sheet, points: np.ndarray, reads: np.ndarray, output: np.ndarray
) -> None:
    """Draw one query: hidden values hollow, the hull of the others, and the mean in it."""
    if reads.any():
        corners = hull_of(points[reads])
        closed = len(corners) > 2
        axes.add_patch(Polygon(corners, closed=closed, facecolor=FAINT, edgecolor=MUTED, zorder=1))
        if len(corners) == 2:
            axes.plot(*corners.T, color=MUTED, zorder=1)
    for s, ((x, y), read) in enumerate(zip(points, reads, strict=True), start=1):
        axes.plot([x], [y], "o", color=VALUE, fillstyle="full" if read else "none", markersize=8)
        middle = points.mean(axis=0)
        side = "right" if x < middle[0] else "left"
        over = "bottom" if y >= middle[1] else "top"
        axes.annotate(
            str(s), (x, y), (7 if side == "left" else -7, 5 if over == "bottom" else -5),
            textcoords="offset points", ha=side, va=over, color=VALUE, fontsize=sheet.letters,
        )  # fmt: skip
    axes.plot(*[[one] for one in output], "D", color=OUTPUT, markersize=9, zorder=3)
    low, high = points.min(axis=0), points.max(axis=0)
    room = 0.28 * (high - low)
    axes.set(xlim=(low[0] - room[0], high[0] + room[0]), ylim=(low[1] - room[1], high[1] + room[1]))
    axes.set(xticks=[], yticks=[])
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set(visible=True, color=FAINT)
