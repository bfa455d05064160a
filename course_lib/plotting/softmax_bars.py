"""Weights as bars, moved by a temperature, one score and a sink."""

from collections.abc import Sequence
from typing import Any

import altair as alt
import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.plotting.colors import MUTED, OUTPUT
from course_lib.plotting.live import THEME_INK, LiveFigure, enabled, ink, said

__all__ = ["softmax_bars"]


def softmax_bars(scores: Float[Tensor, " S"], labels: Sequence[str]) -> LiveFigure:
    """Let the reader turn temperature, one score and a sink, and see the weights.

    Args:
        scores: the scores at the start; the last one has a slider.
        labels: a name for each key.

    Returns:
        The figure, with sliders for the temperature, the last score and the sink.

    Raises:
        ValueError: if there is not one label for each score.
    """
    if len(labels) != len(scores):
        raise ValueError(
            f"each score needs a label; there are {len(scores)} scores and {len(labels)} labels"
        )
    values = [round(float(score), 3) for score in torch.as_tensor(scores)]
    data = [
        {"order": n, "key": label, "start": value}
        for n, (label, value) in enumerate(zip(labels, values, strict=True))
    ]
    data.append({"order": len(values), "key": "sink", "start": 0.0})
    temperature = alt.param(name="temperature", value=1.0, bind=alt.binding_range(
        min=0.1, max=5, step=0.1, name="Temperature "))  # fmt: skip
    moved = alt.param(name="moved", value=values[-1], bind=alt.binding_range(
        min=-4, max=8, step=0.1, name=f"Score of {labels[-1]} "))  # fmt: skip
    on = alt.param(name="sink_on", value=False, bind=alt.binding_checkbox(name="With a sink "))
    sink = alt.param(name="sink", value=0.0, bind=alt.binding_range(
        min=-4, max=8, step=0.1, name="Sink "))  # fmt: skip
    words = (
        said("temperature", "format(temperature, '.1f')"),
        said("moved", "format(moved, '.1f')"),
        said("sink", "sink_on ? format(sink, '.1f') : 'off'"),
        enabled("sink", "sink_on"),
    )
    base = _shares(data, last=len(values) - 1)
    chart = alt.vconcat(_weights(base, [*labels, "sink"]), _sum(base))
    chart = chart.add_params(ink(), temperature, moved, on, sink, *words)
    shown = (
        "Weights of each key as bars, and their sum; temperature, one score and a sink can move."
    )
    return LiveFigure(chart, name="softmax-bars", alt_text=shown)


def _shares(data: list[dict[str, Any]], last: int) -> alt.Chart:
    """Compute the weights in the page, from what the controls say."""
    drawn: alt.Chart = alt.Chart(alt.InlineData(values=data)).transform_calculate(
        # The temperature divides the scores; the sink is a logit of its own. Its row is always
        # there, so that the drawing keeps its size.
        z="datum.key == 'sink' ? (sink_on ? sink : -MAX_VALUE) : "
          f"(datum.order == {last} ? moved : datum.start) / temperature",
    ).transform_joinaggregate(m="max(z)").transform_calculate(
        e="exp(datum.z - datum.m)"
    ).transform_joinaggregate(total="sum(e)").transform_calculate(
        weight="datum.e / datum.total",
        said="datum.key + ': ' + format(datum.e / datum.total, '.3f')",
        label="datum.key == 'sink' && !sink_on ? 'off' : "
              "format(datum.e / datum.total, '.2f')",
    )  # fmt: skip
    return drawn


def _weights(base: alt.Chart, order: list[str]) -> alt.LayerChart:
    y = alt.Y("key:N", sort=order, title=None)
    x = alt.X("weight:Q", title="weight", scale=alt.Scale(domain=[0, 1.2]),
              axis=alt.Axis(values=[0, 0.5, 1]))  # fmt: skip
    bars = base.mark_bar(cornerRadiusEnd=3).encode(
        x=x, y=y, description="said:N",
        color=alt.when("datum.key == 'sink'").then(alt.value(MUTED)).otherwise(alt.value(OUTPUT)),
    )  # fmt: skip
    numbers = base.mark_text(align="left", dx=4, fontSize=13).encode(
        x=x, y=y, text="label:N", color=alt.value(THEME_INK)
    )
    drawn: alt.LayerChart = (bars + numbers).properties(width=240, height=alt.Step(30))
    return drawn


def _sum(base: alt.Chart) -> alt.Chart:
    """Write what the weights of the keys sum to, without the sink."""
    total = base.transform_filter("datum.key != 'sink'").transform_aggregate(
        sum="sum(weight)"
    ).transform_calculate(
        said="'The weights of the keys sum to ' + format(datum.sum, '.3f')"
    )  # fmt: skip
    drawn: alt.Chart = total.mark_text(align="left", x=0, fontSize=14).encode(
        text="said:N", description="said:N", color=alt.value(THEME_INK)
    ).properties(width=240, height=24)  # fmt: skip
    return drawn
