"""The sizes of random scores under two sliders, and what follows: weights and the output."""

import altair as alt
import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.plotting.colors import MUTED, OUTPUT
from course_lib.plotting.live import THEME_INK, LiveFigure, ink, said
from course_lib.softmax import softmax

__all__ = ["score_histogram"]

# Sizes are counted in bins of half a power of 2, so that a division moves the hill and leaves its
# shape: it is seen at every setting, on axes that stand still. The outermost bins take the rest.
LOW, HIGH = -8, 7
DIVISOR = "format(pow(pow(2, power), exponent), '.3~g')"


def score_histogram(scores: dict[int, Float[Tensor, "T S"]]) -> LiveFigure:
    """Let the reader choose D and the division, and see the scores and the largest weight.

    Every histogram and every mean is computed here, from all of the scores: the page holds the
    results, not the scores. The output's size is its root mean square for values that are
    independent, with mean 0 and variance 1: the root of the sum of the squared weights.

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
    chart = alt.vconcat(_sizes(base), _results(base)).add_params(ink(), power, exponent, *words)
    shown = "A histogram of the sizes of random scores; bars: mean largest weight, output's size."
    return LiveFigure(chart, name="score-histogram", alt_text=shown)


def _divided(scores: Float[Tensor, "T S"]) -> dict[str, object]:
    """Return what the figure shows of one choice: the histogram and what the weights do."""
    halves = (2 * scores.double().cpu().abs().log2()).floor().clamp(2 * LOW, 2 * HIGH - 1)
    steps, count = torch.unique(halves, return_counts=True)
    weights = softmax(scores.double())
    return {
        "low": (steps / 2).tolist(),
        "share": [round(share, 4) for share in (count / scores.numel()).tolist()],
        "weight": round(weights.amax(-1).mean().item(), 4),
        "output": round(weights.square().sum(-1).mean().sqrt().item(), 4),
    }


def _sizes(base: alt.Chart) -> alt.Chart:
    """Draw which share of the scores has which size, on a scale of doublings."""
    sizes = base.transform_flatten(["low", "share"]).transform_calculate(
        high="datum.low + 0.5",
        said="'half powers of 2 from ' + datum.low + ': ' + format(datum.share, '.4f')",
    )
    powers = list(range(LOW, HIGH + 1))
    drawn: alt.Chart = sizes.mark_bar(color=MUTED, binSpacing=0).encode(
        x=alt.X("low:Q", bin="binned", title="size of a score, unsigned",
                axis=alt.Axis(values=powers[2::3], labelExpr=(
                    "datum.value < 0 ? '1/' + pow(2, -datum.value) : '' + pow(2, datum.value)")),
                scale=alt.Scale(domain=[LOW, HIGH], nice=False)),
        x2="high:Q",
        y=alt.Y("share:Q", title="share of scores", scale=alt.Scale(domain=[0, 0.2]),
                axis=alt.Axis(values=[0, 0.1, 0.2], minExtent=52, maxExtent=52)),
        description="said:N",
    ).properties(width=270, height=130, title=alt.Title(alt.expr(
        f"'D = ' + pow(2, power) + ', scores divided by ' + {DIVISOR}"
    )))  # fmt: skip
    return drawn


def _results(base: alt.Chart) -> alt.LayerChart:
    """Draw the mean over the queries of the largest weight, and the size of the output."""
    results = base.transform_fold(["weight", "output"], as_=["what", "size"]).transform_calculate(
        name="datum.what == 'weight' ? 'mean largest weight' : 'size of the output'",
    ).transform_calculate(
        said="datum.name + ': ' + format(datum.size, '.3f')",
        label="datum.name + ' ' + format(datum.size, '.2f')",
    )  # fmt: skip
    y = alt.Y("name:N", title=None, axis=alt.Axis(
        labels=False, ticks=False, domain=False, minExtent=52, maxExtent=52))  # fmt: skip
    x = alt.X(
        "size:Q", title=None, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(values=[0, 0.5, 1])
    )
    bars = results.mark_bar(color=OUTPUT, height=16, yOffset=9).encode(
        x=x, y=y, description="said:N"
    )
    words = results.mark_text(align="left", dy=-10, fontSize=13).encode(
        x=alt.value(0), y=y, text="label:N", color=alt.value(THEME_INK)
    )
    drawn: alt.LayerChart = (bars + words).properties(width=270, height=alt.Step(44))
    return drawn
