"""The sentence whose chosen token shows its weights."""

from collections.abc import Sequence

import altair as alt
from jaxtyping import Float
from torch import Tensor

from course_lib.plotting.colors import KEY, ON_PART, OUTPUT, QUERY
from course_lib.plotting.live import THEME_INK, LiveFigure, ink

__all__ = ["attention_explorer"]

# A row is tall enough for a finger (24 CSS pixels: WCAG 2.2, 2.5.8).
ROW = 26
# An axis of weights goes on beyond 1: the number beside the longest bar needs its place too.
ROOM = 1.5


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
        text="token:N",
        color=alt.when(pick).then(alt.value(ON_PART)).otherwise(alt.value(THEME_INK)),
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
        text="key:N", color=alt.value(THEME_INK)
    )
    x = alt.X("weight:Q", axis=None, scale=alt.Scale(domain=[0, ROOM]))
    bars = chosen.transform_calculate(
        said="datum.key + ': ' + format(datum.weight, '.2f')"
    ).mark_bar(color=OUTPUT, cornerRadiusEnd=3).encode(x=x, description="said:N")  # fmt: skip
    numbers = chosen.mark_text(fontSize=13, align="left", dx=4).encode(
        x=x, text=alt.Text("weight:Q", format=".2f"), color=alt.value(THEME_INK)
    )
    return (
        names.properties(width=66, height=height, title=alt.Title("Key", color=KEY)),
        (bars + numbers).properties(width=120, height=height, title="Weight"),
    )
