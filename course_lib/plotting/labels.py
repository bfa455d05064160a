"""Words beside the marks, where a legend would stand elsewhere."""

import itertools
import textwrap
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

from course_lib.plotting.standard import NARROW, Sheet

__all__ = ["label_ends", "label_on"]

# Letters in a line of a label on a phone; a desk has room.
LETTERS = 13
#: Pixels that words side by side need between them.
BESIDE = 8
#: What a label says, its colour, and the point at which it stands.
Label = tuple[str, str, tuple[float, float]]


def label_ends(axes: Axes, sheet: Sheet, labels: Sequence[Label]) -> None:
    """Write each label to the right of its point, and so far apart that all can be read.

    Args:
        axes: the panel.
        sheet: the column that it is for.
        labels: what to write, in which colour, and at which point.

    Returns:
        Nothing: they stand in the panel.
    """
    words = [
        axes.annotate(
            _wrapped(text, sheet), point, (8, 0), textcoords="offset points", va="center",
            color=color, fontsize=sheet.letters,
        )
        for text, color, point in labels
    ]  # fmt: skip
    _keep_apart(axes, words)


def _keep_apart(axes: Axes, words: Sequence[Annotation]) -> None:
    """Push words up or down, as little as keeps a line between the boxes of two."""
    figure = axes.get_figure(root=True)
    assert figure is not None, "a panel stands in a figure"
    figure.draw_without_rendering()
    boxes = [word.get_window_extent() for word in words]
    order = sorted(range(len(words)), key=lambda n: boxes[n].y0)
    middles = {n: (boxes[n].y0 + boxes[n].y1) / 2 for n in order}
    placed = dict(middles)
    for _ in range(40):
        for low, high in itertools.combinations(order, 2):
            if not _share_columns(boxes[low], boxes[high]):
                continue
            room = (boxes[low].height + boxes[high].height) / 2 + 1
            missing = room - (placed[high] - placed[low])
            if missing > 0:
                placed[low] -= missing / 2
                placed[high] += missing / 2
    for n in order:
        words[n].xyann = (8, placed[n] - middles[n])


def _share_columns(one: Bbox, other: Bbox) -> bool:
    """Return whether two boxes would meet if they stood at one height."""
    return bool(one.x0 < other.x1 + BESIDE and other.x0 < one.x1 + BESIDE)


def label_on(axes: Axes, sheet: Sheet, labels: Sequence[Label], falls: Sequence[bool]) -> None:
    """Write each label beside its point, on the side that its line leaves free.

    Above a line there may be the next one; beneath the lowest there is none.

    Args:
        axes: the panel.
        sheet: the column that it is for.
        labels: what to write, in which colour, and at which point.
        falls: for each label whether its line falls.

    Returns:
        Nothing: they stand in the panel.
    """
    lowest = min(point[1] for _, _, point in labels)
    for (text, color, point), down in zip(labels, falls, strict=True):
        below = len(labels) > 1 and point[1] == lowest
        right = down != below
        axes.annotate(
            text, point, (6 if right else -6, -3 if below else 3), textcoords="offset points",
            ha="left" if right else "right", va="top" if below else "bottom",
            color=color, fontsize=sheet.letters,
        )  # fmt: skip


def _wrapped(text: str, sheet: Sheet) -> str:
    """Break a label where a phone needs it."""
    return "\n".join(textwrap.wrap(text, LETTERS)) if sheet is NARROW else text
