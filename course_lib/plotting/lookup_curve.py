"""From a hard lookup to a soft one: a temperature, a query, and what every query would get."""

import math
from collections.abc import Sequence

import altair as alt

from course_lib.plotting.colors import OUTPUT, QUERY, VALUE
from course_lib.plotting.live import THEME_INK, LiveFigure, ink, said
from course_lib.plotting.live_mixture import grid, mixed, pairs, rows

__all__ = ["HALVING", "lookup_curve"]

#: At this temperature a unit of squared distance halves the share.
HALVING = 1 / math.log(2)
# The temperature is this times a power of 2; where the slider ends, the lookup is hard, or a mean.
COLDEST, HOTTEST = -7, 10
TAU = f"({HALVING!r} * pow(2, power))"
CURVE = 240  # gaps between the queries of the curve: a step looks like a step


def lookup_curve(keys: Sequence[float], values: Sequence[float], query: float) -> LiveFigure:
    """Let the reader turn the temperature and move the query, and see answers and weights follow.

    Args:
        keys: where the keys stand on a line, in rising order.
        values: the number at least 0 that each key hands over.
        query: where the query stands at the start.

    Returns:
        The figure, with sliders for temperature and query.

    Raises:
        ValueError: if there is not one value for each key.
    """
    if len(keys) != len(values):
        raise ValueError(
            f"each key hands one value over; there are {len(keys)} keys and {len(values)} values"
        )
    low, high = math.floor(min(keys)) - 1, math.ceil(max(keys)) + 1
    power = alt.param(name="power", value=0, bind=alt.binding_range(
        min=COLDEST, max=HOTTEST, step=0.5, name="Temperature "))  # fmt: skip
    asked = alt.param(name="query", value=query, bind=alt.binding_range(
        min=low, max=high, step=0.25, name="Query "))  # fmt: skip
    words = (said("power", f"format({TAU}, '.3~r')"), said("query", "format(query, '.2f')"))
    chart = alt.vconcat(
        _answers(keys, values, (low, high)), _weights(keys, values)
    ).add_params(ink(), power, asked, *words)  # fmt: skip
    shown = "The answer to every query as a curve through the values; bars of the weights."
    return LiveFigure(chart, name="lookup-curve", alt_text=shown)


def _asking(keys: Sequence[float], values: Sequence[float]) -> alt.Chart:
    """Return the pairs of the one query that the slider moves, with their weights."""
    return mixed(alt.Chart(rows(keys, values)).transform_calculate(x="query"), TAU)


def _answers(
    keys: Sequence[float], values: Sequence[float], ends: tuple[float, float]
) -> alt.LayerChart:
    """Draw what every query gets, the pairs of the dictionary, and the query with its answer."""
    top = 1.15 * max(values)
    x = alt.X("x:Q", title="query, key", scale=alt.Scale(domain=list(ends), nice=False),
              axis=alt.Axis(tickMinStep=1, format="~g"))  # fmt: skip
    y = alt.Y("output:Q", title="value", scale=alt.Scale(domain=[0, top], nice=False),
              axis=alt.Axis(minExtent=52, maxExtent=52, tickCount=4))  # fmt: skip
    every = mixed(pairs(alt.Chart(grid(*ends, CURVE)), keys, values), TAU).transform_filter(
        "datum.n == 0"
    )
    curve = every.mark_line(color=OUTPUT, strokeWidth=2).encode(x=x, y=y)
    stored = alt.Chart(rows(keys, values)).transform_calculate(
        said="'key ' + datum.key + ', value: ' + datum.value"
    ).mark_point(color=VALUE, filled=True, size=90, opacity=1).encode(
        x="key:Q", y="value:Q", description="said:N"
    )  # fmt: skip
    asking = _asking(keys, values).transform_filter("datum.n == 0").transform_calculate(
        said="'answer: ' + format(datum.output, '.3f')"
    )  # fmt: skip
    rule = asking.mark_rule(color=QUERY, strokeWidth=2, strokeDash=[5, 4]).encode(x=x)
    dot = asking.mark_point(
        color=OUTPUT, filled=True, size=160, opacity=1, shape="diamond"
    ).encode(x=x, y=y, description="said:N")  # fmt: skip
    drawn: alt.LayerChart = (rule + curve + stored + dot).properties(
        width=270,
        height=200,
        title=alt.Title("What every query gets, at this temperature", frame="bounds"),
    )
    return drawn


def _weights(keys: Sequence[float], values: Sequence[float]) -> alt.LayerChart:
    """Draw the weight of each key, what it adds to the answer, and the answer."""
    names = [f"key {key:g}" for key in keys]
    named = f"{names}[datum.n]"
    asking = _asking(keys, values).transform_calculate(
        name=named,
        said=f"{named} + ', weight: ' + format(datum.weight, '.3f')",
        label="format(datum.weight, '.2f') + ' × ' + datum.value + ' = ' "
        "+ format(datum.part, '.2f')",
    )
    y = alt.Y("name:N", sort=[*names, "answer"], title=None,
              scale=alt.Scale(domain=[*names, "answer"]),
              axis=alt.Axis(minExtent=52, maxExtent=52))  # fmt: skip
    bars = asking.mark_bar(color=OUTPUT).encode(
        x=alt.X("weight:Q", title=None, axis=alt.Axis(values=[0, 0.5, 1], format="~g"),
                scale=alt.Scale(domain=[0, 2.4], nice=False)),
        y=y, description="said:N",
    )  # fmt: skip
    numbers = asking.mark_text(align="right", fontSize=13).encode(
        x=alt.value("width"), y=y, text="label:N", color=alt.value(THEME_INK)
    )
    answer = asking.transform_filter("datum.n == 0").transform_calculate(
        name="'answer'", total="format(datum.output, '.2f')"
    ).mark_text(align="right", fontSize=13).encode(
        x=alt.value("width"), y=y, text="total:N", color=alt.value(THEME_INK)
    )  # fmt: skip
    drawn: alt.LayerChart = (bars + numbers + answer).properties(
        width=270,
        height=alt.Step(24),
        title=alt.Title("Weights of the keys; weight × value", frame="bounds"),
    )
    return drawn
