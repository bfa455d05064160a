"""A figure of a mechanism: a drawing that a small script of its own moves in the page.

The page holds the drawing twice, for the column of a desk and for that of the smallest phone, and
a style sheet shows one by the room that there is. Between the two widths the small one grows: a
drawing is never shown smaller than it was made, so that letters of 12 pixels stay so large. Both
are SVG with the figure's numbers in it, and stand as they are in print and without JavaScript. A
script (``book/_live/<kind>.js``) finds their marks by ``data-part`` and moves them, so what is
still and what is live can never look different. Colours are variables, which follow light and dark.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

__all__ = ["NARROW", "WIDE", "Mechanism", "mark", "number", "words"]

#: The column of a desk, and that of a phone of 320 pixels (WCAG 2.1, 1.4.10), in CSS pixels.
WIDE = 688
NARROW = 288


@dataclass(frozen=True, slots=True, kw_only=True)
class Mechanism:
    """A drawing and what its script needs.

    Attributes:
        kind: the name of the script.
        alt_text: what the figure shows as it starts, for those who do not see it.
        data: numbers for the script; they become JSON.
        wide: the marks for a column of WIDE pixels.
        narrow: the marks for a column of NARROW pixels.
        heights: of the two drawings, in pixels.
    """

    kind: str
    alt_text: str
    data: Mapping[str, Any]
    wide: Sequence[str]
    narrow: Sequence[str]
    heights: tuple[int, int]

    def html(self) -> str:
        """Return the figure as a page holds it."""
        drawings = zip(("wide", "narrow"), (WIDE, NARROW), self.heights, strict=True)
        svgs = "".join(
            f'<svg class="mechanism-{name}" viewBox="0 0 {width} {height}" role="img" '
            f'aria-label="{escape(self.alt_text)}">{"".join(getattr(self, name))}</svg>'
            for name, width, height in drawings
        )
        # "<" would let a word of the data end the script element.
        data = json.dumps(self.data, sort_keys=True, separators=(",", ":")).replace("<", "\\u003c")
        return (
            f'<div class="mechanism" data-kind="{escape(self.kind)}">'
            f'<div class="mechanism-controls"></div>{svgs}'
            f'<script type="application/json">{data}</script></div>'
        )

    def _repr_mimebundle_(self, **options: Any) -> dict[str, str]:
        return {"text/html": self.html(), "text/plain": repr(self)}

    def __repr__(self) -> str:
        """Name the figure without an address, which would change from run to run."""
        return f"<Mechanism {self.kind}>"


def number(value: float) -> str:
    """Return a number with a minus sign of full length, and no more digits than it has.

    Args:
        value: the number.

    Returns:
        Its text; zero has no sign.
    """
    return f"{value + 0:g}".replace("-", "−")


def mark(shape: str, color: str, **attributes: Any) -> str:
    """Return a mark, filled in one of the page's colours.

    Args:
        shape: "rect", "circle", "line".
        color: the name of a variable of the page, "query".
        attributes: SVG's own, with _ for -; a ``part`` by which the script finds it.

    Returns:
        The element.
    """
    stroke = "stroke" if shape == "line" else "fill"
    return f'<{shape} style="{stroke}:var(--{color})"{_written(attributes)}/>'


def words(text: str, x: float, y: float, color: str = "ink", **attributes: Any) -> str:
    """Return a word, centred over a place unless ``text_anchor`` says otherwise.

    Args:
        text: what is written.
        x: the place, in pixels from the left.
        y: the line that it stands on, in pixels from the top.
        color: the name of a variable of the page.
        attributes: SVG's own, with _ for -; a ``part`` by which the script finds it.

    Returns:
        The element.
    """
    given = {"text_anchor": "middle"} | attributes
    place = f'x="{x:g}" y="{y:g}" style="fill:var(--{color})"'
    return f"<text {place}{_written(given)}>{escape(text)}</text>"


def _written(attributes: Mapping[str, Any]) -> str:
    named = {("data_" if name in ("part", "s", "d") else "") + name: value
             for name, value in attributes.items()}  # fmt: skip
    return "".join(
        f' {name.replace("_", "-")}="{value:g}"'
        if isinstance(value, float)
        else f' {name.replace("_", "-")}="{escape(str(value))}"'
        for name, value in named.items()
    )
