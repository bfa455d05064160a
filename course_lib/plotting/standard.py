"""What every still figure of the book keeps to.

A figure is a function that draws on a sheet. There are two sheets, as wide as the column of a desk
and of a phone, so that letters have one size on both. Each drawing has two schemes, since a file
that a page shows cannot see the page's own. So a figure is four SVG files, of which a page loads
the one that it shows. Text is text, in the reader's own font. There is no date in it and no random
name: the same figure gives the same bytes on every run. No global state of matplotlib is touched.
Values are told apart by words beside the marks, never by a legend.
"""

import io
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.text import Text

from course_lib.plotting.colors import DARK, FAINT, INK, LIGHT_PAGE, MUTED, OUTPUT

__all__ = [
    "NARROW", "SHEETS", "STYLES", "WIDE", "Sheet", "StaticFigure", "in_dark", "in_two",
    "name_axes", "on_mark", "sheet_of_paper",
]  # fmt: skip


@dataclass(frozen=True)
class Sheet:
    """A column that figures are drawn for.

    Attributes:
        name: how its files are called.
        width: its width in CSS pixels.
        letters: the size of words in CSS pixels.
    """

    name: str
    width: int
    letters: float


WIDE = Sheet("wide", 688, 14)
NARROW = Sheet("narrow", 358, 12.5)
SHEETS = (WIDE, NARROW)
#: Lines that share a panel differ in dash as well as in shade, so that neither alone has to be
#: seen. None is a query, a key or a value, whose colours are kept for those.
STYLES = ((OUTPUT, "-"), (INK, "--"), (MUTED, "-."), (INK, ":"))
# A word stands on a hem of the page's colour: a line that runs behind it ends there.
_LOOK = (
    '<style>text{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif;'
    f"paint-order:stroke;stroke:{LIGHT_PAGE};stroke-width:4px;stroke-linejoin:round}}"
    ".on-mark text{stroke:none}*{stroke-linejoin:round;stroke-linecap:butt}</style>"
)


class StaticFigure:
    """A figure that shows itself as SVG.

    Args:
        draw: draws it on a sheet.
    """

    def __init__(self, draw: Callable[[Sheet], Figure]) -> None:
        self._draw = draw
        self._notes: list[tuple[float, float, str]] = []

    def note(self, x: float, y: float, words: str) -> "StaticFigure":
        """Mark a point of the first panel and say what it is.

        Args:
            x: where it lies, in the panel's own numbers.
            y: how high.
            words: what stands beside it; to its left in the right half of the panel.

        Returns:
            The same figure.
        """
        self._notes.append((x, y, words))
        return self

    def drawn(self, sheet: Sheet = WIDE) -> Figure:
        """Draw the figure.

        Args:
            sheet: the column that it is for.

        Returns:
            What matplotlib holds of it, in the colours of a light page.
        """
        figure = self._draw(sheet)
        for x, y, words in self._notes:
            axes = figure.axes[0]
            axes.plot([x], [y], "o", color=INK, markersize=6, zorder=4)
            axes.autoscale_view()
            at = axes.transAxes.inverted().transform(axes.transData.transform((x, y)))
            side, gap = ("right", -8) if at[0] > 0.5 else ("left", 8)
            # Beside the point and off the line: above where it falls away, below where it comes.
            axes.annotate(
                words, (x, y), (gap, -5 if side == "left" else 5), textcoords="offset points",
                ha=side, va="top" if side == "left" else "bottom",
                color=INK, fontsize=sheet.letters,
            )  # fmt: skip
        return figure

    def svg(self, sheet: Sheet = WIDE) -> str:
        """Write the figure as SVG for a light page; ``in_dark`` makes the other of it.

        Args:
            sheet: the column that it is for.

        Returns:
            The file's text.
        """
        figure, written = self.drawn(sheet), io.StringIO()
        with rc_context({"svg.fonttype": "none", "svg.hashsalt": sheet.name}):
            canvas: Any = FigureCanvasSVG(figure)  # this part of matplotlib has no types
            canvas.print_svg(written)
        return _bare(written.getvalue(), sheet)

    def _repr_mimebundle_(self, **options: Any) -> dict[str, str]:
        """Give one file: the wide drawing to be seen, and within it the narrow one for the page."""
        wide, narrow = self.svg(WIDE), self.svg(NARROW)
        both = wide.replace("</svg>", f"<defs>{narrow}</defs></svg>")
        return {"image/svg+xml": both, "text/plain": repr(self)}

    def __repr__(self) -> str:
        """Name the figure without an address, which would change from run to run."""
        return "<StaticFigure>"


def in_dark(svg: str) -> str:
    """Exchange the colours of a drawing for those on a dark page.

    Args:
        svg: a drawing for a light page.

    Returns:
        The same drawing in the other colours.

    Raises:
        ValueError: if it holds a colour that is not one of the book's.
    """

    def exchanged(found: re.Match[str]) -> str:
        if found[0].lower() not in DARK:
            raise ValueError(
                "a still figure has the colours of course_lib.plotting.colors.DARK; "
                f"{found[0]} came"
            )
        return DARK[found[0].lower()]

    return re.sub(r"#[0-9a-fA-F]{6}\b", exchanged, svg)


def in_two(svg: str) -> dict[str, str]:
    """Take apart the one file that a figure shows itself as.

    Args:
        svg: what the figure gave.

    Returns:
        The drawing for each sheet, by its name.
    """
    wide, begin, rest = svg.partition("<defs><svg")
    narrow, _, end = rest.rpartition("</defs>")
    return {WIDE.name: wide + end, NARROW.name: "<svg" + narrow} if begin else {WIDE.name: svg}


def sheet_of_paper(
    sheet: Sheet, height: float, rows: int = 1, columns: int = 1
) -> tuple[Figure, list[Axes]]:
    """Lay out panels of common axes, without frames; a pixel of the page is a point.

    Args:
        sheet: the column that it is for.
        height: how high the figure is, in CSS pixels.
        rows: how many panels stand beneath each other.
        columns: how many stand beside each other.

    Returns:
        The figure, and its panels row by row.
    """
    figure = Figure(
        figsize=(sheet.width / 72, height / 72), dpi=72, facecolor="none", layout="constrained"
    )
    figure.set_layout_engine("constrained", w_pad=0.02, h_pad=0.03, hspace=0.02, wspace=0.04)
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).flatten()
    for panel in panels:
        panel.set_facecolor("none")
        panel.spines[["top", "right", "left"]].set_visible(False)
        panel.spines["bottom"].set_color(INK)
        panel.tick_params(colors=INK, labelsize=sheet.letters, length=4)
        panel.tick_params(axis="y", length=0)
        panel.grid(axis="y", color=FAINT, linewidth=1)
        panel.set_axisbelow(True)
    return figure, list(panels)


def name_axes(axes: Axes, sheet: Sheet, x_label: str, y_label: str) -> None:
    """Say what the axes are: the vertical one in level words above it.

    Args:
        axes: the panel.
        sheet: the column that it is for.
        x_label: what stands beneath the level axis.
        y_label: what stands above the vertical one.

    Returns:
        Nothing: they stand in the panel.
    """
    axes.set_xlabel(x_label, fontsize=sheet.letters, color=INK)
    axes.set_title(y_label, fontsize=sheet.letters, color=INK, loc="left", pad=10)


def on_mark(words: Iterable[Text]) -> None:
    """Mark words that stand on a filled mark: they have no hem.

    Args:
        words: the words.

    Returns:
        Nothing: the words are marked.
    """
    for word in words:
        word.set_gid("on-mark")


def _bare(svg: str, sheet: Sheet) -> str:
    """Leave of matplotlib's SVG what is drawn: pixels, no names that nobody uses, our letters."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->|<style.*?</style>", "", svg, flags=re.S)
    svg = re.sub(r'(<svg[^>]*?) width="[\d.]+pt"', rf'\1 width="{sheet.width}"', svg)
    svg = re.sub(r'(<svg[^>]*?) height="([\d.]+)pt"', r'\1 height="\2"', svg)
    svg = svg.replace('id="on-mark"', 'class="on-mark"')
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', svg))
    svg = re.sub(r' id="([^"]+)"', lambda found: found[0] if found[1] in used else "", svg)
    svg = re.sub(r'font: ([\d.]+px) [^;"]+', r"font-size: \1", svg)
    # A tenth of a pixel is seen by nobody. Within tags alone: words hold numbers too.
    svg = re.sub(r"<[^>]*>", lambda tag: re.sub(r"(\d+\.\d)\d+", r"\1", tag[0]), svg)
    svg = re.sub(r">\s*\n\s*<", "><", svg)
    svg = re.sub(r"\s*\n\s*", " ", svg)
    # A rectangle in a third of the letters: bars, and the cells of a grid.
    svg = re.sub(
        r"M (\S+) (\S+) L (\S+) \2 L \3 (\S+) L \1 \4 (?:L \1 \2 )?z", r"M\1 \2H\3V\4H\1z", svg
    )
    return svg.replace(">", f' style="background:{LIGHT_PAGE}">{_LOOK}', 1).strip()
