"""The wavelengths of rotary pairs, moved by the base, beside the length of a context."""

import altair as alt

from course_lib.plotting.colors import MUTED, OUTPUT
from course_lib.plotting.live import THEME_INK, LiveFigure, ink, said
from course_lib.sizes import require_positive

__all__ = ["wavelengths"]

# The axis stands still: from less than the fastest pair to more than the slowest.
LOW, HIGH = 1, 1e8
DECADES = [1, 1e2, 1e4, 1e6, 1e8]
AS_POWER = "datum.value < 1000 ? '' + datum.value : '10' + (datum.value < 1e5 ? '⁴' : "
AS_POWER += "datum.value < 1e7 ? '⁶' : '⁸')"
BASES, CONTEXTS = (2, 7), (7, 17)  # powers of 10, and of 2
BASE, CONTEXT = "pow(10, power)", "pow(2, length)"


def wavelengths(rotary_dim: int, *, power: float, length: int) -> LiveFigure:
    """Let the reader turn the base and the context, and see which pairs make a whole turn in it.

    Args:
        rotary_dim: D, the entries that turn; even.
        power: the base at first, as a power of 10, from 2 to 7.
        length: the context at first, as a power of 2, from 7 to 17.

    Returns:
        The figure, with sliders for both.

    Raises:
        ValueError: if rotary_dim is odd, or no whole number above 0.
    """
    require_positive(rotary_dim=rotary_dim)
    if rotary_dim % 2:
        raise ValueError(f"entries turn in pairs, so rotary_dim is even; it is {rotary_dim}")
    base = alt.param(name="power", value=power, bind=alt.binding_range(
        min=BASES[0], max=BASES[1], step=0.25, name="Base b "))  # fmt: skip
    context = alt.param(name="length", value=length, bind=alt.binding_range(
        min=CONTEXTS[0], max=CONTEXTS[1], step=1, name="Context, tokens "))  # fmt: skip
    told = said("power", f"format({BASE}, ',.3~r')"), said("length", f"format({CONTEXT}, ',')")
    pairs = _pairs(rotary_dim // 2)
    chart = alt.vconcat(
        _by_pair(pairs, rotary_dim // 2), _results(pairs, rotary_dim // 2)
    ).add_params(ink(), base, context, *told)
    shown = (
        f"Points: the wavelength of each of {rotary_dim // 2} pairs, on a logarithmic axis, beside "
        "the context's length. Bars: how many pairs turn fully in it, and how far the slowest one."
    )
    return LiveFigure(chart, name="wavelengths", alt_text=shown)


def _pairs(count: int) -> alt.Chart:
    """Return a row for each pair, with its wavelength and its turns within the context."""
    rows = alt.Chart(alt.InlineData(values=[{"i": i} for i in range(count)]))
    drawn: alt.Chart = rows.transform_calculate(
        wave=f"2 * PI * pow({BASE}, datum.i / {count})"
    ).transform_calculate(turns=f"{CONTEXT} / datum.wave", whole=f"datum.wave <= {CONTEXT} ? 1 : 0")
    return drawn


def _by_pair(pairs: alt.Chart, count: int) -> alt.LayerChart:
    """Draw each pair's wavelength, strong where it fits into the context, and the context."""
    x = alt.X("i:Q", title="pair i", scale=alt.Scale(domain=[0, count - 1], nice=False),
              axis=alt.Axis(tickMinStep=1))  # fmt: skip
    scale = alt.Scale(type="log", domain=[LOW, HIGH], clamp=True)
    axis = alt.Axis(values=DECADES, labelExpr=AS_POWER, minExtent=52, maxExtent=52)
    dots = pairs.transform_calculate(
        said="'wavelength of pair ' + datum.i + ': ' + format(datum.wave, '.4~r')"
    ).mark_point(filled=True, size=50, opacity=1).encode(
        x=x, y=alt.Y("wave:Q", title=None, scale=scale, axis=axis), description="said:N",
        color=alt.when("datum.whole").then(alt.value(OUTPUT)).otherwise(alt.value(MUTED)),
    )  # fmt: skip
    line = alt.Chart(alt.InlineData(values=[{}])).transform_calculate(
        y=CONTEXT, said=f"'context: ' + {CONTEXT}"
    )
    rule = line.mark_rule(strokeDash=[5, 4], strokeWidth=2).encode(
        y=alt.Y("y:Q", title=None, scale=scale, axis=axis), description="said:N",
        color=alt.value(THEME_INK),
    )  # fmt: skip
    drawn: alt.LayerChart = (rule + dots).properties(
        width=270,
        height=200,
        title=alt.Title("Tokens in one turn; dashed: the context", frame="bounds"),
    )
    return drawn


def _results(pairs: alt.Chart, count: int) -> alt.LayerChart | alt.FacetChart:
    """Draw how many pairs turn fully, and how much of its circle the slowest one sees."""
    whole = pairs.transform_aggregate(share="mean(whole)").transform_calculate(
        label=f"'pairs that turn fully: ' + round({count} * datum.share) + ' of {count}'",
        said=f"'pairs that turn fully: ' + round({count} * datum.share)",
        name="'whole'",
    )
    slowest = pairs.transform_filter(f"datum.i == {count - 1}").transform_calculate(
        share="min(datum.turns, 1)", name="'slowest'",
        label="'turns of the slowest pair: ' + format(datum.turns, '.3~r')",
        said="'turns of the slowest pair: ' + format(datum.turns, '.4~r')",
    )  # fmt: skip
    drawn = alt.layer(*_bar(whole), *_bar(slowest))
    return drawn.properties(width=270, height=alt.Step(44))


def _bar(base: alt.Chart) -> tuple[alt.Chart, alt.Chart]:
    y = alt.Y("name:N", sort=["whole", "slowest"], title=None, axis=alt.Axis(
        labels=False, ticks=False, domain=False, minExtent=52, maxExtent=52))  # fmt: skip
    x = alt.X("share:Q", title=None, scale=alt.Scale(domain=[0, 1]),
              axis=alt.Axis(values=[0, 0.5, 1], format="~g"))  # fmt: skip
    bar = base.mark_bar(color=OUTPUT, height=16, yOffset=9).encode(x=x, y=y, description="said:N")
    text = base.mark_text(align="left", dy=-10, fontSize=13).encode(
        x=alt.value(0), y=y, text="label:N", color=alt.value(THEME_INK)
    )
    return bar, text
