"""How much each rotary pair is slowed down, in four ways to stretch a context."""

import altair as alt

from course_lib.plotting.colors import MUTED, OUTPUT
from course_lib.plotting.live import THEME_INK, LiveFigure, enabled, ink, said
from course_lib.sizes import require_positive

__all__ = ["WAYS", "stretched_rotations"]

#: The ways to choose from. Only the last two have a ramp between two numbers of turns.
WAYS = ("interpolation", "NTK", "Llama 3", "YaRN")
FACTOR = "pow(2, power)"
MOST = 6  # the factor ends at 2^6
HAS_RAMP = "(way == 'YaRN' || way == 'Llama 3')"


def stretched_rotations(rotary_dim: int, base: float, context: int) -> LiveFigure:
    """Let the reader choose a way, the factor and the ramp, and see each pair's slowing down.

    It begins as gpt-oss is: YaRN, with a factor of 32, between 1 turn and 32.

    Args:
        rotary_dim: D, the entries that turn; even, above 2.
        base: b of the frequencies; above 1.
        context: L, the tokens of the first training.

    Returns:
        The figure: a choice, and sliders for the factor and the two ends of the ramp.

    Raises:
        ValueError: if rotary_dim is odd or at most 2, base <= 1, or a size no whole number above 0.
    """
    require_positive(rotary_dim=rotary_dim, context=context)
    if rotary_dim % 2 or rotary_dim <= 2 or not base > 1:
        raise ValueError(
            "several pairs turn ever more slowly, so rotary_dim is even and above 2, and base > 1; "
            f"rotary_dim is {rotary_dim} and base is {base}"
        )
    pairs = _pairs(rotary_dim // 2, base, context)
    chart = alt.vconcat(
        _by_pair(pairs, rotary_dim // 2), _results(pairs, rotary_dim // 2)
    ).add_params(ink(), *_controls())
    shown = (
        f"Points: by which factor each of {rotary_dim // 2} pairs is slowed down, on a logarithmic "
        "axis. Bars: pairs kept as they are, pairs slowed down fully, and the factor on the scores."
    )
    return LiveFigure(chart, name="stretched-rotations", alt_text=shown)


def _controls() -> list[alt.Parameter]:
    def slider(name: str, value: int, low: int, high: int, shown: str) -> alt.Parameter:
        bind = alt.binding_range(min=low, max=high, step=1, name=shown)
        return alt.param(name=name, value=value, bind=bind)

    way = alt.binding_select(options=list(WAYS), name="Way ")
    return [
        alt.param(name="way", value="YaRN", bind=way),
        slider("power", 5, 1, MOST, "Factor f "),
        slider("alpha", 1, 1, 8, "Slow below α turns "),
        slider("beta", 32, 9, 64, "Keep above β turns "),
        said("power", f"'' + {FACTOR}"),
        said("alpha", "'' + alpha"),
        said("beta", "'' + beta"),
        enabled("alpha", HAS_RAMP),
        enabled("beta", HAS_RAMP),
    ]


def _pairs(count: int, base: float, context: int) -> alt.Chart:
    """Return a row for each pair: how many times slower it turns."""

    def end(turns: str) -> str:
        return f"{count} * log({context} / (2 * PI * {turns})) / log({base})"

    rows = alt.Chart(alt.InlineData(values=[{"i": i} for i in range(count)]))
    ramp = rows.transform_calculate(
        turns=f"{context} / (2 * PI) * pow({base}, -datum.i / {count})",
        low=f"max(0, {end('beta')})",
        high=f"min({2 * count - 1}, {end('alpha')})",
    )
    slowed = ramp.transform_calculate(
        gamma="way == 'interpolation' ? 1 : way == 'YaRN' ? "
        "clamp((datum.i - datum.low) / (datum.high - datum.low), 0, 1) : "
        "1 - clamp((datum.turns - alpha) / (beta - alpha), 0, 1)"
    ).transform_calculate(
        slower=f"way == 'NTK' ? pow({FACTOR}, datum.i / {count - 1}) : "
        f"1 / (1 - datum.gamma + datum.gamma / {FACTOR})"
    )
    drawn: alt.Chart = slowed.transform_calculate(
        kept="datum.slower < 1.0001 ? 1 : 0", fully=f"datum.slower > 0.9999 * {FACTOR} ? 1 : 0"
    )
    return drawn


def _by_pair(pairs: alt.Chart, count: int) -> alt.LayerChart:
    """Draw how many times slower each pair turns, and where the ramp begins and ends."""
    x = alt.X("i:Q", title="pair i", scale=alt.Scale(domain=[0, count - 1], nice=False),
              axis=alt.Axis(tickMinStep=1))  # fmt: skip
    axis = alt.Axis(values=[2**n for n in range(MOST + 1)], format="~g", minExtent=52, maxExtent=52)
    scale = alt.Scale(type="log", base=2, domain=[1, 2**MOST], nice=False)
    dots = pairs.transform_calculate(
        said="'pair ' + datum.i + ', times slower: ' + format(datum.slower, '.4~r')"
    ).mark_point(filled=True, size=50, opacity=1, color=OUTPUT, clip=False).encode(
        x=x, y=alt.Y("slower:Q", title=None, scale=scale, axis=axis), description="said:N"
    )  # fmt: skip
    ends = pairs.transform_filter(f"datum.i == 0 && {HAS_RAMP}").transform_fold(
        ["low", "high"], as_=["end", "place"]
    ).transform_calculate(
        said="(datum.end == 'low' ? 'ramp begins: ' : 'ramp ends: ') + format(datum.place, '.4f')"
    )  # fmt: skip
    rules = ends.mark_rule(color=MUTED, strokeDash=[5, 4], strokeWidth=2).encode(
        x=alt.X("place:Q", title="pair i", scale=alt.Scale(domain=[0, count - 1], nice=False)),
        description="said:N",
    )  # fmt: skip
    drawn: alt.LayerChart = (rules + dots).properties(
        width=270,
        height=200,
        title=alt.Title("How many times slower each pair turns", frame="bounds"),
    )
    return drawn


def _results(pairs: alt.Chart, count: int) -> alt.LayerChart | alt.FacetChart:
    """Draw how many pairs are kept, how many are slowed down fully, and the factor on scores."""

    def counted(field: str, name: str) -> alt.Chart:
        # Vega-Lite takes two means of one name for the same, and draws the first one twice.
        made: alt.Chart = pairs.transform_aggregate(
            **{f"{field}_share": f"mean({field})"}  # type: ignore[arg-type]
        ).transform_calculate(
            share=f"datum.{field}_share",
            name=f"'{name}'",
            label=f"'{name}: ' + round({count} * datum.{field}_share) + ' of {count}'",
            said=f"'{name}: ' + round({count} * datum.{field}_share)",
        )  # fmt: skip
        return made

    sharper = pairs.transform_filter("datum.i == 0").transform_calculate(
        times=f"way == 'YaRN' ? pow(0.1 * log({FACTOR}) + 1, 2) : 1", name="'scores'"
    ).transform_calculate(
        share="datum.times / 2.5",
        label="'scores times ' + format(datum.times, '.3f')",
        said="'scores times: ' + format(datum.times, '.4f')",
    )  # fmt: skip
    names = ["kept as they are", "slowed down fully", "scores"]
    drawn = alt.layer(
        *_bar(counted("kept", names[0]), names),
        *_bar(counted("fully", names[1]), names),
        *_bar(sharper, names),
    )
    return drawn.properties(width=270, height=alt.Step(44))


def _bar(base: alt.Chart, names: list[str]) -> tuple[alt.Chart, alt.Chart]:
    y = alt.Y("name:N", sort=names, title=None, axis=alt.Axis(
        labels=False, ticks=False, domain=False, minExtent=52, maxExtent=52))  # fmt: skip
    x = alt.X("share:Q", title=None, scale=alt.Scale(domain=[0, 1]), axis=None)
    bar = base.mark_bar(color=OUTPUT, height=16, yOffset=9).encode(x=x, y=y, description="said:N")
    text = base.mark_text(align="left", dy=-10, fontSize=13).encode(
        x=alt.value(0), y=y, text="label:N", color=alt.value(THEME_INK)
    )
    return bar, text
