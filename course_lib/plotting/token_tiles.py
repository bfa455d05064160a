"""A text that the reader types, cut into tokens in the page: pieces, their bytes, their ids."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from course_lib.plotting.mechanism import NARROW, WIDE, Mechanism, mark, words
from course_lib.tokenizer.bpe import BYTE_RANKS, bpe_encode, ranks_from_merges
from course_lib.tokenizer.pre_tokens import gpt2_pre_tokens

__all__ = ["token_tiles"]

#: A byte's place in a tile, what a tile has besides, the least width, the height, in pixels.
BYTE, EDGE, LEAST, TALL = 20, 6, 30, 60
#: Between tiles of one pre-token, between pre-tokens, between lines.
CLOSE, APART, BELOW = 2, 9, 8
#: A row of the counts, and where the tiles begin beneath the three of them.
ROW, TOP = 24, 88
#: So many units of UTF-16 can be typed; each has at most three bytes, and so far bars reach.
LONGEST = 60
_SHOWN = {" ": "␣", "\n": "⏎", "\t": "⇥"}


@dataclass(frozen=True, slots=True)
class _Tile:
    """One token: what it shows, and where it stands."""

    text: str
    token: bytes
    id: int
    x: int
    y: int

    @property
    def width(self) -> int:
        return _width(self.token)


def token_tiles(
    merges: Sequence[tuple[bytes, bytes]], texts: Mapping[str, str], *, start: int
) -> Mechanism:
    """Let the reader type a text and choose how many merges are known, and show its tokens.

    The text is cut by ``gpt2_pre_tokens`` and encoded by ``bpe_encode``, in the page.

    Args:
        merges: in the order in which they were learnt.
        texts: a name for each text that can be begun with, of at most 60 units of UTF-16; the
            first stands there at first.
        start: how many merges are known at first.

    Returns:
        The figure. Its script computes what it shows; the tests compare that with course_lib.

    Raises:
        ValueError: if there is no text, one is too long, or start is more than there are merges.
    """
    lengths = {name: len(text.encode("utf-16-le")) // 2 for name, text in texts.items()}
    if not texts or max(lengths.values()) > LONGEST or not 0 <= start <= len(merges):
        raise ValueError(
            f"token_tiles takes texts of at most {LONGEST} units and a start of at most "
            f"{len(merges)} merges; start is {start}, and the lengths are {lengths}"
        )
    text = next(iter(texts.values()))
    ranks = ranks_from_merges(merges[:start])
    pieces = [_encoded(piece, ranks) for piece in gpt2_pre_tokens(text)]
    counts = (len(text), len(text.encode()), sum(map(len, pieces)))
    drawn, heights = [], []
    for width in (WIDE, NARROW):
        tiles = list(_laid_out(pieces, width))
        drawn.append([*_counts(counts, width), *(one for tile in tiles for one in _drawn(tile))])
        heights.append(max(tile.y for tile in tiles) + TALL + BELOW)
    ids = ranks_from_merges(merges)
    return Mechanism(
        kind="token-tiles",
        alt_text=_said(text, pieces),
        data={
            "bytes": [token[0] for token in BYTE_RANKS],
            "merges": [[ids[left], ids[right]] for left, right in merges],
            "texts": dict(texts),
            "names": list(texts),
            "start": start,
            "longest": LONGEST,
            "shown": _SHOWN,
            "sizes": [BYTE, EDGE, LEAST, TALL, CLOSE, APART, BELOW, TOP],
        },
        wide=drawn[0],
        narrow=drawn[1],
        heights=(heights[0], heights[1]),
    )


def _encoded(piece: str, ranks: Mapping[bytes, int]) -> list[tuple[bytes, int]]:
    tokens = {rank: token for token, rank in ranks.items()}
    return [(tokens[i], i) for i in bpe_encode(piece.encode(), ranks)]


def _width(token: bytes) -> int:
    return max(LEAST, BYTE * len(token) + EDGE)


def _laid_out(pieces: Sequence[Sequence[tuple[bytes, int]]], width: int) -> Iterator[_Tile]:
    """Put tiles side by side, and on a new line where one would not fit."""
    x, y = 0, TOP
    for piece in pieces:
        for token, number in piece:
            if x + _width(token) > width:
                x, y = 0, y + TALL + BELOW
            yield _Tile(_readable(token), token, number, x, y)
            x += _width(token) + CLOSE
        x += APART - CLOSE


def _readable(token: bytes) -> str:
    """Return a token's characters, those without ink as signs; nothing for parts of one."""
    try:
        return "".join(_SHOWN.get(one, one) for one in token.decode())
    except UnicodeDecodeError:
        return ""


def _said(text: str, pieces: Sequence[Sequence[tuple[bytes, int]]]) -> str:
    ids = [number for piece in pieces for _, number in piece]
    return (
        f"{len(text)} characters, {len(text.encode())} bytes, {len(pieces)} pre-tokens, "
        f"{len(ids)} tokens. Ids: {', '.join(map(str, ids))}."
    )


def _counts(counts: tuple[int, int, int], width: int) -> Iterator[str]:
    """Give out the three bars: how long the text is in characters, bytes and tokens."""
    scale = (width - 132) / (3 * LONGEST)
    yield f'<g data-scale="{scale:g}"></g>'
    for n, (name, count) in enumerate(zip(("characters", "bytes", "tokens"), counts, strict=True)):
        line = n * ROW + 17
        ink = "output" if name == "tokens" else "ink"
        left = {"text_anchor": "start", "font_size": 13}
        yield words(name, 0, line, ink, **left)
        bar = {"y": n * ROW + 4, "height": ROW - 8, "rx": 2, "part": f"{name}-bar"}
        color = "output" if name == "tokens" else "muted"
        yield mark("rect", color, x=84, width=round(count * scale, 2), **bar)
        yield words(str(count), round(88 + count * scale, 2), line, ink, part=name, **left)


def _drawn(tile: _Tile) -> Iterator[str]:
    """Give out a tile: a token that a merge made has the stronger colour."""
    color = "output" if len(tile.token) > 1 else "muted"
    yield mark("rect", color, x=tile.x, y=tile.y, width=tile.width, height=TALL, rx=4, part="tile")
    middle = {"font_size": 13}
    places = accumulate(
        [BYTE] * (len(tile.token) - 1), initial=(tile.width - BYTE * len(tile.token)) / 2
    )
    yield words(tile.text, tile.x + tile.width / 2, tile.y + 19, "on-part", part="piece",
                font_weight="bold", **middle)  # fmt: skip
    for byte, place in zip(tile.token, places, strict=True):
        yield words(f"{byte:02x}", tile.x + place + BYTE / 2, tile.y + 36, "on-part", part="byte",
                    font_size=13)  # fmt: skip
    yield words(str(tile.id), tile.x + tile.width / 2, tile.y + 53, "on-part", part="id", **middle)
