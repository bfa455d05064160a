"""Lines for what is continuous, steps for what stays until it changes, dots for sizes."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

from course_lib.plotting.colors import INK, MUTED, OUTPUT
from course_lib.plotting.labels import label_ends, label_on
from course_lib.plotting.standard import STYLES, Sheet, StaticFigure, name_axes, sheet_of_paper
from course_lib.plotting.ticks import OneForm

__all__ = ["curves", "points", "steps", "walks"]

HEIGHT = {"wide": 300, "narrow": 270}
Lines = Mapping[str, Sequence[float]]


def curves(
    x: Sequence[float],
    lines: Lines,
    *,
    x_label: str,
    y_label: str,
    log: str = "",
    label_at: float | None = None,
) -> StaticFigure:
    """Draw quantities that are continuous in x as lines, each with its name beside it.

    Args:
        x: the common axis, fine enough to be a curve.
        lines: a name for each line, and its values; at most four. One alone needs no name.
        x_label: what x is, with its letter.
        y_label: what the lines are.
        log: which axes are logarithmic: "", "x", "y" or "xy"; ticks of x are then powers of 2.
        label_at: the x at which names stand above their lines; None writes them at the ends.

    Returns:
        The figure.

    Raises:
        ValueError: if a line has not as many values as x, or there are more than four lines.
    """
    _demand(x, lines)

    def draw(sheet: Sheet) -> Figure:
        figure, (axes,) = sheet_of_paper(sheet, HEIGHT[sheet.name])
        for values, (color, dash) in zip(lines.values(), STYLES, strict=False):
            axes.plot(x, values, dash, color=color, linewidth=2)
        _scale(axes, log, x)
        name_axes(axes, sheet, x_label, y_label)
        if label_at is not None:
            falls = [values[-1] < values[0] for values in lines.values()]
            label_on(axes, sheet, _labels(x, lines, label_at), falls)
        elif len(lines) > 1:
            label_ends(axes, sheet, _labels(x, lines))
        return figure

    return StaticFigure(draw)


def steps(x: Sequence[float], lines: Lines, *, x_label: str, y_label: str) -> StaticFigure:
    """Draw what stays as it is until the next x: a running maximum, a running sum.

    Args:
        x: where the values change.
        lines: a name for each, and its value from there on; at most four.
        x_label: what x counts.
        y_label: what the lines are.

    Returns:
        The figure.

    Raises:
        ValueError: if a line has not as many values as x, or there are more than four lines.
    """
    _demand(x, lines)

    def draw(sheet: Sheet) -> Figure:
        figure, (axes,) = sheet_of_paper(sheet, HEIGHT[sheet.name])
        beyond = [*x, x[-1] + 1]
        for values, (color, dash) in zip(lines.values(), STYLES, strict=False):
            held = [*values, values[-1]]
            axes.plot(beyond, held, dash, color=color, linewidth=2, drawstyle="steps-post")
        _scale(axes, "", x)
        name_axes(axes, sheet, x_label, y_label)
        label_ends(axes, sheet, _labels(beyond, {n: [*v, v[-1]] for n, v in lines.items()}))
        return figure

    return StaticFigure(draw)


def points(
    x: Sequence[float], series: Lines, *, x_label: str, y_label: str, log: str = ""
) -> StaticFigure:
    """Draw values of separate sizes or ranks as dots: nothing lies between them.

    Args:
        x: the sizes; up to eight are the ticks.
        series: a name for each series, and its values; at most four.
        x_label: what x is, with its letter.
        y_label: what the values are.
        log: which axes are logarithmic: "", "x", "y" or "xy".

    Returns:
        The figure.

    Raises:
        ValueError: if a series has not as many values as x, or there are more than four.
    """
    _demand(x, series)

    def draw(sheet: Sheet) -> Figure:
        figure, (axes,) = sheet_of_paper(sheet, HEIGHT[sheet.name])
        few = len(x) <= 8
        for (values, (color, _)), mark in zip(
            zip(series.values(), STYLES, strict=False), "osD^", strict=False
        ):
            axes.plot(x, values, mark, color=color, markersize=8 if few else 4)
        _scale(axes, log, x, every=few)
        name_axes(axes, sheet, x_label, y_label)
        label_ends(axes, sheet, _labels(x, series))
        return figure

    return StaticFigure(draw)


def walks(
    x: Sequence[float],
    paths: Sequence[Sequence[float]],
    edge: Sequence[float],
    *,
    names: tuple[str, str],
    x_label: str,
    y_label: str,
) -> StaticFigure:
    """Draw many sums that grow step by step, the first of them strong, and how far they tend to go.

    Args:
        x: what the sums have counted so far.
        paths: each sum at each x; its last value is marked.
        edge: at each x a distance from 0; it is drawn on both sides.
        names: what the first sum is called, and what the edge is.
        x_label: what x counts.
        y_label: what the sums are.

    Returns:
        The figure.

    Raises:
        ValueError: if a path or the edge has not as many values as x.
    """
    named = {f"path {n}": path for n, path in enumerate(paths)} | {names[1]: edge}
    for one in named:
        _demand(x, {one: named[one]})

    def draw(sheet: Sheet) -> Figure:
        figure, (axes,) = sheet_of_paper(sheet, HEIGHT[sheet.name])
        for n, path in reversed(list(enumerate(paths))):
            color, width, dot = (MUTED, 0.7, 4) if n else (OUTPUT, 2.5, 8)
            axes.plot(x, path, color=color, linewidth=width, drawstyle="steps-post")
            axes.plot(x[-1:], path[-1:], "o", color=color, markersize=dot)
        both = {names[1]: edge, f"−{names[1]}": [-far for far in edge]}
        for far in both.values():
            axes.plot(x, far, "--", color=INK, linewidth=2)
        _scale(axes, "", x)
        name_axes(axes, sheet, x_label, y_label)
        ends = [(name, INK, (x[-1], far[-1])) for name, far in both.items()]
        label_ends(axes, sheet, [(names[0], OUTPUT, (x[-1], paths[0][-1])), *ends])
        return figure

    return StaticFigure(draw)


def _demand(x: Sequence[float], lines: Lines) -> None:
    if len(lines) > len(STYLES):
        raise ValueError(f"at most {len(STYLES)} lines can be told apart; {len(lines)} came")
    for label, values in lines.items():
        if len(values) != len(x):
            raise ValueError(
                f"each line has one value for each x; x has {len(x)} and {label!r} {len(values)}"
            )


def _labels(
    x: Sequence[float], lines: Lines, at: float | None = None
) -> list[tuple[str, str, tuple[float, float]]]:
    """Return each line's name, colour and the point at which it is named: at an x, or its last."""
    found = []
    for (name, values), (color, _) in zip(lines.items(), STYLES, strict=False):
        finite = [n for n, value in enumerate(values) if np.isfinite(value)]
        n = finite[-1] if at is None else min(finite, key=lambda n: abs(x[n] - at))
        found.append((name, color, (x[n], values[n])))
    return found


def _scale(axes: Axes, log: str, x: Sequence[float], *, every: bool = False) -> None:
    """Give an axis few ticks that are values, in plain figures."""
    if "x" in log:
        axes.set_xscale("log", base=2)
        low, high = np.log2(min(x)), np.log2(max(x))
        powers = np.arange(np.ceil(low), high + 1e-9, max(1, np.ceil((high - low) / 5)))
        axes.xaxis.set_major_locator(FixedLocator(list(x) if every else list(2.0**powers)))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(OneForm())
    else:
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, steps=[1, 2, 4, 5, 10]))
    if "y" in log:
        axes.set_yscale("log", base=10)
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(OneForm())
    else:
        axes.yaxis.set_major_locator(MaxNLocator(5))
