"""From scores to weights to the output, moved by a temperature, every score and a sink."""

from collections.abc import Sequence

import altair as alt
import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.plotting.colors import MUTED, OUTPUT
from course_lib.plotting.live import THEME_INK, LiveFigure, enabled, ink, said

__all__ = ["softmax_bars"]

# What the controls reach; the axes are fixed to what follows from it.
COLDEST, HOTTEST, REACH = 0.25, 4.0, 4
OF_KEYS = "datum.key != 'output'"


def softmax_bars(
    scores: Float[Tensor, " S"], values: Float[Tensor, " S"], labels: Sequence[str]
) -> LiveFigure:
    """Let the reader turn temperature, scores and a sink, and see weights and output move.

    Args:
        scores: the scores at the start, from -4 to 4; each has a slider.
        values: a number at least 0 for each key, whose weighted sum is the output.
        labels: a name for each key.

    Returns:
        The figure, with sliders for the temperature, every score and the sink.

    Raises:
        ValueError: if there is not one label and one value for each score.
    """
    if not len(labels) == len(values) == len(scores):
        raise ValueError(
            f"each score needs a label and a value; there are {len(scores)} scores, "
            f"{len(labels)} labels and {len(values)} values"
        )
    sliders = [
        _slider(f"score_{n}", f"Score of {label} ", (-REACH, REACH, 0.1), round(float(score), 3))
        for n, (label, score) in enumerate(zip(labels, torch.as_tensor(scores), strict=True))
    ]
    temperature = _slider("temperature", "Temperature ", (COLDEST, HOTTEST, 0.25), 1.0)
    on = alt.param(name="sink_on", value=False, bind=alt.binding_checkbox(name="With a sink "))
    sink = _slider("sink", "Score of the sink ", (-REACH, REACH, 0.1), 0.0)
    words = (
        said("temperature", "format(temperature, '.2f')"),
        *(said(slider.name, f"format({slider.name}, '.1f')") for slider in sliders),
        said("sink", "sink_on ? format(sink, '.1f') : 'off'"),
        enabled("sink", "sink_on"),
    )
    order = [*labels, "sink"]
    base = _shares(labels, [round(float(value), 3) for value in values])
    chart = alt.vconcat(
        _scores(base, order), _weights(base, order), _output(base, order, float(max(values)))
    ).add_params(ink(), temperature, *sliders, on, sink, *words)
    shown = (
        "Bars in three panels: scores divided by the temperature, weights, weights times values."
    )
    return LiveFigure(chart, name="softmax-bars", alt_text=shown)


def _slider(
    name: str, shown: str, reach: tuple[float, float, float], start: float
) -> alt.Parameter:
    low, high, step = reach
    bind = alt.binding_range(min=low, max=high, step=step, name=shown)
    return alt.param(name=name, value=start, bind=bind)


def _shares(labels: Sequence[str], values: Sequence[float]) -> alt.Chart:
    """Compute the weights in the page, from what the controls say."""
    data = [
        {"order": n, "key": label, "value": value}
        for n, (label, value) in enumerate(zip([*labels, "sink"], [*values, 0.0], strict=True))
    ]
    # The row of the sum: it has no weight of its own.
    data.append({"order": len(data), "key": "output", "value": 0.0})
    chosen = "[" + ", ".join(f"score_{n}" for n in range(len(labels))) + "][datum.order]"
    drawn: alt.Chart = alt.Chart(alt.InlineData(values=data)).transform_calculate(
        sink="datum.key == 'sink'",
        off="datum.key == 'sink' && !sink_on",
    ).transform_calculate(
        # The temperature divides the scores; the sink is a score of its own. Its row is always
        # there, so that the drawing keeps its size.
        z=f"datum.sink ? sink : {chosen} / temperature",
    ).transform_calculate(
        finite="datum.off || datum.key == 'output' ? -MAX_VALUE : datum.z",
        length="datum.off ? 0 : datum.z",
    ).transform_joinaggregate(m="max(finite)").transform_calculate(
        e="exp(datum.finite - datum.m)"
    ).transform_joinaggregate(total="sum(e)").transform_calculate(
        weight="datum.e / datum.total",
        part="datum.e / datum.total * datum.value",
    ).transform_joinaggregate(output="sum(part)").transform_calculate(
        part="datum.key == 'output' ? datum.output : datum.part"
    )  # fmt: skip
    return drawn


def _panel(
    base: alt.Chart, order: Sequence[str], axis: alt.X, words: tuple[str, str, str]
) -> alt.LayerChart:
    """Draw one bar for each key, with its number in a column of its own at the right."""
    title, heard, label = words
    base = base.transform_calculate(said=heard, label=label)
    y = alt.Y("key:N", sort=list(order), title=None, axis=alt.Axis(minExtent=52, maxExtent=52))
    bars = base.mark_bar().encode(
        x=axis, y=y, description="said:N",
        color=alt.when("datum.key == 'sink'").then(alt.value(MUTED)).otherwise(alt.value(OUTPUT)),
    )  # fmt: skip
    numbers = base.mark_text(align="right", fontSize=13).encode(
        x=alt.value("width"), y=y, text="label:N", color=alt.value(THEME_INK)
    )
    drawn: alt.LayerChart = (bars + numbers).properties(
        width=270, height=alt.Step(24), title=alt.Title(alt.expr(title), frame="bounds")
    )
    return drawn


def _scores(base: alt.Chart, order: Sequence[str]) -> alt.LayerChart:
    far = REACH / COLDEST
    axis = alt.X("length:Q", title=None, axis=alt.Axis(values=[-far, -far / 2, 0, far / 2, far]),
                 scale=alt.Scale(domain=[-far, 1.6 * far], nice=False))  # fmt: skip
    return _panel(base.transform_filter(OF_KEYS), order, axis, (
        "'Scores divided by ' + format(temperature, '.2f') + (sink_on ? ', the sink is not' : '')",
        "datum.key + ', score: ' + format(datum.length, '.3f')",
        "datum.off ? 'off' : format(datum.z, '.2f')",
    ))  # fmt: skip


def _weights(base: alt.Chart, order: Sequence[str]) -> alt.LayerChart:
    axis = alt.X("weight:Q", title=None, axis=alt.Axis(values=[0, 0.5, 1]),
                 scale=alt.Scale(domain=[0, 1.3], nice=False))  # fmt: skip
    return _panel(base.transform_filter(OF_KEYS), order, axis, (
        "'Weights' + (sink_on ? '; the keys get less than 1' : ', which sum to 1')",
        "datum.key + ', weight: ' + format(datum.weight, '.3f')",
        "datum.off ? 'off' : format(datum.weight, '.2f')",
    ))  # fmt: skip


def _output(base: alt.Chart, order: Sequence[str], largest: float) -> alt.LayerChart:
    """Draw weight times value for each key, and the sum of them as a last bar."""
    axis = alt.X("part:Q", title=None, axis=alt.Axis(values=[0, largest]),
                 scale=alt.Scale(domain=[0, 2 * largest], nice=False))  # fmt: skip
    return _panel(base, [*order, "output"], axis, (
        "'Weight × value; their sum'",
        "datum.key == 'output' ? 'output: ' + format(datum.part, '.3f') : "
        "datum.key + ', weight times value: ' + format(datum.part, '.3f')",
        "datum.key == 'output' ? format(datum.part, '.2f') : datum.off ? 'off' : "
        "format(datum.weight, '.2f') + ' × ' + datum.value + ' = ' + format(datum.part, '.2f')",
    ))  # fmt: skip
