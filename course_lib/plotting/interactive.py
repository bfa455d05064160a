"""The interactive figures of the chapters, drawn from the chapters' own tensors."""

from collections.abc import Sequence

import altair as alt
import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.plotting.colors import KEY, MUTED, ON_PART, OUTPUT, QUERY
from course_lib.plotting.live import LiveFigure, enabled, ink, said
from course_lib.softmax import softmax

__all__ = ["attention_explorer", "score_histogram", "softmax_bars"]

# A row is tall enough for a finger (24 CSS pixels: WCAG 2.2, 2.5.8).
ROW = 26
# An axis of weights goes on beyond 1: the number beside the longest bar needs its place too.
ROOM = 1.5
INK = alt.expr("ink")


def attention_explorer(
    tokens: Sequence[str], weights: Float[Tensor, "T T"], *, start: int | None = None
) -> LiveFigure:
    """Let the reader choose a token and see its weights on all keys.

    The token is chosen by pointing at it, by a tap, or from a list.

    Args:
        tokens: the sentence.
        weights: row t holds the weights of query t.
        start: the position that is chosen at first; None takes "it" where there is one, else 0.

    Returns:
        The figure; its list and its drawing always name the same token.

    Raises:
        ValueError: if weights has not one row and one column for each token.
    """
    if tuple(weights.shape) != (len(tokens), len(tokens)):
        raise ValueError(
            "weights needs one row and one column for each token; "
            f"there are {len(tokens)} tokens and weights has the shape {tuple(weights.shape)}"
        )
    first = start if start is not None else (tokens.index("it") if "it" in tokens else 0)
    labels = [f"{t}: {token}" for t, token in enumerate(tokens)]
    pick = alt.selection_point(
        name="pick", fields=["t"], on="pointerover, click, touchstart", clear=False, toggle=False,
        value=[{"t": first}], empty=False,
        bind=alt.binding_select(
            options=list(range(len(tokens))), labels=labels, name="Query token "),
    )  # fmt: skip
    columns = (_queries(tokens, pick), *_keys(tokens, weights, pick))
    chart = alt.hconcat(*columns, spacing=8).add_params(ink())
    shown = (
        f"Weights of the query {tokens[first]!r} on every key, as bars; the query can be chosen."
    )
    return LiveFigure(chart, name="attention-explorer", alt_text=shown)


def _queries(tokens: Sequence[str], pick: alt.Parameter) -> alt.LayerChart:
    """Draw the sentence to choose from; the chosen token stands in a box."""
    asks = [{"t": t, "token": token} for t, token in enumerate(tokens)]
    base = alt.Chart(alt.InlineData(values=asks)).encode(y=alt.Y("t:O", axis=None))
    boxes = base.mark_rect(cornerRadius=4, cursor="pointer").encode(
        color=alt.when(pick).then(alt.value(QUERY)).otherwise(alt.value("transparent")),
        description=alt.Description("token:N"),
    )
    words = base.mark_text(fontSize=14, align="left", x=6, cursor="pointer").encode(
        text="token:N", color=alt.when(pick).then(alt.value(ON_PART)).otherwise(alt.value(INK))
    )
    drawn: alt.LayerChart = (boxes.add_params(pick) + words).properties(
        width=88, height=alt.Step(ROW), title=alt.Title("Query", color=QUERY)
    )
    return drawn


def _keys(
    tokens: Sequence[str], weights: Float[Tensor, "T T"], pick: alt.Parameter
) -> tuple[alt.Chart, alt.LayerChart]:
    """Draw the sentence once more, and beside each token its weight for the chosen query."""
    rows = [
        {"t": t, "s": s, "key": tokens[s], "weight": round(float(weights[t, s]), 4)}
        for t in range(len(tokens))
        for s in range(len(tokens))
    ]
    height = alt.Step(ROW)
    chosen = alt.Chart(alt.InlineData(values=rows)).transform_filter(pick).encode(
        y=alt.Y("s:O", axis=None)
    )  # fmt: skip
    names = chosen.mark_text(fontSize=14, align="left", x=0).encode(
        text="key:N", color=alt.value(INK)
    )
    x = alt.X("weight:Q", axis=None, scale=alt.Scale(domain=[0, ROOM]))
    bars = chosen.transform_calculate(
        said="datum.key + ': ' + format(datum.weight, '.2f')"
    ).mark_bar(color=OUTPUT, cornerRadiusEnd=3).encode(x=x, description="said:N")  # fmt: skip
    numbers = chosen.mark_text(fontSize=13, align="left", dx=4).encode(
        x=x, text=alt.Text("weight:Q", format=".2f"), color=alt.value(INK)
    )
    return (
        names.properties(width=66, height=height, title=alt.Title("Key", color=KEY)),
        (bars + numbers).properties(width=120, height=height, title="Weight"),
    )


def score_histogram(scores: dict[int, Float[Tensor, "T S"]]) -> LiveFigure:
    """Let the reader choose D and the division, and see the scores and the largest weight.

    Every histogram and every mean is computed here, from all of the scores: the page holds the
    results, not the scores. Scores beyond ±40 are left out of the picture, not of the mean.

    Args:
        scores: for each D, a power of 2, unscaled scores of T queries against S keys.

    Returns:
        The figure, with sliders for D and for the exponent of the division.

    Raises:
        ValueError: if the sizes D are not consecutive powers of 2.
    """
    sizes = sorted(scores)
    powers = [size.bit_length() - 1 for size in sizes]
    if sizes != [2**power for power in range(powers[0], powers[-1] + 1)]:
        raise ValueError(f"the slider needs consecutive powers of 2; the sizes are {sizes}")
    data = [
        _divided(scores[size] / size ** (tenths / 10)) | {"D": size, "tenths": tenths}
        for size in sizes
        for tenths in range(11)
    ]
    power = alt.param(name="power", value=min(6, powers[-1]), bind=alt.binding_range(
        min=powers[0], max=powers[-1], step=1, name="Head dimension D "))  # fmt: skip
    exponent = alt.param(name="exponent", value=0.0, bind=alt.binding_range(
        min=0, max=1, step=0.1, name="Divide by D to the power "))  # fmt: skip
    words = (
        said("power", "'' + pow(2, power)"),
        said("exponent", f"format(exponent, '.1f') + ', that is by ' + {DIVISOR}"),
    )
    base = alt.Chart(alt.InlineData(values=data)).transform_filter(
        "datum.D == pow(2, power) && datum.tenths == round(10 * exponent)"
    )
    chart = alt.vconcat(_spread(base), _largest(base)).add_params(ink(), power, exponent, *words)
    shown = "A histogram of scores of random vectors, and a bar for the mean largest weight."
    return LiveFigure(chart, name="score-histogram", alt_text=shown)


# Scores are counted in bins of this width; those beyond the reach are left out.
BIN, REACH = 0.5, 40
DIVISOR = "format(pow(pow(2, power), exponent), '.3~g')"


def _divided(scores: Float[Tensor, "T S"]) -> dict[str, object]:
    """Return what the figure shows of one choice: the histogram and the mean largest weight."""
    count, edges = torch.histogram(
        scores.double().cpu().flatten(), int(2 * REACH / BIN), range=(-REACH, REACH)
    )
    filled = count.nonzero().flatten()
    return {
        "low": edges[filled].tolist(),
        "share": [round(share, 5) for share in (count[filled] / scores.numel()).tolist()],
        "weight": round(softmax(scores.double()).amax(-1).mean().item(), 4),
    }


def _spread(base: alt.Chart) -> alt.Chart:
    """Draw which share of the scores lies where."""
    spread = base.transform_flatten(["low", "share"]).transform_calculate(
        high=f"datum.low + {BIN}",
        said="'scores from ' + datum.low + ' to ' + datum.high + ': ' + "
             "format(datum.share, '.4f')",
    )  # fmt: skip
    drawn: alt.Chart = spread.mark_bar(color=MUTED, binSpacing=0).encode(
        x=alt.X("low:Q", bin="binned", title="score",
                axis=alt.Axis(values=[-40, -20, 0, 20, 40]),
                scale=alt.Scale(domain=[-REACH, REACH])),
        x2="high:Q",
        # The place of the numbers is kept: the drawing has one size, whatever they are.
        y=alt.Y("share:Q", title="share of scores",
                axis=alt.Axis(tickCount=4, minExtent=52, maxExtent=52, format=".2~g")),
        description="said:N",
    ).properties(width=240, height=150, title=alt.Title(alt.expr(
        f"'D = ' + pow(2, power) + ', scores divided by ' + {DIVISOR}"
    )))  # fmt: skip
    return drawn


def _largest(base: alt.Chart) -> alt.LayerChart:
    """Draw the mean over the queries of the largest weight of each."""
    largest = base.transform_calculate(
        said="'mean largest weight: ' + format(datum.weight, '.3f')",
        label="format(datum.weight, '.2f')",
    )
    x = alt.X(
        "weight:Q", title="mean largest weight", scale=alt.Scale(domain=[0, 1.2]),
        axis=alt.Axis(values=[0, 0.5, 1]),
    )  # fmt: skip
    bar = largest.mark_bar(color=OUTPUT, height=22).encode(x=x, description="said:N")
    number = largest.mark_text(align="left", dx=5, fontSize=14).encode(
        x=x, text="label:N", color=alt.value(INK)
    )
    drawn: alt.LayerChart = (bar + number).properties(width=240, height=40)
    return drawn


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
    last = len(values) - 1
    base = alt.Chart(alt.InlineData(values=data)).transform_calculate(
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
    chart = alt.vconcat(_weights(base, [*labels, "sink"]), _sum(base))
    chart = chart.add_params(ink(), temperature, moved, on, sink, *words)
    shown = (
        "Weights of each key as bars, and their sum; temperature, one score and a sink can move."
    )
    return LiveFigure(chart, name="softmax-bars", alt_text=shown)


def _weights(base: alt.Chart, order: list[str]) -> alt.LayerChart:
    y = alt.Y("key:N", sort=order, title=None)
    x = alt.X("weight:Q", title="weight", scale=alt.Scale(domain=[0, 1.2]),
              axis=alt.Axis(values=[0, 0.5, 1]))  # fmt: skip
    bars = base.mark_bar(cornerRadiusEnd=3).encode(
        x=x, y=y, description="said:N",
        color=alt.when("datum.key == 'sink'").then(alt.value(MUTED)).otherwise(alt.value(OUTPUT)),
    )  # fmt: skip
    numbers = base.mark_text(align="left", dx=4, fontSize=13).encode(
        x=x, y=y, text="label:N", color=alt.value(INK)
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
        text="said:N", description="said:N", color=alt.value(INK)
    ).properties(width=240, height=24)  # fmt: skip
    return drawn
