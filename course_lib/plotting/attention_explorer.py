"""A sentence whose chosen token asks: its scores, its weights, and what comes out of the values."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.attention.dot_product import scaled_dot_product_attention
from course_lib.plotting.mechanism import NARROW, WIDE, Mechanism, mark, words

__all__ = ["attention_explorer"]

#: The rows begin here, beneath two lines of headings.
TOP = 56


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where things stand in a column of one width, in pixels.

    Attributes:
        row: the height of a row; 24 is the least for a finger (WCAG 2.2, 2.5.8), and the wide
            drawing may be shown 3 % smaller.
        name: the width of a token's box.
        numbers: where the numbers of the three columns end, from left to right.
        bars: where the bars of a column begin, and how long the longest is.
    """

    row: int
    name: int
    numbers: tuple[int, int, int]
    bars: tuple[tuple[int, int], tuple[int, int], tuple[int, int]]


@dataclass(frozen=True, slots=True)
class _Shown:
    """What the figure shows as it starts, and how far its axes reach."""

    tokens: Sequence[str]
    start: int
    score: list[float]
    weight: list[float]
    part: list[float]
    length: float
    lowest: float
    highest: float
    longest: float


FRAMES = {
    WIDE: _Frame(27, 84, (142, 346, 544), ((152, 136), (356, 130), (554, WIDE - 554))),
    NARROW: _Frame(28, 60, (96, 160, 229), ((100, 28), (164, 34), (233, NARROW - 233))),
}


def attention_explorer(
    tokens: Sequence[str],
    query: Float[Tensor, "T D"],
    key: Float[Tensor, "S D"],
    value: Float[Tensor, "S Dv"],
    *,
    start: int | None = None,
) -> Mechanism:
    r"""Let the reader choose who asks, and see scores, weights and what comes out.

    A value of many numbers cannot be shown as it is, but how much of it arrives can: its length
    times its weight. The last row is the length of the sum of all these vectors, the output. It
    is at most the sum of their lengths, and less where they point in different directions:

    .. math:: \lVert o_t \rVert \le \sum_s p_{ts} \lVert v_s \rVert

    Args:
        tokens: the sentence, each of whose tokens asks and is read.
        query: what each token asks.
        key: by what each token is found.
        value: what each token hands over.
        start: the position that asks at first; None takes "it" where there is one, else 0.

    Returns:
        The figure. Its script computes what it shows; the tests compare that with course_lib.

    Raises:
        ValueError: if query, key or value has not one row for each token.
    """
    sizes = {"tokens": len(tokens), "query": len(query), "key": len(key), "value": len(value)}
    if len(set(sizes.values())) > 1:
        raise ValueError(
            "attention_explorer needs a row of query, key and value for each token; "
            f"rows: {', '.join(f'{name} {rows}' for name, rows in sizes.items())}"
        )
    first = start if start is not None else (tokens.index("it") if "it" in tokens else 0)
    one = _shown(tokens, first, *(part.detach().double() for part in (query, key, value)))
    drawings = [list(_drawn(frame, width, one)) for width, frame in FRAMES.items()]
    scores = (query.double() @ key.double().T / query.shape[1] ** 0.5).tolist()
    return Mechanism(
        kind="attention-explorer",
        alt_text=(
            f"{tokens[first]} asks every token. Three columns of bars: the scores; the weights, "
            f"most of them {_most(tokens, one.weight)}; and weight times the length of the value, "
            f"most of it {_most(tokens, one.part)}. The output's length is {one.length:.2f}."
        ),
        data={
            "tokens": list(tokens),
            "start": first,
            "score": [[round(score, 4) for score in row] for row in scores],
            "value": [[round(number, 4) for number in row] for row in value.double().tolist()],
            "reach": [one.lowest, one.highest, one.longest],
        },
        wide=drawings[0],
        narrow=drawings[1],
        heights=tuple(TOP + (len(tokens) + 2) * frame.row for frame in FRAMES.values()),  # type: ignore[arg-type]
    )


def _shown(
    tokens: Sequence[str],
    start: int,
    query: Float[Tensor, "T D"],
    key: Float[Tensor, "T D"],
    value: Float[Tensor, "T Dv"],
) -> _Shown:
    """Compute what the figure shows at first, and its axes: they hold for every query."""
    output, weights = scaled_dot_product_attention(query, key, value)
    scores = query @ key.T / query.shape[1] ** 0.5
    parts, lengths = weights * value.norm(dim=-1), output.norm(dim=-1)
    longest = torch.cat([parts.amax(dim=-1), lengths]).max()
    return _Shown(
        tokens, start, scores[start].tolist(), weights[start].tolist(), parts[start].tolist(),
        lengths[start].item(), round(min(scores.min().item(), 0), 4),
        round(max(scores.max().item(), 0), 4), round(longest.item(), 4),
    )  # fmt: skip


def _most(tokens: Sequence[str], numbers: Sequence[float]) -> str:
    """Name the two tokens that have most."""
    order = sorted(range(len(tokens)), key=lambda s: -numbers[s])[:2]
    return " and ".join(f"{tokens[s]} {numbers[s]:.2f}" for s in order)


def _drawn(frame: _Frame, width: int, one: _Shown) -> Iterator[str]:
    """Give out all marks of one drawing, after what its script must know of the frame."""
    (score, reach), (_, whole), (_, far) = frame.bars
    scale = reach / (one.highest - one.lowest or 1)
    zero = score - one.lowest * scale
    yield (
        f'<g data-zero="{zero:g}" data-score="{scale:g}" data-weight="{whole}" '
        f'data-part="{far / (one.longest or 1):g}"></g>'
    )
    yield from _headings(frame, width)
    bottom = TOP + len(one.tokens) * frame.row
    yield mark("line", "muted", x1=round(zero, 1), x2=round(zero, 1), y1=TOP, y2=bottom)
    for s in range(len(one.tokens)):
        yield from _row(frame, one, s, (zero, scale))
    yield from _sum(frame, width, one, bottom)


def _headings(frame: _Frame, width: int) -> Iterator[str]:
    """Say what the columns are; a phone has two lines for it."""
    left = {"text_anchor": "start", "font_size": 12}
    yield words("keys", 4, 38, "key", text_anchor="start", font_weight="bold")
    for x, color, lines in (
        (frame.bars[0][0], "muted", ("score", "q · k ÷ √D")),
        (frame.bars[1][0], "output", ("weight", "")),
        (frame.bars[2][0], "value", ("weight ×", "length of v")),
    ):
        at = x if width == WIDE else x - 28
        for line, text in zip((22, 38), lines, strict=True):
            if text:
                yield words(text, at, line, color, **left)


def _row(frame: _Frame, one: _Shown, s: int, axis: tuple[float, float]) -> Iterator[str]:
    """Give out the marks of one token: its name, its score, its weight, what it brings."""
    y, (zero, scale) = TOP + s * frame.row, axis
    line, asks = y + frame.row / 2 + 5, s == one.start
    box = {"x": 0, "y": y + 1, "width": frame.name, "height": frame.row - 2, "rx": 4}
    yield mark("rect", "query" if asks else "none", part="box", s=s, **box)
    name = {"part": "name", "s": s, "text_anchor": "start"}
    yield words(one.tokens[s], 4, line, "on-part" if asks else "key", **name)
    length = one.score[s] * scale
    bars = (
        ("score", "muted", zero + min(length, 0), abs(length), one.score[s]),
        ("weight", "output", frame.bars[1][0], one.weight[s] * frame.bars[1][1], one.weight[s]),
        ("part", "value", frame.bars[2][0],
         one.part[s] * frame.bars[2][1] / (one.longest or 1), one.part[s]),
    )  # fmt: skip
    for (part, color, x, width, shown), end in zip(bars, frame.numbers, strict=True):
        yield mark("rect", color, x=round(x, 2), y=y + 5, width=round(width, 2),
                   height=frame.row - 10, rx=2, part=f"{part}-bar", s=s)  # fmt: skip
        ink: dict[str, Any] = {"part": part, "s": s, "text_anchor": "end", "font_size": 13}
        yield words(f"{shown:.{1 if part == 'score' else 2}f}".replace("-", "−"), end, line, **ink)


def _sum(frame: _Frame, width: int, one: _Shown, bottom: int) -> Iterator[str]:
    """Give out the last row: how long the sum of all these vectors is."""
    line = bottom + frame.row + 8
    yield mark("line", "muted", x1=0, x2=width, y1=bottom + 8, y2=bottom + 8)
    said = "their sum, the output, has the length" if width == WIDE else "length of the output"
    yield words(said, frame.numbers[2] - 44, line, "output", text_anchor="end")
    left, far = frame.bars[2]
    yield mark("rect", "output", x=left, y=line - 14, width=round(one.length * far / (
        one.longest or 1), 2), height=frame.row - 10, rx=2, part="length-bar")  # fmt: skip
    ink = {"part": "length", "text_anchor": "end", "font_weight": "bold", "font_size": 13}
    yield words(f"{one.length:.2f}", frame.numbers[2], line, "output", **ink)
