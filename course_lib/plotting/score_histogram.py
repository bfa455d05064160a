"""Scores of random vectors under two sliders: their spread, and the largest weight."""

import altair as alt
import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.plotting.colors import MUTED, OUTPUT
from course_lib.plotting.live import THEME_INK, LiveFigure, ink, said
from course_lib.softmax import softmax

__all__ = ["score_histogram"]

# Scores are counted in bins of this width; those beyond the reach are left out.
BIN, REACH = 0.5, 40
DIVISOR = "format(pow(pow(2, power), exponent), '.3~g')"


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
        x=x, text="label:N", color=alt.value(THEME_INK)
    )
    drawn: alt.LayerChart = (bar + number).properties(width=240, height=40)
    return drawn
