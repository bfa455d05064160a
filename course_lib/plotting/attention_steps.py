"""One query through the four steps: products, score, weight, value and mean, all at once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.attention.dot_product import scaled_dot_product_attention
from course_lib.plotting.mechanism import Mechanism, mark, number, words

__all__ = ["attention_steps", "steps_by_hand"]

#: The rows of keys begin here; above them stand the headings and the query.
TOP = 96


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where things stand in a column of one width, in pixels.

    On a phone a weight's bar stands below its row of products, or it would be a stub.
    """

    row: int
    below: int
    asks: int
    cell: int
    cells: int
    score: int
    scaled: int
    bar: int
    full: int
    plane: tuple[int, int, int, int]
    sums: tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Shown:
    """What the figure shows as it starts."""

    tokens: Sequence[str]
    features: Sequence[str]
    asks: str
    query: list[float]
    key: list[list[float]]
    value: list[list[float]]
    shares: list[float]
    mean: list[float]


def attention_steps(
    tokens: Sequence[str],
    features: Sequence[str],
    query: Float[Tensor, "T D"],
    key: Float[Tensor, "S D"],
    value: Float[Tensor, "S 2"],
    *,
    start: int,
) -> Mechanism:
    """Let the reader choose who asks, change the question, and see all four steps follow.

    Args:
        tokens: the words, which ask and are read.
        features: what each number of a query or key is about.
        query: what each word asks.
        key: by what each word is found; its numbers are 0 or 1.
        value: what each word hands over: two numbers, a point of a plane, none below 0.
        start: the word that asks at first.

    Returns:
        The figure. Its script computes what it shows; the tests compare that with course_lib.

    Raises:
        ValueError: if the words are not as many as the rows, or the features as the columns.
    """
    sizes = {"tokens": len(tokens), "query": len(query), "key": len(key), "value": len(value)}
    if len(set(sizes.values())) > 1 or not len(features) == query.shape[1] == key.shape[1]:
        raise ValueError(
            "attention_steps needs a row of query, key and value for each token, and a column for "
            f"each feature; rows: {sizes}; {len(features)} features, "
            f"query has {query.shape[1]} columns and key {key.shape[1]}"
        )
    output, weights = scaled_dot_product_attention(query[start : start + 1], key, value)
    one = _Shown(
        tokens, features, tokens[start], query[start].tolist(), key.tolist(), value.tolist(),
        weights[0].tolist(), output[0].tolist(),
    )  # fmt: skip
    told = ", ".join(
        f"{token} {share:.2f}" for token, share in zip(tokens, one.shares, strict=True)
    )
    desk, phone = (TOP + row * len(tokens) for row in (34, 60))
    frames = (
        _Frame(34, 0, 53, 40, 84, 282, 330, 372, 130, (430, desk + 46, 190, 140), (84, desk + 84)),
        _Frame(60, 29, 29, 34, 48, 210, 260, 50, 180, (52, phone + 50, 160, 122), (8, phone + 242)),
    )
    drawings = [list(_drawn(frame, one)) for frame in frames]
    return Mechanism(
        kind="attention-steps",
        alt_text=(
            f"The query of {tokens[start]} meets every key: the products of their numbers add up "
            f"to scores, the scores become weights ({told}), and the mean of the values with these "
            f"weights is ({one.mean[0]:.2f}, {one.mean[1]:.2f})."
        ),
        data={
            "tokens": list(tokens),
            "features": list(features),
            "start": start,
            "query": query.tolist(),
            "key": one.key,
            "value": one.value,
        },
        wide=drawings[0],
        narrow=drawings[1],
        heights=(desk + 222, phone + 270 + 22 * len(tokens)),
    )


def steps_by_hand() -> Mechanism:
    """Return the figure of the book's first calculation by hand: *it* asks three words.

    Returns:
        The figure as the chapter makes it of its own tensors, for pages that run no code.
    """
    query = torch.tensor([[0.0, 0, 0, 0], [0, 0, 0, 0], [2, 2, 0, 0]], dtype=torch.float64)
    key = torch.tensor([[1.0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]], dtype=torch.float64)
    value = torch.tensor([[3.0, 0], [0, 4], [0, 0]], dtype=torch.float64)
    tokens, features = ("animal", "street", "it"), ("noun", "alive", "plural", "verb")
    return attention_steps(tokens, features, query, key, value, start=2)


def _drawn(frame: _Frame, one: _Shown) -> Iterator[str]:
    """Give out all marks of one drawing, after what its script must know of the frame."""
    left, top, width, height = frame.plane
    spans = [max(value[axis] for value in one.value) for axis in (0, 1)]
    yield (
        f'<g data-full="{frame.full}" data-left="{left}" data-bottom="{top + height}" '
        f'data-across="{width / spans[0]:g}" data-up="{height / spans[1]:g}"></g>'
    )
    yield from _headings(frame, one)
    for s in range(len(one.tokens)):
        yield from _row(frame, one, s)
    yield from _plane(frame, one)
    yield from _sums(frame, one)


def _headings(frame: _Frame, one: _Shown) -> Iterator[str]:
    left = {"text_anchor": "start"}
    yield words(one.asks, 0, frame.asks, "query", part="asks", font_weight="bold", **left)
    for d, feature in enumerate(one.features):
        x = frame.cells + d * frame.cell
        yield words(feature, x + frame.cell / 2, 12 if frame.below else 24, "muted", font_size=12)
        yield mark("rect", "query", x=x + 2, y=34, width=frame.cell - 4, height=28, rx=4)
        middle = x + frame.cell / 2
        shown = number(one.query[d])
        yield words(shown, middle, 53, "on-part", part="query", d=d)
    for text, x in (("score", frame.score), (f"÷ √{len(one.features)}", frame.scaled)):
        yield words(text, x, 84, "muted", font_size=12)
    if not frame.below:
        yield words("weight", frame.bar, 84, "output", font_size=12, **left)
    yield words("keys", 0, 84, "key", font_weight="bold", **left)
    yield words("products", frame.cells + 2 * frame.cell, 84, "muted", font_size=12)


def _row(frame: _Frame, one: _Shown, s: int) -> Iterator[str]:
    """Give out the marks of one key: its numbers, its score, its weight."""
    y, query, key = TOP + s * frame.row, one.query, one.key[s]
    line = y + 20
    yield words(one.tokens[s], 0, line, "key", text_anchor="start")
    for d, has in enumerate(key):
        x = frame.cells + d * frame.cell
        box = {"x": x + 2, "y": y, "width": frame.cell - 4, "height": 28, "rx": 4}
        yield mark("rect", "key" if has else "none", stroke="var(--key)", **box)
        ink = "on-part" if has else "ink"
        product = number(query[d] * has)
        yield words(product, x + frame.cell / 2, line, ink, part="product", s=s, d=d)
    score = sum(a * b for a, b in zip(query, key, strict=True))
    yield words(number(score), frame.score, line, part="score", s=s)
    scaled = score / len(key) ** 0.5
    yield words(number(round(scaled, 2)), frame.scaled, line, part="scaled", s=s)
    share = one.shares[s]
    width = round(share * frame.full, 2)
    y, line = y + frame.below, line + frame.below
    if frame.below:
        yield words("weight", 0, line, "output", text_anchor="start", font_size=12)
    yield mark("rect", "output", x=frame.bar, y=y + 4, width=width, height=20, rx=2,
               part="bar", s=s)  # fmt: skip
    place = frame.bar + frame.full + 4
    yield words(f"{share:.2f}", place, line, "output", part="weight", s=s, text_anchor="start")


def _plane(frame: _Frame, one: _Shown) -> Iterator[str]:
    """Give out the values as points, how strongly each pulls, and the mean among them."""
    left, top, width, height = frame.plane
    spans = [max(value[axis] for value in one.value) for axis in (0, 1)]

    def place(point: list[float]) -> tuple[float, float]:
        return left + point[0] / spans[0] * width, top + height - point[1] / spans[1] * height

    x, y = place(one.mean)
    for s, value in enumerate(one.value):
        from_x, from_y = place(value)
        yield mark("line", "output", x1=from_x, y1=from_y, x2=x, y2=y, part="pull", s=s,
                   stroke_width=round(1 + 9 * one.shares[s], 2), stroke_opacity=0.45)  # fmt: skip
    for s, value in enumerate(one.value):
        from_x, from_y = place(value)
        yield mark("circle", "value", cx=from_x, cy=from_y, r=6)
        below = value[1] == 0
        name = f"{one.tokens[s]} ({number(value[0])}, {number(value[1])})"
        yield words(name, from_x, from_y + (22 if below else -12), "value")
    yield mark("circle", "output", cx=round(x, 2), cy=round(y, 2), r=8, part="mean-dot")
    shown = f"({one.mean[0]:.2f}, {one.mean[1]:.2f})"
    yield words(shown, round(x, 2) + 14, round(y, 2) - 8, "output", part="mean-beside",
                text_anchor="start", font_weight="bold")  # fmt: skip


def _sums(frame: _Frame, one: _Shown) -> Iterator[str]:
    """Give out the mean as a sum of shares, line by line."""
    x, y = frame.sums
    left = {"text_anchor": "start"}
    yield words("mean of the values", x, y - 26, "muted", **left)
    for s, value in enumerate(one.value):
        sign = "+ " if s else ""
        yield words(f"{sign}{one.shares[s]:.2f}", x + 52, y + 22 * s, "output", part="share", s=s,
                    text_anchor="end")  # fmt: skip
        shown = f"· ({number(value[0])}, {number(value[1])})"
        yield words(shown, x + 60, y + 22 * s, "value", **left)
        yield words(one.tokens[s], x + 130, y + 22 * s, "muted", **left)
    shown, y = f"= ({one.mean[0]:.2f}, {one.mean[1]:.2f})", y + 22 * len(one.shares) + 6
    yield words(shown, x + 60, y, "output", part="mean", font_weight="bold", **left)
