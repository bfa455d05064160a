"""A query and a key as hands of four clocks, turned by their positions; the score adds them up."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.plotting.mechanism import Mechanism, mark, words
from course_lib.positions.rope import rotate

__all__ = ["FARTHEST", "SIGNS", "pair_products", "rotated_pairs"]

#: The sliders of the two positions end here; "both later" ends at twice as much.
FARTHEST = 24
#: How the query and the key turn.
SIGNS = {"both +θ": (1, 1), "both −θ": (-1, -1), "query +θ, key −θ": (1, -1)}


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where things stand in a column of one width, in pixels."""

    columns: int
    across: int
    down: int
    radius: int
    left: int
    score: tuple[int, int, int]


def pair_products(
    inv_freq: Float[Tensor, " _"], query_at: int, key_at: int, sign: tuple[int, int] = (1, 1)
) -> Float[Tensor, " _"]:
    """Return what each pair adds to the score of a query and a key that are alike.

    Unturned, both have the pair (1, 0) throughout.

    Args:
        inv_freq: radians per position, one per pair.
        query_at: where the query stands.
        key_at: where the key stands.
        sign: which way the query turns, and which way the key.

    Returns:
        One product per pair; the cosine of the angle between the hands.

    >>> pair_products(torch.tensor([torch.pi]), 3, 2)
    tensor([-1.])
    """
    pairs = len(inv_freq)
    row = torch.cat([torch.ones(1, pairs), torch.zeros(1, pairs)], dim=1).to(inv_freq)
    turned = [
        rotate(row, torch.tensor([at]), way * inv_freq)
        for at, way in zip((query_at, key_at), sign, strict=True)
    ]
    return (turned[0] * turned[1])[0].view(2, pairs).sum(0)


def rotated_pairs(inv_freq: Float[Tensor, " 4"], *, query_at: int, key_at: int) -> Mechanism:
    """Let the reader move a query and a key, and both together, and see hands and score.

    Args:
        inv_freq: radians per position of the four pairs.
        query_at: where the query stands at first, from 0 to FARTHEST.
        key_at: where the key stands at first.

    Returns:
        The figure. Its script computes what it shows; the tests compare that with course_lib.

    Raises:
        ValueError: if there are not four pairs, or a position lies outside the sliders.
    """
    if len(inv_freq) != 4 or not 0 <= min(query_at, key_at) <= max(query_at, key_at) <= FARTHEST:
        raise ValueError(
            f"rotated_pairs has four clocks and positions from 0 to {FARTHEST}; "
            f"{len(inv_freq)} pairs came, the query at {query_at} and the key at {key_at}"
        )
    theta = inv_freq.tolist()
    products = pair_products(inv_freq.double(), query_at, key_at).tolist()
    frames = (
        _Frame(4, 172, 206, 62, 86, (344, 260, 258)),
        _Frame(2, 144, 194, 56, 72, (144, 442, 128)),
    )
    drawings = [list(_drawn(frame, theta, (query_at, key_at), products)) for frame in frames]
    told = ", ".join(f"{one:.2f}" for one in products).replace("-", "−")
    return Mechanism(
        kind="rotated-pairs",
        alt_text=(
            f"Four clocks with two hands each, a query at position {query_at} and a key at "
            f"position {key_at}. The pairs add {told} to the score, {_signed(sum(products))}."
        ),
        data={"theta": theta, "query": query_at, "key": key_at, "farthest": FARTHEST,
              "signs": [[name, *sign] for name, sign in SIGNS.items()]},
        wide=drawings[0],
        narrow=drawings[1],
        heights=(300, 482),
    )  # fmt: skip


def _drawn(
    frame: _Frame, theta: Sequence[float], at: tuple[int, int], products: Sequence[float]
) -> Iterator[str]:
    """Give out all marks of one drawing, after what its script must know of the frame."""
    middle, y, half = frame.score
    yield words("thin: the query", middle - 8, 16, "query", text_anchor="end", font_weight="bold")
    yield words("thick: the key", middle + 8, 16, "key", text_anchor="start", font_weight="bold")
    yield f'<g data-radius="{frame.radius}" data-middle="{middle}" data-half="{half}"></g>'
    for i, angle in enumerate(theta):
        across, down = i % frame.columns, i // frame.columns
        x, top = frame.left + across * frame.across, down * frame.down
        yield from _clock(frame, i, angle, (x, top + 118), at)
        yield words("adds ", x - 2, top + 210, "muted", text_anchor="end")
        yield words(_signed(products[i]), x + 2, top + 210, "output", part="product", s=i,
                    text_anchor="start", font_weight="bold")  # fmt: skip
    score = sum(products)
    yield words("score", middle - half, y - 8, "output", text_anchor="start")
    yield words(_signed(score), middle + half, y - 8, "output", part="score",
                text_anchor="end", font_weight="bold")  # fmt: skip
    yield mark("line", "muted", x1=middle - half, y1=y + 11, x2=middle + half, y2=y + 11)
    long = score / 4 * half
    yield mark("rect", "output", x=round(middle + min(long, 0), 2), y=y, height=22,
               width=round(abs(long), 2), part="score-bar")  # fmt: skip
    yield mark("line", "ink", x1=middle, y1=y - 4, x2=middle, y2=y + 26)


def _clock(
    frame: _Frame, i: int, angle: float, centre: tuple[int, int], at: tuple[int, int]
) -> Iterator[str]:
    """Give out one clock: its rim, its name, and the two hands."""
    x, y = centre
    yield words(f"pair {i}: θ = {angle:.3g}", x, y - frame.radius - 12, "ink", font_size=13)
    yield mark("circle", "none", cx=x, cy=y, r=frame.radius, stroke="var(--muted)")
    for name, where, width in (("key", at[1], 9), ("query", at[0], 4)):
        turn = torch.tensor(where * angle, dtype=torch.float64)
        tip_x = round(x + frame.radius * turn.cos().item(), 2)
        tip_y = round(y - frame.radius * turn.sin().item(), 2)
        yield mark("line", name, x1=x, y1=y, x2=tip_x, y2=tip_y, stroke_width=width,
                   stroke_linecap="round", part=f"{name}-hand", s=i)  # fmt: skip


def _signed(value: float) -> str:
    """Two digits after the point, the minus of full length, and no minus before a zero."""
    return f"{round(value, 2) + 0:.2f}".replace("-", "−")
