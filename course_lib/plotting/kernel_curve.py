"""The width of a kernel: the estimate, the measurements that it is made of, and its two errors."""

import math

import altair as alt
from jaxtyping import Float
from torch import Tensor

from course_lib.plotting.colors import OUTPUT, QUERY, VALUE
from course_lib.plotting.live import THEME_INK, LiveFigure, ink, said
from course_lib.plotting.live_mixture import grid, mixed, pairs, rows

__all__ = ["kernel_curve"]

# The width is a power of 2; where the slider ends, one measurement counts, or all do.
NARROWEST, WIDEST = -5, 4
WIDTH = "pow(2, power)"
TAU = f"2 * pow({WIDTH}, 2)"
CURVE = 120  # gaps between the places of the curve


def kernel_curve(
    places: Float[Tensor, " S"], heights: Float[Tensor, " S"], query: float
) -> LiveFigure:
    """Let the reader turn the kernel's width and move a query, and see estimate and errors.

    Args:
        places: where was measured, in rising order.
        heights: what was measured there.
        query: where the query stands at the start.

    Returns:
        The figure, with sliders for the width and for the query.

    Raises:
        ValueError: if there is not one height for each place.
    """
    if len(places) != len(heights):
        raise ValueError(
            f"each place has one height; there are {len(places)} places and {len(heights)} heights"
        )
    keys, values = ([round(float(one), 3) for one in row] for row in (places, heights))
    ends = math.floor(min(keys)), math.ceil(max(keys))
    power = alt.param(name="power", value=-1, bind=alt.binding_range(
        min=NARROWEST, max=WIDEST, step=0.5, name="Width of the kernel "))  # fmt: skip
    asked = alt.param(name="query", value=query, bind=alt.binding_range(
        min=ends[0], max=ends[1], step=0.1, name="Query "))  # fmt: skip
    words = (said("power", f"format({WIDTH}, '.3~g')"), said("query", "format(query, '.1f')"))
    chart = alt.vconcat(
        _estimate(keys, values, ends), _kernel(keys, values, ends), _results(keys, values)
    ).add_params(ink(), power, asked, *words)
    shown = "Measured heights and the estimate; the kernel around the query; bars of two errors."
    return LiveFigure(chart, name="kernel-curve", alt_text=shown)


def _asking(keys: list[float], values: list[float]) -> alt.Chart:
    """Return the pairs of the one query that the slider moves, with their weights."""
    return mixed(alt.Chart(rows(keys, values)).transform_calculate(x="query"), TAU)


def _place(ends: tuple[int, int], title: str | None) -> alt.X:
    axis = alt.Axis(tickMinStep=1, format="~g")
    return alt.X("x:Q", title=title, scale=alt.Scale(domain=list(ends), nice=False, padding=0),
                 axis=axis)  # fmt: skip


def _estimate(keys: list[float], values: list[float], ends: tuple[int, int]) -> alt.LayerChart:
    """Draw what was measured, the estimate everywhere, and the query with its own."""
    x = _place(ends, None)
    reach = [math.floor(2 * min(values)) / 2, math.ceil(2 * max(values)) / 2]
    y = alt.Y("output:Q", title="height", scale=alt.Scale(domain=reach, nice=False),
              axis=alt.Axis(minExtent=52, maxExtent=52, tickCount=4))  # fmt: skip
    every = mixed(pairs(alt.Chart(grid(*ends, CURVE)), keys, values), TAU).transform_filter(
        "datum.n == 0"
    )
    curve = every.mark_line(color=OUTPUT, strokeWidth=2).encode(x=x, y=y)
    measured = alt.Chart(rows(keys, values)).transform_calculate(
        said="'measured at ' + datum.key + ': ' + datum.value"
    ).mark_point(color=VALUE, filled=True, size=50, opacity=1).encode(
        x="key:Q", y="value:Q", description="said:N"
    )  # fmt: skip
    asking = _asking(keys, values).transform_filter("datum.n == 0").transform_calculate(
        said="'estimate: ' + format(datum.output, '.3f')"
    )  # fmt: skip
    rule = asking.mark_rule(color=QUERY, strokeWidth=2, strokeDash=[5, 4]).encode(x=x)
    dot = asking.mark_point(
        color=OUTPUT, filled=True, size=160, opacity=1, shape="diamond"
    ).encode(x=x, y=y, description="said:N")  # fmt: skip
    drawn: alt.LayerChart = (rule + curve + measured + dot).properties(
        width=270, height=190, title=alt.Title("Measured, and the estimate", frame="bounds")
    )
    return drawn


def _kernel(keys: list[float], values: list[float], ends: tuple[int, int]) -> alt.LayerChart:
    """Draw the kernel around the query: how much each measurement counts beside the nearest."""
    asking = _asking(keys, values).transform_calculate(
        x="datum.key", said="'kernel at ' + datum.key + ': ' + format(datum.e, '.3f')"
    )
    stems = asking.mark_bar(color=OUTPUT, width=4).encode(
        x=_place(ends, "place x"), y=_kernel_axis(), description="said:N"
    )
    rule = alt.Chart(alt.InlineData(values=[{}])).transform_calculate(x="query").mark_rule(
        color=QUERY, strokeWidth=2, strokeDash=[5, 4]
    ).encode(x=_place(ends, "place x"))  # fmt: skip
    drawn: alt.LayerChart = (rule + stems).properties(
        width=270, height=80,
        title=alt.Title("How much each counts, the nearest 1", frame="bounds"),
    )  # fmt: skip
    return drawn


def _kernel_axis() -> alt.Y:
    axis = alt.Axis(values=[0, 1], format="~g", minExtent=52, maxExtent=52)
    return alt.Y("e:Q", title=None, scale=alt.Scale(domain=[0, 1], nice=False), axis=axis)


def _results(keys: list[float], values: list[float]) -> alt.LayerChart | alt.FacetChart:
    """Draw the error on what was measured, the error on what was left out, and how many count."""
    measured = alt.Chart(rows(keys, values)).transform_calculate(x="datum.key", y="datum.value")
    met = pairs(measured, keys, values)
    left_out = met.transform_filter("datum.key != datum.x")
    counted = _asking(keys, values).transform_calculate(square="pow(datum.weight, 2)")
    counted = counted.transform_aggregate(share="sum(square)").transform_calculate(
        share=f"1 / datum.share / {len(keys)}"
    )
    drawn = alt.layer(
        *_bar(_error(met), "error where it was measured", ""),
        *_bar(_error(left_out), "error where one is left out", ""),
        *_bar(counted, "count at the query", f" of {len(keys)}", len(keys)),
    )
    return drawn.properties(width=270, height=alt.Step(44))


def _error(met: alt.Chart) -> alt.Chart:
    """Compute the root of the mean squared error over all places."""
    drawn: alt.Chart = (
        mixed(met, TAU)
        .transform_aggregate(output="mean(output)", y="mean(y)", groupby=["x"])
        .transform_calculate(square="pow(datum.output - datum.y, 2)")
        .transform_aggregate(share="mean(square)")
        .transform_calculate(share="sqrt(datum.share)")
    )
    return drawn


def _bar(base: alt.Chart, name: str, unit: str, whole: int = 1) -> tuple[alt.Chart, alt.Chart]:
    """Draw one bar with its words above it."""
    number = f"format({whole} * datum.share, '{'.1f' if unit else '.2f'}')"
    said = base.transform_calculate(
        name=f"'{name}'",
        said=f"'{name}: ' + format({whole} * datum.share, '.3f')",
        label=f"'{name} ' + {number} + '{unit}'",
    )
    y = alt.Y("name:N", sort=None, title=None, axis=alt.Axis(
        labels=False, ticks=False, domain=False, minExtent=52, maxExtent=52))  # fmt: skip
    axis = alt.Axis(values=[0, 0.5, 1], format="~g")
    x = alt.X("share:Q", title=None, scale=alt.Scale(domain=[0, 1]), axis=axis)
    bar = said.mark_bar(color=OUTPUT, height=16, yOffset=9).encode(x=x, y=y, description="said:N")
    words = said.mark_text(align="left", dy=-10, fontSize=13).encode(
        x=alt.value(0), y=y, text="label:N", color=alt.value(THEME_INK)
    )
    return bar, words
