"""The heads of a layer at one token: what each writes, and what is left when some are silent."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.plotting.mechanism import NARROW, WIDE, Mechanism, mark, number, words

__all__ = ["head_contributions"]

#: The rows begin here, beneath two lines of headings.
TOP = 56


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where things stand in a column of one width, in pixels.

    Attributes:
        row: the height of a row; 24 is the least for a finger (WCAG 2.2, 2.5.8), and the wide
            drawing may be shown 3 % smaller.
        box: the width of a head's box.
        head: what stands in it before the number.
        reads: where the words begin that say whom a head reads.
        numbers: where the numbers of the two columns end.
        bars: where the bars of a column begin, and how far they may reach.
    """

    row: int
    box: int
    head: str
    reads: int
    numbers: tuple[int, int]
    bars: tuple[tuple[int, int], tuple[int, int]]


@dataclass(frozen=True, slots=True)
class _Shown:
    """What the figure shows as it starts, and how far its axes reach.

    Attributes:
        reads: whom each head reads most, in words.
        length: of each head's contribution, and of the bias behind them.
        share: of each of these in the sum.
        whole: the length of the sum.
        reach: the longest length, the lowest and the highest share, over all tokens and choices.
    """

    reads: Sequence[str]
    length: list[float]
    share: list[float]
    whole: float
    reach: tuple[float, float, float]


FRAMES = {
    WIDE: _Frame(27, 66, "head ", 76, (222, 466), ((230, 182), (474, WIDE - 474))),
    NARROW: _Frame(28, 26, "", 31, (150, 228), ((154, 34), (232, NARROW - 232))),
}


def head_contributions(
    tokens: Sequence[str],
    weights: Float[Tensor, "H T T"],
    contributions: Float[Tensor, "H T C"],
    bias: Float[Tensor, " C"],
    *,
    start: int,
) -> Mechanism:
    r"""Let the reader switch heads off, and see what the layer still writes.

    Vectors of many numbers cannot be shown, but their lengths can, and how much of each lies along
    the sum y of all heads and the bias. These shares sum to 1, and one may be negative:

    .. math:: y = \sum_h c_h + b, \qquad \text{share}_h = \frac{c_h \cdot y}{\lVert y \rVert^2}

    All of it follows from the dot products of the contributions, which are what the script gets.

    Args:
        tokens: the sentence, each of whose tokens asks and is read.
        weights: whom each head reads; a row for each query.
        contributions: what each head adds to the layer's output, for each token.
        bias: what the layer adds besides; it belongs to no head.
        start: the position that asks at first.

    Returns:
        The figure. Its script computes what it shows; the tests compare that with course_lib.

    Raises:
        ValueError: if weights and contributions have not a row for each token in each head.
    """
    heads, rows = contributions.shape[:2]
    if tuple(weights.shape) != (heads, rows, rows) or rows != len(tokens):
        raise ValueError(
            "every head has a row of weights and a contribution for each token; tokens are "
            f"{len(tokens)}, weights {tuple(weights.shape)}, "
            f"contributions {tuple(contributions.shape)}"
        )
    parts = torch.cat([contributions.detach(), bias.detach().expand(1, rows, -1)]).double()
    products = torch.einsum("htc,gtc->thg", parts, parts)
    reads = [[_most(tokens, head[t]) for head in weights] for t in range(rows)]
    one = _shown(products, reads, start)
    drawings = [list(_drawn(frame, width, one)) for width, frame in FRAMES.items()]
    upper = torch.triu_indices(heads + 1, heads + 1)
    return Mechanism(
        kind="head-contributions",
        alt_text=(
            f"{heads} heads at {tokens[start]}, each with whom it reads most, how long its "
            f"contribution is, and its share in the sum. The longest is that of head "
            f"{_largest(one.length[:-1])}. All of them and the bias add up to the length "
            f"{one.whole:.2f}."
        ),
        data={
            "tokens": list(tokens),
            "start": start,
            "reads": reads,
            "products": [[round(n, 6) for n in one[*upper].tolist()] for one in products],
        },
        wide=drawings[0],
        narrow=drawings[1],
        heights=tuple(TOP + (heads + 3) * frame.row + 8 for frame in FRAMES.values()),  # type: ignore[arg-type]
    )


def _shown(products: Float[Tensor, "T N N"], reads: Sequence[Sequence[str]], start: int) -> _Shown:
    """Compute what the figure shows at first, and axes that hold for every token and choice."""
    squares, along = products.sum(dim=(1, 2)), products.sum(dim=2)
    lengths = products.diagonal(dim1=1, dim2=2).sqrt()
    shares = along / squares[:, None]
    low, high = shares.clamp(max=0).amin().item(), shares.amax().item()
    return _Shown(
        reads[start], lengths[start].tolist(), shares[start].tolist(), squares[start].sqrt().item(),
        (_longest(products), low, high),
    )  # fmt: skip


def _longest(products: Float[Tensor, "T N N"]) -> float:
    """Return the longest sum that any choice of heads gives at any token; the bias stays on."""
    choices = [[*choice, 1.0] for choice in product((0.0, 1.0), repeat=products.shape[1] - 1)]
    on = torch.tensor(choices, dtype=torch.float64)
    squares = [float((on @ one * on).sum(dim=1).max()) for one in products]
    return math.sqrt(max(squares))


def _most(tokens: Sequence[str], row: Float[Tensor, " T"]) -> str:
    s = int(row.argmax())
    return f"{tokens[s]} {row[s].item():.2f}"


def _largest(lengths: Sequence[float]) -> int:
    return max(range(len(lengths)), key=lengths.__getitem__)


def _drawn(frame: _Frame, width: int, one: _Shown) -> Iterator[str]:
    """Give out all marks of one drawing, after what its script must know of the frame."""
    (_, far), (left, reach) = frame.bars
    longest, low, high = one.reach
    scale = reach / (high - low or 1)
    zero = left - low * scale
    yield f'<g data-zero="{zero:g}" data-share="{scale:g}" data-length="{far / longest:g}"></g>'
    yield from _headings(frame, width)
    bottom = TOP + len(one.length) * frame.row
    yield mark("line", "muted", x1=round(zero, 1), x2=round(zero, 1), y1=TOP, y2=bottom)
    for h in range(len(one.length)):
        yield from _row(frame, one, h, (far / longest, zero, scale))
    yield from _sums(frame, width, one, (bottom, far / longest))


def _headings(frame: _Frame, width: int) -> Iterator[str]:
    """Say what the columns are, in two lines."""
    left = {"text_anchor": "start", "font_size": 12}
    wide = width == WIDE
    for x, color, lines in (
        (frame.reads, "key", ("reads", "most")),
        (frame.bars[0][0] - (0 if wide else 36), "output", ("length of what", "it writes")),
        (frame.bars[1][0] - (0 if wide else 20), "muted", ("share", "in the sum")),
    ):
        for line, text in zip((22, 38), lines, strict=True):
            said = "length" if text == "length of what" and not wide else text
            yield words(said, x, line, color, **left)


def _row(frame: _Frame, one: _Shown, h: int, axes: tuple[float, float, float]) -> Iterator[str]:
    """Give out the marks of one head, or of the bias behind the last."""
    y, (length, zero, share) = TOP + h * frame.row, axes
    line, is_head = y + frame.row / 2 + 5, h < len(one.reads)
    if is_head:
        box = {"x": 0, "y": y + 1, "width": frame.box, "height": frame.row - 2, "rx": 4}
        yield mark("rect", "output", part="box", s=h, **box)
        at = {"part": "name", "s": h}
        yield words(f"{frame.head}{h}", frame.box / 2, line, "on-part", **at)
        told = {
            "part": "reads",
            "s": h,
            "text_anchor": "start",
            "font_size": 13 if frame.head else 12,
        }
        yield words(one.reads[h], frame.reads, line, "key", **told)
    else:
        yield words("bias", 0, line, "muted", text_anchor="start")
    along = one.share[h] * share
    bars = (
        ("length", "output", frame.bars[0][0], one.length[h] * length, one.length[h]),
        ("share", "muted", zero + min(along, 0), abs(along), one.share[h]),
    )
    for (part, color, x, width, shown), end in zip(bars, frame.numbers, strict=True):
        yield mark("rect", color, x=round(x, 2), y=y + 5, width=round(width, 2),
                   height=frame.row - 10, rx=2, part=f"{part}-bar", s=h)  # fmt: skip
        ink: dict[str, Any] = {"part": part, "s": h, "text_anchor": "end", "font_size": 13}
        yield words(_two(shown), end, line, **ink)


def _sums(frame: _Frame, width: int, one: _Shown, axes: tuple[float, float]) -> Iterator[str]:
    """Give out the last rows: how long the sum is now, and how long what is missing in it."""
    bottom, scale = axes
    yield mark("line", "muted", x1=0, x2=width, y1=bottom + 6, y2=bottom + 6)
    left = frame.bars[0][0]
    full = round(left + one.whole * scale, 2)
    yield mark("line", "ink", x1=full, x2=full, y1=bottom + 10, y2=bottom + 2 * frame.row + 6,
               stroke_dasharray="3 3", part="full")  # fmt: skip
    rows = (("sum", "all that is on", one.whole), ("missing", "what is missing", 0.0))
    for n, (part, said, length) in enumerate(rows):
        line = bottom + 8 + n * frame.row + frame.row / 2 + 5
        short = said if width == WIDE else said.removeprefix("what is ")
        yield words(short, 0, line, "output", text_anchor="start", font_weight="bold")
        bar = {"x": left, "y": line - 14, "width": round(length * scale, 2)}
        yield mark("rect", "output" if n == 0 else "muted", **bar, height=frame.row - 10, rx=2,
                   part=f"{part}-bar")  # fmt: skip
        ink = {"part": part, "text_anchor": "end", "font_weight": "bold", "font_size": 13}
        yield words(_two(length), frame.numbers[0], line, "output", **ink)


def _two(value: float) -> str:
    """Return a number with two digits; what rounds to 0 has no sign."""
    return f"{round(value, 2) + 0:.2f}".replace("-", number(-1)[0])
