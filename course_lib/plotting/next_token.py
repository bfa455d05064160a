"""The next token's weights, moved by a temperature, by top-k and by top-p."""

from collections.abc import Mapping, Sequence

import altair as alt
from jaxtyping import Float
from torch import Tensor

from course_lib.plotting.colors import MUTED, OUTPUT
from course_lib.plotting.live import THEME_INK, LiveFigure, ink, said

__all__ = ["ALL", "SHOWN", "next_token", "readable"]

#: Where the slider of k ends, every token may be drawn; so many have a bar.
ALL = 41
SHOWN = 12
COLDEST, HOTTEST = 0.1, 2.0
_SIGNS = {" ": "␣", "\n": "⏎"}
_IS_CUT = f"(top_k < {ALL} && datum.rank > top_k)"


def next_token(
    logits: Mapping[str, Float[Tensor, " V"]], tokens: Sequence[bytes], start: str
) -> LiveFigure:
    """Let the reader choose a line, a temperature, k and p, and see which tokens are left.

    Args:
        logits: a line -> the logits of its next token.
        tokens: the vocabulary, in the order of the ids.
        start: the line that is shown at first.

    Returns:
        The figure: a choice of the line, and sliders for the temperature, k and p.

    Raises:
        ValueError: if there is not one token for each logit, or no line is called start.
    """
    sizes = {len(row) for row in logits.values()}
    if sizes != {len(tokens)} or start not in logits:
        raise ValueError(
            "each line has a logit for each token, and one of them is shown first; there are "
            f"{len(tokens)} tokens, rows of {sorted(sizes)} logits, and {start!r} is shown"
        )
    rows = [[round(one, 3) for one in row.tolist()] for row in logits.values()]
    base = _weights(len(tokens))
    chart = alt.vconcat(_bars(base), _results(base, len(tokens))).add_params(
        ink(),
        alt.param(name="logits", value=rows),
        alt.param(name="words", value=[readable(token) for token in tokens]),
        alt.param(name="lines", value=list(logits)),
        *_controls(list(logits), start),
    )
    shown = (
        f"Bars: the weights of the {SHOWN} likeliest next tokens, before and after the cut. Three "
        "more: how many tokens are left, their share before, and among how many it hesitates."
    )
    return LiveFigure(chart, name="next-token", alt_text=shown)


def readable(token: bytes) -> str:
    """Write a token as the figure does.

    Args:
        token: its bytes.

    Returns:
        Its characters, those without ink as signs; the bytes of what is a part of one.
    """
    try:
        text = "".join(_SIGNS.get(one, one) for one in token.decode())
    except UnicodeDecodeError:
        return token.hex()
    return text if text.isprintable() else token.hex()


def _controls(lines: Sequence[str], start: str) -> list[alt.Parameter]:
    def slider(
        name: str, shown: str, reach: tuple[float, float, float], value: float
    ) -> alt.Parameter:
        low, high, step = reach
        bind = alt.binding_range(min=low, max=high, step=step, name=shown)
        return alt.param(name=name, value=value, bind=bind)

    line = alt.binding_select(options=list(lines), name="Line ")
    return [
        alt.param(name="line", value=start, bind=line),
        slider("temperature", "Temperature τ ", (COLDEST, HOTTEST, 0.05), 1),
        slider("top_k", "Top k ", (1, ALL, 1), ALL),
        slider("top_p", "Top p ", (0.05, 1, 0.05), 1),
        said("temperature", "format(temperature, '.2f')"),
        said("top_k", f"top_k < {ALL} ? '' + top_k : 'all'"),
        said("top_p", "format(top_p, '.2f')"),
    ]


def _weights(vocab_size: int) -> alt.Chart:
    """Compute ranks and weights in the page: the temperature, then k, then p, then the share."""
    by_rank: list[alt.SortField | dict[str, str]] = [
        alt.SortField("z", order="descending"),
        alt.SortField("n"),
    ]
    drawn: alt.Chart = alt.Chart(alt.sequence(0, vocab_size, as_="n")).transform_calculate(
        z="logits[indexof(lines, line)][datum.n] / temperature"
    ).transform_window(
        rank="row_number()", sort=by_rank
    ).transform_joinaggregate(m="max(z)").transform_calculate(
        e="exp(datum.z - datum.m)"
    ).transform_joinaggregate(every="sum(e)").transform_calculate(
        before="datum.e / datum.every", few=f"{_IS_CUT} ? 0 : datum.e"
    ).transform_joinaggregate(few_sum="sum(few)").transform_calculate(
        share="datum.few / datum.few_sum"
    ).transform_window(
        up_to="sum(share)", sort=[alt.SortField("rank")], frame=[None, 0]
    ).transform_calculate(
        is_left=f"{_IS_CUT} || (top_p < 1 && datum.up_to - datum.share >= top_p) ? 0 : 1"
    ).transform_calculate(
        left_e="datum.is_left * datum.e", left_before="datum.is_left * datum.before"
    ).transform_joinaggregate(left_sum="sum(left_e)").transform_calculate(
        weight="datum.left_e / datum.left_sum"
    ).transform_calculate(
        surprise="datum.weight > 0 ? -datum.weight * log(datum.weight) : 0"
    )  # fmt: skip
    return drawn


def _bars(base: alt.Chart) -> alt.LayerChart:
    """Draw the likeliest tokens: what each weighs, and a line where it stood before the cut."""
    top = base.transform_filter(f"datum.rank <= {SHOWN}").transform_calculate(
        name="words[datum.n]",
        said="words[datum.n] + ', weight: ' + format(datum.weight, '.3f')",
        was="words[datum.n] + ', before the cut: ' + format(datum.before, '.3f')",
        label="datum.is_left ? format(datum.weight, '.2f') : 'cut'",
    )
    y = alt.Y("rank:O", title=None, axis=alt.Axis(
        labels=False, ticks=False, domain=False, minExtent=52, maxExtent=52))  # fmt: skip
    scale = alt.Scale(domain=[0, 1.2], nice=False)
    axis = alt.Axis(values=[0, 0.5, 1], format="~g")
    x = alt.X("weight:Q", title=None, axis=axis, scale=scale)
    bars = top.mark_bar(color=OUTPUT).encode(x=x, y=y, description="said:N")
    ticks = top.mark_tick(color=MUTED, thickness=3, size=20, opacity=1).encode(
        x=alt.X("before:Q", title=None, axis=axis, scale=scale), y=y, description="was:N"
    )
    names = top.mark_text(align="right", dx=-6, fontSize=13).encode(
        x=alt.value(0), y=y, text="name:N", color=alt.value(THEME_INK)
    )
    numbers = top.mark_text(align="right", fontSize=13).encode(
        x=alt.value("width"), y=y, text="label:N", color=alt.value(THEME_INK)
    )
    drawn: alt.LayerChart = (bars + ticks + names + numbers).properties(
        width=270,
        height=alt.Step(24),
        title=alt.Title(f"The {SHOWN} likeliest; lines: before the cut", frame="bounds"),
    )
    return drawn


def _results(base: alt.Chart, vocab_size: int) -> alt.LayerChart | alt.FacetChart:
    """Draw how many tokens are left, what share they had, and among how many it hesitates."""
    sums = base.transform_aggregate(
        left="sum(is_left)", kept="sum(left_before)", entropy="sum(surprise)"
    )
    far = f"log({vocab_size})"
    names = ["left", "share", "hesitates"]
    left = sums.transform_calculate(
        name="'left'", long=f"log(datum.left) / {far}",
        label=f"'left: ' + datum.left + ' of {vocab_size} tokens'",
        said="'tokens left: ' + datum.left",
    )  # fmt: skip
    share = sums.transform_calculate(
        name="'share'", long="datum.kept",
        label="'their share before the cut: ' + format(datum.kept, '.2f')",
        said="'share before the cut: ' + format(datum.kept, '.3f')",
    )  # fmt: skip
    hesitates = sums.transform_calculate(
        name="'hesitates'", long=f"datum.entropy / {far}",
        label="'hesitates among ' + format(exp(datum.entropy), '.1f')",
        said="'hesitates among: ' + format(exp(datum.entropy), '.2f')",
    )  # fmt: skip
    y = alt.Y("name:N", sort=names, title=None, axis=alt.Axis(
        labels=False, ticks=False, domain=False, minExtent=52, maxExtent=52))  # fmt: skip
    x = alt.X("long:Q", title=None, scale=alt.Scale(domain=[0, 1.2], nice=False), axis=None)
    layers = []
    for one in (left, share, hesitates):
        layers += [
            one.mark_bar(color=OUTPUT, height=12, yOffset=9).encode(x=x, y=y, description="said:N"),
            one.mark_text(align="left", dy=-10, fontSize=13).encode(
                x=alt.value(0), y=y, text="label:N", color=alt.value(THEME_INK)
            ),
        ]
    return alt.layer(*layers).properties(width=270, height=alt.Step(42))
