"""Loss against the size of a model at a fixed budget of FLOPs, by three fits of one law."""

import math
from dataclasses import dataclass

import altair as alt

from course_lib.plotting.colors import MUTED, OUTPUT
from course_lib.plotting.live import THEME_INK, LiveFigure, ink, said

__all__ = ["GAPS", "LARGE", "LAWS", "SMALL", "TOP", "LossLaw", "compute_budget"]


@dataclass(frozen=True, slots=True)
class LossLaw:
    r"""A loss that falls with a model's parameters N and with its training's tokens D.

    .. math:: \mathcal L(N, D) = \mathcal L_\infty + A N^{-\alpha} + B D^{-\beta}

    Attributes:
        floor: what no size and no text takes away, in nats a token.
        a: the factor of the part that parameters take away.
        b: the factor of the part that tokens take away.
        alpha: the exponent of the parameters.
        beta: the exponent of the tokens.
    """

    floor: float
    a: float
    b: float
    alpha: float
    beta: float

    def loss(self, parameters: float, tokens: float) -> float:
        """Return the loss.

        Args:
            parameters: how many the model has, N.
            tokens: how many it reads in training, D.

        Returns:
            The loss that the law foretells, in nats a token.
        """
        first, second = self.a * parameters**-self.alpha, self.b * tokens**-self.beta
        return float(self.floor + first + second)

    def best(self, flops: float) -> float:
        r"""Return the size with the least loss, where parameters and tokens share a budget.

        .. math:: N = \Big(\frac{\alpha A}{\beta B}\Big)^{1/(\alpha+\beta)}
            \Big(\frac{C}{6}\Big)^{\beta/(\alpha+\beta)}

        Args:
            flops: the budget, 6 N D.

        Returns:
            The number of parameters.
        """
        total = self.alpha + self.beta
        ratio = (self.alpha * self.a / (self.beta * self.b)) ** (1 / total)
        return float(ratio * (flops / 6) ** (self.beta / total))


#: Hoffmann et al. 2022, eq. 10, as printed; their exponents with two digits more; and the fit of
#: Besiroglu et al. 2024 to the points of the same paper's figure.
LAWS = {
    "as printed, 2022": LossLaw(1.69, 406.4, 410.7, 0.34, 0.28),
    "two digits more": LossLaw(1.69, 406.4, 410.7, 0.3392, 0.2849),
    "fitted again, 2024": LossLaw(1.8172, 482.01, 2085.43, 0.3478, 0.3658),
}
#: The budget is 10 to these powers; the sizes are too.
LEAST, MOST, STEP = 19, 26, 0.25
SMALL = 7
LARGE = 13
GAPS = 240
TOP = 3.6
AS_POWER = "['10⁷', '10⁹', '10¹¹', '10¹³'][round((log(datum.value) / LN10 - 7) / 2)]"
_LAW = "laws[indexof(names, fit)]"
_BUDGET = "pow(10, power)"


def compute_budget() -> LiveFigure:
    """Let the reader choose a budget and a fit, and see which size of a model would use it best.

    Returns:
        The figure: a slider for the budget, and a choice of the fit.
    """
    power = alt.param(name="power", value=21, bind=alt.binding_range(
        min=LEAST, max=MOST, step=STEP, name="Budget in FLOPs "))  # fmt: skip
    names = list(LAWS)
    fit = alt.param(name="fit", value=names[0], bind=alt.binding_select(
        options=names, name="Fit "))  # fmt: skip
    numbers = [[law.floor, law.a, law.b, law.alpha, law.beta] for law in LAWS.values()]
    chart = alt.vconcat(_curve(), _results()).add_params(
        ink(),
        alt.param(name="laws", value=numbers),
        alt.param(name="names", value=names),
        power,
        fit,
        said("power", "'10^' + format(power, '.2f')"),
    )
    shown = (
        "A curve: the loss over the size of a model at a fixed budget, with its lowest point. "
        "Below it four numbers: that size, its tokens, their quotient and the loss."
    )
    return LiveFigure(chart, name="compute-budget", alt_text=shown)


def _loss(size: str) -> str:
    tokens = f"({_BUDGET} / 6 / {size})"
    return (
        f"{_LAW}[0] + {_LAW}[1] * pow({size}, -{_LAW}[3]) + {_LAW}[2] * pow({tokens}, -{_LAW}[4])"
    )


def _best() -> alt.Chart:
    """Return one row: the size with the least loss, its tokens, and the loss."""
    total = f"({_LAW}[3] + {_LAW}[4])"
    ratio = f"pow({_LAW}[3] * {_LAW}[1] / ({_LAW}[4] * {_LAW}[2]), 1 / {total})"
    drawn: alt.Chart = alt.Chart(alt.sequence(0, 1, as_="n")).transform_calculate(
        size=f"{ratio} * pow({_BUDGET} / 6, {_LAW}[4] / {total})"
    ).transform_calculate(
        tokens=f"{_BUDGET} / 6 / datum.size", loss=_loss("datum.size")
    )  # fmt: skip
    return drawn


def _curve() -> alt.LayerChart:
    x = alt.X("size:Q", title="parameters", scale=alt.Scale(
        type="log", domain=[10**SMALL, 10**LARGE], nice=False), axis=alt.Axis(
        values=[1e7, 1e9, 1e11, 1e13], labelExpr=AS_POWER))  # fmt: skip
    y = alt.Y("loss:Q", title="loss, nats a token", scale=alt.Scale(
        domain=[1.6, TOP], nice=False), axis=alt.Axis(
        minExtent=52, maxExtent=52, tickCount=4, format="~g"))  # fmt: skip
    step = (LARGE - SMALL) / GAPS
    line = alt.Chart(alt.sequence(0, GAPS + 1, as_="n")).transform_calculate(
        size=f"pow(10, {SMALL} + {step} * datum.n)"
    ).transform_calculate(loss=_loss("datum.size")).transform_filter(
        f"datum.loss <= {TOP}"
    ).mark_line(color=MUTED, strokeWidth=2).encode(x=x, y=y)  # fmt: skip
    dot = _best().transform_calculate(
        said="'lowest loss: ' + format(datum.loss, '.3f')"
    ).mark_point(color=OUTPUT, filled=True, size=140, opacity=1).encode(
        x=x, y=y, description="said:N"
    )  # fmt: skip
    title = alt.Title("The same budget, spent on models of all sizes", frame="bounds")
    drawn: alt.LayerChart = (line + dot).properties(width=270, height=200, title=title)
    return drawn


def _results() -> alt.LayerChart | alt.FacetChart:
    names = ["size", "tokens", "quotient"]
    reach = (math.log10(0.5), math.log10(2e3))
    low = {"size": SMALL, "tokens": 8}
    long = {
        "size": f"(log(datum.size) / LN10 - {low['size']}) / {LARGE - SMALL}",
        "tokens": f"(log(datum.tokens) / LN10 - {low['tokens']}) / 8",
        "quotient": f"(log(datum.tokens / datum.size) / LN10 - {reach[0]:.4f}) / "
        f"{reach[1] - reach[0]:.4f}",
    }
    words = {
        "size": "'parameters: ' + format(datum.size, '.3~s')",
        "tokens": "'tokens: ' + format(datum.tokens, '.3~s')",
        "quotient": "'tokens per parameter: ' + format(datum.tokens / datum.size, '.1f')",
    }
    y = alt.Y("name:N", sort=names, title=None, axis=alt.Axis(
        labels=False, ticks=False, domain=False, minExtent=52, maxExtent=52))  # fmt: skip
    x = alt.X("long:Q", title=None, scale=alt.Scale(domain=[0, 1], nice=False), axis=None)
    layers = []
    for name in names:
        row = _best().transform_calculate(
            name=f"'{name}'", long=long[name], label=words[name], said=words[name]
        )
        layers += [
            row.mark_bar(color=OUTPUT, height=12, yOffset=9).encode(x=x, y=y, description="said:N"),
            row.mark_text(align="left", dy=-10, fontSize=13).encode(
                x=alt.value(0), y=y, text="label:N", color=alt.value(THEME_INK)
            ),
        ]
    return alt.layer(*layers).properties(width=270, height=alt.Step(42))
