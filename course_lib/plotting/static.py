"""Figures that stand still: a pattern of weights, bars, curves, histograms.

Each function returns a figure that shows itself in a notebook as a small PNG on white, the same
bytes on every run. It is as wide as a phone, and so are its letters. No global state of matplotlib
is touched::

    from course_lib.plotting.static import weights_heatmap
    weights_heatmap(weights, tokens, tokens)
"""

import io
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image
from torch import Tensor

from course_lib.plotting.colors import INK, KEY, MUTED, OUTPUT, QUERY

__all__ = ["StaticFigure", "bars", "curves", "histograms", "weights_heatmap"]

# A phone shows the whole width on about 350 CSS pixels: 11 points are then 12 pixels high.
WIDTH, WORDS = 4.4, 11
# More letters than these do not fit beneath the bars unless they are turned.
LETTERS = 30
#: Lines that share a panel differ in dash as well as in shade, so that neither alone has to be
#: seen. None is a query, a key or a value, whose colours are kept for those.
STYLES = ((OUTPUT, "-"), (INK, "--"), (MUTED, "-."), (INK, ":"))
_WEIGHTS = LinearSegmentedColormap.from_list("weights", ["#ffffff", "#cbadd6", OUTPUT, "#4c2459"])


class StaticFigure(Figure):
    """A matplotlib figure that shows itself as a PNG without pyplot."""

    def _repr_png_(self) -> bytes:
        drawn, small = io.BytesIO(), io.BytesIO()
        self.savefig(drawn, format="png")
        # A drawing has few colours: a palette takes a third of the bytes, and no date or version
        # is kept, so the same figure gives the same bytes.
        Image.open(drawn).convert("RGB").quantize(128).save(small, format="PNG", optimize=True)
        return small.getvalue()

    def __repr__(self) -> str:
        """Name the figure without an address, which would change from run to run."""
        return "<StaticFigure>"


def _figure(height: float, rows: int = 1, columns: int = 1) -> tuple[StaticFigure, list[Axes]]:
    # Twice the pixels of the place where it is shown: sharp on a fine screen.
    figure = StaticFigure(figsize=(WIDTH, height), dpi=200, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).flatten()
    for panel in panels:
        panel.spines[["top", "right"]].set_visible(False)
        panel.tick_params(colors=INK, labelsize=WORDS)
    return figure, list(panels)


def weights_heatmap(
    weights: Float[Tensor, "T S"], query_labels: Sequence[str], key_labels: Sequence[str]
) -> StaticFigure:
    """Draw weights as a grid: one row a query, one column a key, darker for more.

    Args:
        weights: numbers from 0 to 1.
        query_labels: a label for each row, from top to bottom.
        key_labels: a label for each column.

    Returns:
        The figure, which shows itself as a PNG. A small grid shows each number too.

    Raises:
        ValueError: if there is not one label for each row and each column.
    """
    if tuple(weights.shape) != (len(query_labels), len(key_labels)):
        raise ValueError(
            "a heatmap needs one label for each query and each key; weights has "
            f"T={weights.shape[0]}, S={weights.shape[1]}, with {len(query_labels)} query and "
            f"{len(key_labels)} key labels"
        )
    queries, keys = weights.shape
    cell = min(3.3 / keys, 0.6)
    figure, (axes,) = _figure(1.7 + cell * queries)
    image = axes.imshow(weights.detach().numpy(), cmap=_WEIGHTS, vmin=0, vmax=1)
    axes.set_xticks(range(keys), list(key_labels), rotation=90)
    axes.set_yticks(range(queries), list(query_labels))
    axes.set_xlabel("key position s", color=KEY, fontsize=WORDS + 1)
    axes.set_ylabel("query position t", color=QUERY, fontsize=WORDS + 1)
    if keys <= 6:
        for (t, s), weight in np.ndenumerate(weights.detach().numpy()):
            ink = "white" if weight > 0.45 else INK
            axes.text(s, t, f"{weight:.2f}", ha="center", va="center", color=ink, fontsize=WORDS)
    scale = figure.colorbar(image, ax=axes, location="bottom", shrink=0.7, aspect=30)
    scale.set_label("weight", fontsize=WORDS)
    scale.ax.tick_params(labelsize=WORDS - 1)
    return figure


def curves(
    x: Sequence[float],
    lines: Mapping[str, Sequence[float]],
    *,
    x_label: str,
    y_label: str,
    log: str = "",
) -> StaticFigure:
    """Draw lines over a common axis, each with its own shade and dash.

    Args:
        x: the common axis.
        lines: a label for each line, and its values; at most four.
        x_label: what x is, with its letter.
        y_label: what the lines are.
        log: which axes are logarithmic: "", "x", "y" or "xy"; x then doubles from value to value.

    Returns:
        The figure, which shows itself as a PNG.

    Raises:
        ValueError: if a line has not as many values as x, or there are more than four lines.
    """
    if len(lines) > len(STYLES):
        raise ValueError(f"at most {len(STYLES)} lines can be told apart; {len(lines)} came")
    figure, (axes,) = _figure(3.1)
    for (label, values), (color, dash) in zip(lines.items(), STYLES, strict=False):
        if len(values) != len(x):
            raise ValueError(
                f"each line has one value for each x; x has {len(x)} and {label!r} {len(values)}"
            )
        mark = "o" if len(x) <= 12 else None
        axes.plot(x, values, dash, color=color, label=label, linewidth=2, marker=mark)
    if "x" in log:
        axes.set_xscale("log", base=2)
        named = list(x)[:: -(-len(x) // 6)]
        axes.set_xticks(named, [f"{value:g}" for value in named])
        axes.minorticks_off()
    elif all(float(value).is_integer() for value in x):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if "y" in log:
        axes.set_yscale("log")
    axes.set_xlabel(x_label, fontsize=WORDS + 1)
    axes.set_ylabel(y_label, fontsize=WORDS + 1)
    if len(lines) > 1:
        # Above the panel, where no line runs.
        axes.legend(
            loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, frameon=False, fontsize=WORDS
        )
    return figure


def bars(
    values: Mapping[str, float], *, y_label: str, color: str = OUTPUT, limit: float | None = None
) -> StaticFigure:
    """Draw one bar for each labelled value, with the number above it.

    Args:
        values: a label for each bar, and its height; up to eight show their numbers.
        y_label: what the heights are.
        color: the bars' colour.
        limit: where a dashed line runs across; None draws none.

    Returns:
        The figure, which shows itself as a PNG.
    """
    figure, (axes,) = _figure(3.0)
    drawn = axes.bar(list(values), list(values.values()), color=color, width=0.6)
    if len(values) <= 8:
        for number in axes.bar_label(drawn, fmt="%.2f", fontsize=WORDS, padding=2):
            # A line that runs across stays behind the number.
            number.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1})
        axes.margins(y=0.12)
    if sum(map(len, values)) > LETTERS:
        axes.tick_params(axis="x", rotation=90 if len(values) > 8 else 30)
    if limit is not None:
        axes.axhline(limit, color=INK, linestyle="--", linewidth=1.5, zorder=0.5)
    if min(values.values()) < 0:
        axes.axhline(0, color=INK, linewidth=1)
    axes.set_ylabel(y_label, fontsize=WORDS + 1)
    return figure


def histograms(
    samples: Mapping[str, Float[Tensor, " S"]], *, x_label: str, bins: int = 60
) -> StaticFigure:
    """Draw a histogram for each sample, two in a row, on common axes.

    Args:
        samples: a title for each panel, and its numbers; at most four.
        x_label: what the numbers are.
        bins: how many bars the common axis is cut into.

    Returns:
        The figure, which shows itself as a PNG.

    Raises:
        ValueError: if there are more than four samples.
    """
    if len(samples) > len(STYLES):
        raise ValueError(f"at most {len(STYLES)} histograms fit; {len(samples)} came")
    rows, columns = -(-len(samples) // 2), min(len(samples), 2)
    figure, panels = _figure(0.6 + 1.7 * rows, rows, columns)
    low = min(float(numbers.min()) for numbers in samples.values())
    high = max(float(numbers.max()) for numbers in samples.values())
    edges = np.linspace(low, high, bins + 1)
    for (title, numbers), axes in zip(samples.items(), panels, strict=False):
        axes.hist(numbers.detach().numpy(), bins=edges.tolist(), color=MUTED)
        axes.set_title(title, fontsize=WORDS)
    for axes in panels[len(samples) :]:
        axes.set_visible(False)
    figure.supxlabel(x_label, fontsize=WORDS + 1)
    figure.supylabel("count", fontsize=WORDS + 1)
    return figure
