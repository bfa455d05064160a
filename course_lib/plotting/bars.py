"""Bars for what is counted apart: tokens, models, positions, bins."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from course_lib.plotting.colors import INK, LIGHT_PAGE, MUTED, OUTPUT
from course_lib.plotting.standard import Sheet, StaticFigure, name_axes, sheet_of_paper

__all__ = ["bar_panels", "bars", "bars_compared", "histograms"]

# A row's height in CSS pixels, and that of a panel; four panels fit on a screen. So many bars of a
# panel have their numbers at their ends, and need no axis for them.
ROW, PANEL, MOST, NUMBERED = 24, 120, 4, 4


def bars(
    values: Mapping[str, float],
    *,
    label: str,
    color: str = OUTPUT,
    limit: tuple[float, str] | None = None,
) -> StaticFigure:
    """Draw a level bar for each name, its number at the end; names and numbers need no axis.

    Args:
        values: a name for each bar, and its length; where all are of type int they are counts, and
            are written without decimals.
        label: what the lengths are.
        color: the bars' colour.
        limit: where a dashed line runs across, and what it is; None draws none.

    Returns:
        The figure.
    """

    def draw(sheet: Sheet) -> Figure:
        figure, (axes,) = sheet_of_paper(sheet, ROW * len(values) + (66 if limit else 44))
        drawn = axes.barh(list(values), list(values.values()), color=color, height=0.66)
        counts = all(isinstance(value, int) for value in values.values())
        shown = _counted if counts else _signed
        written = axes.bar_label(drawn, fmt=shown, fontsize=sheet.letters, padding=4, color=INK)
        axes.invert_yaxis()
        # Room for the numbers at both ends, where there are two.
        axes.margins(x=0.2 if min(values.values()) < 0 else 0.1, y=0.01)
        axes.grid(visible=False)
        axes.spines["bottom"].set_visible(False)
        axes.set_xticks([])
        axes.axvline(0, color=INK, linewidth=1)
        name_axes(axes, sheet, "", label)
        if limit is not None:
            _limit(axes, sheet, *limit)
            for number in written:
                number.set_bbox({"facecolor": LIGHT_PAGE, "edgecolor": "none", "pad": 1})
        return figure

    return StaticFigure(draw)


def _counted(value: object) -> str:
    return f"{value:d}".replace("-", "−")  # Matplotlib hands on an integer of NumPy's


def _signed(value: object) -> str:
    return f"{value:.2f}".replace("-", "−")


def _limit(axes: Axes, sheet: Sheet, place: float, words: str) -> None:
    """Draw a line across the bars, its name beneath it."""
    axes.axvline(place, color=INK, linestyle="--", linewidth=1.5)
    axes.set_xticks([place], [words], fontsize=sheet.letters, color=INK)
    axes.tick_params(axis="x", length=0)


def bars_compared(
    panels: Mapping[str, Mapping[str, float]], *, label: str, color: str = OUTPUT
) -> StaticFigure:
    """Draw a level bar for each of the same names, one panel beneath another, on one scale.

    Args:
        panels: a title for each panel, and a name for each of its bars with its length, at
            least 0; at most four panels. Where all are of type int they are counts.
        label: what the lengths are.
        color: the bars' colour.

    Returns:
        The figure.

    Raises:
        ValueError: if a panel has not the names of the first, in their order, if a length is
            negative, or if there are more than four panels.
    """
    _demand(len(panels))
    names = list(next(iter(panels.values())))
    for title, lengths in panels.items():
        if list(lengths) != names:
            raise ValueError(
                f"each panel has the same names; the first has {names} and {title!r} "
                f"{list(lengths)}"
            )
        if min(lengths.values()) < 0:
            raise ValueError(
                f"lengths that are compared begin at 0; {title!r} has {min(lengths.values()):g}"
            )

    every = [length for panel in panels.values() for length in panel.values()]
    shown = _counted if all(isinstance(one, int) for one in every) else _signed

    def draw(sheet: Sheet) -> Figure:
        height = (46 + ROW * len(names)) * len(panels) + 24
        figure, stacked = sheet_of_paper(sheet, height, len(panels))
        # A title stands nearer to its own bars than to those above it.
        figure.set_layout_engine("constrained", w_pad=0.02, h_pad=0.03, hspace=0.14)
        stacked[0].invert_yaxis()  # which all of them share
        for (title, lengths), axes in zip(panels.items(), stacked, strict=True):
            drawn = axes.barh(names, list(lengths.values()), color=color, height=0.66)
            axes.bar_label(drawn, fmt=shown, fontsize=sheet.letters, padding=4, color=INK)
            axes.margins(x=0.1, y=0.01)
            axes.grid(visible=False)
            axes.spines["bottom"].set_visible(False)
            axes.tick_params(axis="x", length=0, labelbottom=False)
            axes.axvline(0, color=INK, linewidth=1)
            name_axes(axes, sheet, "", title)
        name_axes(stacked[-1], sheet, label, list(panels)[-1])
        return figure

    return StaticFigure(draw)


def bar_panels(
    panels: Mapping[str, Sequence[float]],
    x: Sequence[float],
    *,
    x_label: str,
    y_label: str,
    color: str = OUTPUT,
) -> StaticFigure:
    """Draw bars over the same places, one panel beneath another, on common axes.

    Up to four bars have their numbers at their ends, and no axis for them.

    Args:
        panels: a title for each panel, and its heights; at most four.
        x: the places, evenly spaced.
        x_label: what the places are, with their letter.
        y_label: what the heights are.
        color: the bars' colour.

    Returns:
        The figure.

    Raises:
        ValueError: if a panel has not one height for each place, or there are more than four.
    """
    _demand(len(panels))
    for title, heights in panels.items():
        if len(heights) != len(x):
            raise ValueError(
                f"each panel has one height for each x; x has {len(x)} and {title!r} {len(heights)}"
            )

    def draw(sheet: Sheet) -> Figure:
        figure, stacked = sheet_of_paper(sheet, 40 + PANEL * len(panels), len(panels))
        for heights, axes in zip(panels.values(), stacked, strict=True):
            drawn = axes.bar(x, heights, color=color, width=0.75 * (x[1] - x[0]))
            if len(x) <= NUMBERED:
                axes.bar_label(drawn, fmt=_signed, fontsize=sheet.letters, padding=3, color=INK)
                axes.margins(y=0.25)
                axes.grid(visible=False)
                axes.tick_params(axis="y", labelleft=False)
            if min(map(min, panels.values())) < 0:
                axes.axhline(0, color=INK, linewidth=1)
                axes.spines["bottom"].set_visible(False)
                axes.tick_params(axis="x", length=0)
        _name(stacked, sheet, panels, x_label, y_label)
        return figure

    return StaticFigure(draw)


def histograms(
    samples: Mapping[str, Float[Tensor, " S"]], *, x_label: str, bins: int = 60
) -> StaticFigure:
    """Draw a histogram for each sample, one beneath another, on common axes.

    Args:
        samples: a title for each panel, and its numbers; at most four.
        x_label: what the numbers are.
        bins: how many bars the common axis is cut into.

    Returns:
        The figure.

    Raises:
        ValueError: if there are more than four samples.
    """
    _demand(len(samples))
    low = min(float(numbers.min()) for numbers in samples.values())
    high = max(float(numbers.max()) for numbers in samples.values())
    edges = np.linspace(low, high, bins + 1).tolist()

    def draw(sheet: Sheet) -> Figure:
        figure, stacked = sheet_of_paper(sheet, 40 + PANEL * len(samples), len(samples))
        for numbers, axes in zip(samples.values(), stacked, strict=True):
            axes.hist(numbers.detach().numpy(), bins=edges, color=MUTED)
        _name(stacked, sheet, samples, x_label, "count")
        return figure

    return StaticFigure(draw)


def _demand(panels: int) -> None:
    if panels > MOST:
        raise ValueError(f"at most {MOST} panels fit beneath each other; {panels} came")


def _name(
    stacked: list[Axes], sheet: Sheet, titles: Iterable[str], x_label: str, y_label: str
) -> None:
    """Say above each panel what it shows, and beneath the last one what they share."""
    for axes, title in zip(stacked, titles, strict=True):
        name_axes(axes, sheet, "", f"{y_label}, {title}")
        axes.yaxis.set_major_locator(MaxNLocator(3))
    stacked[-1].set_xlabel(x_label, fontsize=sheet.letters, color=INK)
    stacked[-1].xaxis.set_major_locator(MaxNLocator(8, integer=True, steps=[1, 2, 4, 5, 10]))
