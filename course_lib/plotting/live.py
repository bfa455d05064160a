"""A figure that answers: a Vega-Lite chart with controls, drawn in the page without a server.

The page holds a still SVG for a desk and one for a phone, of which one stands in print and without
JavaScript, and the chart's description. A small script (book/_static/live-figure.js) draws the
chart when it comes near, and as wide as there is room.
"""

import json
import re
from html import escape
from typing import Any

import altair as alt
import vl_convert

from course_lib.plotting.colors import INK

__all__ = ["STILLS", "THEME_INK", "LiveFigure", "enabled", "ink", "said"]

VEGA_LITE = "6.4"
#: Pixels that stand beside a panel: labels of 52, the gap to them, and the padding of both sides.
BESIDE = 80
#: How wide the panels of the two still drawings are: for columns of 688 and of 288 pixels.
STILLS = {"wide": 584, "narrow": 192}
#: The colour of text in a chart's own parts: what the parameter of ``ink`` holds.
THEME_INK = alt.expr("ink")


def ink() -> alt.Parameter:
    """Make the parameter that holds the colour of text; the page's script sets it by theme.

    Returns:
        The parameter `ink`, which a chart's own parts may name.
    """
    return alt.param(name="ink", value=INK)


def said(control: str, words: str) -> alt.Parameter:
    """Make the parameter that holds a control's value in the words of the figure.

    The page's script shows it beside the control and hands it to those who hear the page.

    Args:
        control: the name of the control's own parameter.
        words: a Vega expression that gives a text.

    Returns:
        The parameter `<control>_said`.
    """
    return alt.param(name=f"{control}_said", expr=words)


def enabled(control: str, condition: str) -> alt.Parameter:
    """Make the parameter that says when a control has an effect; else the page disables it.

    Args:
        control: the name of the control's own parameter.
        condition: a Vega expression that gives true or false.

    Returns:
        The parameter `<control>_enabled`.
    """
    return alt.param(name=f"{control}_enabled", expr=condition)


class LiveFigure:
    """A chart with controls.

    Args:
        chart: the Altair chart, its parameters bound to inputs.
        name: what the figure is called in the page, unique in a chapter.
        alt_text: what the figure shows, for those who do not see it.
    """

    def __init__(self, chart: alt.TopLevelMixin, *, name: str, alt_text: str) -> None:
        self.name = name
        self.alt_text = alt_text
        self.spec = self._themed(chart.to_dict(validate=True))

    @staticmethod
    def _themed(spec: dict[str, Any]) -> dict[str, Any]:
        words = {"labelColor": {"expr": "ink"}, "titleColor": {"expr": "ink"}}
        lines = {"domainColor": {"expr": "ink"}, "tickColor": {"expr": "ink"}}
        axis = words | lines | {"grid": False, "labelFontSize": 13, "titleFontSize": 13}
        spec["config"] = {
            "background": "transparent",
            # A line of text is taller than its letters: none is cut off at the edge.
            "padding": 8,
            "font": "system-ui, sans-serif",
            "axis": axis,
            "title": {"color": {"expr": "ink"}, "fontSize": 13, "anchor": "start"},
            "header": words,
            "view": {"stroke": None},
            "aria": True,
        }
        if "vconcat" in spec:
            # The page's script widens the panels to the column.
            spec["usermeta"] = {"beside": BESIDE}
        # The page loads its own copy of the library: no address belongs into the description.
        spec.pop("$schema", None)
        spec["$schema"] = "https://vega.github.io/schema/vega-lite/v6.json"
        return spec

    def svg(self, name: str = "wide") -> str:
        """Return a still picture: the chart with its controls where they start.

        Args:
            name: "wide" or "narrow", the column that it is for.

        Returns:
            The drawing, with the class `live-figure-<name>`.
        """
        spec = json.loads(json.dumps(self.spec))
        for panel in spec.get("vconcat", ()):
            panel["width"] = STILLS[name]
        drawn = str(vl_convert.vegalite_to_svg(spec, vl_version=VEGA_LITE))
        drawn = drawn.replace('class="marks"', f'class="marks live-figure-{name}"', 1)
        # The library counts ids on and on; two figures must not share them, nor two runs differ.
        known: dict[str, str] = {}
        for one in re.findall(r'id="(\w+)"', drawn):
            known[one] = f"{self.name}-{name}-{len(known)}"
        for one, ours in known.items():
            drawn = re.sub(rf'(id="|url\(#){one}\b', rf"\g<1>{ours}", drawn)
        return drawn

    def _repr_mimebundle_(self, **options: Any) -> dict[str, str]:
        # "<" would let a word of the data end the script element.
        description = json.dumps(self.spec, sort_keys=True, separators=(",", ":"))
        description = description.replace("<", "\\u003c")
        html = (
            f'<div class="live-figure" data-figure="{escape(self.name)}">'
            f'<div class="live-figure-static" role="img" aria-label="{escape(self.alt_text)}">'
            f"{''.join(map(self.svg, STILLS))}</div>"
            '<div class="live-figure-mount"></div>'
            '<script type="application/json" class="live-figure-spec">'
            f"{description}</script></div>"
        )
        return {"text/html": html, "text/plain": repr(self)}

    def __repr__(self) -> str:
        """Name the figure without an address, which would change from run to run."""
        return f"<LiveFigure {self.name}>"
