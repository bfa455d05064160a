"""One token's vector on its way through a block, number by number, wherever the norms stand."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.attention.dot_product import scaled_dot_product_attention
from course_lib.attention.heads import merge_heads, split_heads
from course_lib.layers.activations import silu
from course_lib.layers.norms import rms_norm
from course_lib.masks import causal_mask
from course_lib.plotting.mechanism import Mechanism, mark, words

__all__ = ["MATRICES", "PLACES", "STATIONS", "block_flow", "flow"]

#: Where norms stand: before a half, after it, and after the sum.
PLACES = {
    "pre-norm": (True, False, False),
    "post-norm": (False, False, True),
    "inner norm": (False, True, False),
    "sandwich": (True, True, False),
}
#: What the reader sees, in the order of the data; the second half begins at "reads again".
STATIONS = (
    "x", "reads", "weights", "found", "writes", "adds", "between",
    "reads again", "gate", "up", "product", "writes again", "adds again", "y",
)  # fmt: skip
MATRICES = ("w_q", "w_k", "w_v", "w_o", "w_gate", "w_up", "w_down")
EPS = 1e-6
#: A bar is cut beyond this number; the size beside it is not.
CUT = 2.5
#: Pixels of one, and of a weight of one; between bars; of a bar; of a row.
UNIT, WEIGHT, PITCH, BAR, ROW, TOP = 9, 34, 14, 10, 54, 30


@dataclass(frozen=True, slots=True)
class _Column:
    """Where one half of the block stands, in pixels."""

    left: int
    top: int
    bars: int
    size: int


def flow(
    x: Float[Tensor, "T C"], matrices: Mapping[str, Float[Tensor, "_ _"]], H: int, place: str
) -> dict[str, Float[Tensor, "T _"]]:
    """Carry vectors through a causal block with RMS norms of gain 1, and keep every step.

    Args:
        x: the residual stream.
        matrices: w_q, w_k, w_v, w_o, w_gate, w_up and w_down.
        H: heads.
        place: a key of ``PLACES``.

    Returns:
        What each station holds, one row per token; the weights of all heads side by side.
    """
    before, after, at_sum = PLACES[place]
    found = {"x": x, "reads": _normed(x, is_there=before)}
    query, key, value = (split_heads(found["reads"] @ matrices[f"w_{n}"], H) for n in "qkv")
    output, weights = scaled_dot_product_attention(query, key, value, causal_mask(len(x)))
    found["weights"] = weights.transpose(0, 1).flatten(1)
    found["found"] = merge_heads(output)
    found["writes"] = found["found"] @ matrices["w_o"]
    found["adds"] = _normed(found["writes"], is_there=after)
    found["between"] = _normed(x + found["adds"], is_there=at_sum)
    found["reads again"] = _normed(found["between"], is_there=before)
    found["gate"] = silu(found["reads again"] @ matrices["w_gate"])
    found["up"] = found["reads again"] @ matrices["w_up"]
    found["product"] = found["gate"] * found["up"]
    found["writes again"] = found["product"] @ matrices["w_down"]
    found["adds again"] = _normed(found["writes again"], is_there=after)
    found["y"] = _normed(found["between"] + found["adds again"], is_there=at_sum)
    return found


def _normed(vectors: Tensor, *, is_there: bool) -> Tensor:
    """Apply a norm with gain 1 where there is one."""
    return rms_norm(vectors, torch.ones_like(vectors[0]), EPS) if is_there else vectors


def block_flow(
    tokens: Sequence[str],
    x: Float[Tensor, "T C"],
    matrices: Mapping[str, Float[Tensor, "_ _"]],
    *,
    H: int,
    start: int,
) -> Mechanism:
    """Let the reader move the norms, choose a token, and make the input larger.

    Args:
        tokens: the words.
        x: the residual stream before the block, one row per word.
        matrices: w_q, w_k, w_v, w_o, w_gate, w_up and w_down.
        H: heads.
        start: the word whose vector is shown at first.

    Returns:
        The figure. Its script computes what it shows; the tests compare that with course_lib.

    Raises:
        ValueError: if the words are not as many as the rows of x, or a matrix is missing.
    """
    if len(tokens) != len(x) or set(matrices) != set(MATRICES):
        raise ValueError(
            "block_flow needs a row of x for each token, and seven matrices; "
            f"{len(tokens)} tokens and {len(x)} rows; the matrices are {sorted(matrices)}"
        )
    place = next(iter(PLACES))
    found = {name: rows[start].tolist() for name, rows in flow(x, matrices, H, place).items()}
    shapes = _shapes(x, matrices, H)
    second = TOP + 7 * ROW + 26
    frames = (
        (_Column(0, 0, 168, 328), _Column(360, 0, 528, 688)),
        (_Column(0, 0, 132, 288), _Column(0, second, 132, 288)),
    )
    drawings = [list(_drawn(columns, found, shapes)) for columns in frames]
    sizes = ", ".join(f"{name} {_size(found[name]):.2f}" for name in ("x", "between", "y"))
    return Mechanism(
        kind="block-flow",
        alt_text=(
            f"A block of {len(x)} tokens with {place}: the vector of {tokens[start]} at "
            f"{len(STATIONS)} stations. Sizes of the stream: {sizes}."
        ),
        data={
            "tokens": list(tokens),
            "x": x.tolist(),
            "matrices": {name: matrices[name].tolist() for name in MATRICES},
            "heads": H,
            "start": start,
            "eps": EPS,
            "order": list(PLACES),
            "places": {name: [int(one) for one in there] for name, there in PLACES.items()},
            "unit": UNIT,
            "weight": WEIGHT,
            "cut": CUT,
        },
        wide=drawings[0],
        narrow=drawings[1],
        heights=(TOP + 7 * ROW, second + TOP + 7 * ROW),
    )


def _shapes(x: Tensor, matrices: Mapping[str, Tensor], H: int) -> dict[str, str]:
    """Say how large what each station holds is, in letters and in numbers."""
    T, C = x.shape
    wide, F = matrices["w_q"].shape[1], matrices["w_up"].shape[1]
    stream, heads, inside = f"T×C, {T}×{C}", f"T×HD, {T}×{wide}", f"T×F, {T}×{F}"
    special = {"weights": f"H×T×T, {H}×{T}×{T}", "found": heads}
    special |= dict.fromkeys(("gate", "up", "product"), inside)
    return {name: special.get(name, stream) for name in STATIONS}


def _name_of(station: str, place: str) -> str:
    """Return what a station is called where the norms stand so."""
    before, after, at_sum = PLACES[place]
    names = {
        "reads": "norm" if before else "no norm",
        "adds": "norm" if after else "no norm",
        "between": "norm of the sum" if at_sum else "sum",
        "weights": "weights",
        "found": "heads, merged",
        "writes": "times W_O",
        "gate": "gate, SiLU",
        "product": "gate · up",
    }
    names["y"] = names["between"]
    names["writes again"] = "times W_down"
    return names.get(station, names.get(station.removesuffix(" again"), station))


def _size(vector: Sequence[float]) -> float:
    """Return the root of the mean square."""
    return float((sum(one * one for one in vector) / len(vector)) ** 0.5)


def _drawn(
    columns: tuple[_Column, _Column], found: Mapping[str, list[float]], shapes: Mapping[str, str]
) -> Iterator[str]:
    """Give out all marks of one drawing: seven stations for each half."""
    titles = ("attention", "feed-forward")
    for half, (column, title) in enumerate(zip(columns, titles, strict=True)):
        start: dict[str, Any] = {"text_anchor": "start", "font_weight": "bold"}
        yield words(title, column.left, column.top + 16, **start)
        yield words("size", column.size, column.top + 16, "muted", text_anchor="end", font_size=13)
        for n, name in enumerate(STATIONS[7 * half : 7 * half + 7]):
            yield from _station(column, n, name, found[name], shapes[name])


def _station(
    column: _Column, n: int, name: str, vector: Sequence[float], shape: str
) -> Iterator[str]:
    """Give out one station: its name, its shape, a bar for each number, and the size."""
    top = column.top + TOP + n * ROW
    start: dict[str, Any] = {"text_anchor": "start", "data_station": name}
    is_stream = name in ("x", "between", "y")
    color = "muted" if is_stream else "output"
    if is_stream:
        yield mark("rect", "muted", x=column.left, y=top + 4, width=4, height=ROW - 12, rx=2)
    yield words(_name_of(name, "pre-norm"), column.left + 10, top + 18, part="name",
                font_size=13, **start)  # fmt: skip
    yield words(shape, column.left + 10, top + 36, "muted", font_size=13, text_anchor="start")
    is_weights = name == "weights"
    line = top + ROW - 8 if is_weights else top + ROW / 2 - 2
    yield mark("line", "muted", x1=column.bars, x2=column.bars + PITCH * len(vector) - 4, y1=line,
               y2=line, stroke_width=1)  # fmt: skip
    for i, number in enumerate(vector):
        height = number * WEIGHT if is_weights else max(-CUT, min(CUT, number)) * UNIT
        yield mark("rect", color, x=column.bars + PITCH * i, y=round(line - max(height, 0), 2),
                   width=BAR, height=round(abs(height), 2), part="bar", s=i,
                   data_station=name, data_line=line)  # fmt: skip
    if not is_weights:
        yield words(f"{_size(vector):.2f}", column.size, top + 28, color, part="size",
                    text_anchor="end", data_station=name)  # fmt: skip
