"""Figures that stand still: a pattern of weights, bars, curves, histograms.

Each function returns a figure that shows itself in a notebook as a small PNG on white, the same
bytes on every run. No global state of matplotlib is touched::

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
from PIL import Image
from torch import Tensor

from course_lib.plotting.colors import INK, KEY, OUTPUT, QUERY, VALUE

__all__ = ["StaticFigure", "bars", "curves", "histograms", "weights_heatmap"]

#: Lines that share a panel differ in colour and in dash, so that neither alone has to be seen.
STYLES = ((QUERY, "-"), (KEY, "--"), (VALUE, "-."), (OUTPUT, ":"))
_WEIGHTS = LinearSegmentedColormap.from_list("weights", ["#ffffff", "#c9a8d4", OUTPUT, "#4c2459"])


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


def _figure(width: float, height: float, panels: int = 1) -> tuple[StaticFigure, list[Axes]]:
    figure = StaticFigure(figsize=(width, height), dpi=120, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, panels, squeeze=False)[0]
    for panel in axes:
        panel.spines[["top", "right"]].set_visible(False)
        panel.tick_params(colors=INK, labelsize=11)
    return figure, list(axes)


def weights_heatmap(
    weights: Float[Tensor, "T S"], query_labels: Sequence[str], key_labels: Sequence[str]
) -> StaticFigure:
    """Draw weights as a grid: one row a query, one column a key, darker for more.

    Args:
        weights: numbers from 0 to 1.
        query_labels: a label for each row, from top to bottom.
        key_labels: a label for each column.

    Returns:
        The figure, which shows itself as a PNG.

    Raises:
        ValueError: if there is not one label for each row and each column.
    """
    if tuple(weights.shape) != (len(query_labels), len(key_labels)):
        raise ValueError(
            "a heatmap needs one label for each query and each key; weights has "
            f"T={weights.shape[0]}, S={weights.shape[1]}, with {len(query_labels)} query and "
            f"{len(key_labels)} key labels"
        )
    side = 1.6 + 0.28 * max(len(key_labels), 6)
    figure, (axes,) = _figure(side + 0.7, 1.6 + 0.28 * max(len(query_labels), 6))
    image = axes.imshow(weights.detach().numpy(), cmap=_WEIGHTS, vmin=0, vmax=1)
    axes.set_xticks(range(len(key_labels)), list(key_labels), rotation=90)
    axes.set_yticks(range(len(query_labels)), list(query_labels))
    axes.set_xlabel("key position s", color=KEY, fontsize=12)
    axes.set_ylabel("query position t", color=QUERY, fontsize=12)
    figure.colorbar(image, ax=axes, shrink=0.7, label="weight")
    return figure


def curves(
    x: Sequence[float],
    lines: Mapping[str, Sequence[float]],
    *,
    x_label: str,
    y_label: str,
    log_x: bool = False,
) -> StaticFigure:
    """Draw lines over a common axis, each with its own colour and dash.

    Args:
        x: the common axis.
        lines: a label for each line, and its values; at most four.
        x_label: what x is, with its letter.
        y_label: what the lines are.
        log_x: whether x doubles from tick to tick.

    Returns:
        The figure, which shows itself as a PNG.

    Raises:
        ValueError: if a line has not as many values as x, or there are more than four lines.
    """
    if len(lines) > len(STYLES):
        raise ValueError(f"at most {len(STYLES)} lines can be told apart; {len(lines)} came")
    figure, (axes,) = _figure(6.4, 3.6)
    for (label, values), (color, dash) in zip(lines.items(), STYLES, strict=False):
        if len(values) != len(x):
            raise ValueError(
                f"each line has one value for each x; x has {len(x)} and {label!r} {len(values)}"
            )
        axes.plot(x, values, dash, color=color, label=label, linewidth=2, marker="o")
    if log_x:
        axes.set_xscale("log", base=2)
        axes.set_xticks(list(x), [f"{value:g}" for value in x])
    axes.set_xlabel(x_label, fontsize=12)
    axes.set_ylabel(y_label, fontsize=12)
    axes.legend(frameon=False, fontsize=11)
    return figure


def bars(values: Mapping[str, float], *, y_label: str, color: str = OUTPUT) -> StaticFigure:
    """Draw one bar for each labelled value, with the number above it.

    Args:
        values: a label for each bar, and its height.
        y_label: what the heights are.
        color: the bars' colour.

    Returns:
        The figure, which shows itself as a PNG.
    """
    figure, (axes,) = _figure(6.4, 3.4)
    drawn = axes.bar(list(values), list(values.values()), color=color, width=0.6)
    axes.bar_label(drawn, fmt="%.2f", fontsize=11, padding=2)
    axes.set_ylabel(y_label, fontsize=12)
    return figure


def histograms(
    samples: Mapping[str, Float[Tensor, " S"]], *, x_label: str, bins: int = 60
) -> StaticFigure:
    """Draw a histogram for each sample side by side, on one common axis.

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
    figure, panels = _figure(6.4, 3.0, len(samples))
    reach = max(float(numbers.abs().max()) for numbers in samples.values())
    edges = np.linspace(-reach, reach, bins + 1)
    pairs = zip(samples.items(), panels, STYLES, strict=False)
    for (title, numbers), axes, (color, _) in pairs:
        axes.hist(numbers.detach().numpy(), bins=edges.tolist(), color=color)
        axes.set_title(title, fontsize=12)
        axes.set_xlabel(x_label, fontsize=12)
        axes.set_yticks([])
    return figure
