"""A mask whose cells the reader switches, and beside it whose input arrives after L layers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from course_lib.efficient.reach import reach
from course_lib.plotting.mechanism import Mechanism, mark, words

__all__ = ["layers_needed", "mask_switches"]

#: The cells begin here, beneath a title and the numbers of the keys.
TOP = 48
#: A pair that no number of layers joins.
NEVER = -1


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where the two grids stand in a column of one width, in pixels; a finger needs 24 a cell."""

    cell: int
    one: tuple[int, int]
    many: tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Shown:
    """What the figure shows as it starts."""

    reads: list[list[int]]
    needed: list[list[int]]
    layers: int
    query: int


def layers_needed(may_attend: Bool[Tensor, "T T"]) -> Int[Tensor, "T T"]:
    """Return the fewest layers after which each input can change each output.

    Args:
        may_attend: True where query t may read key s, in every layer.

    Returns:
        0 on the diagonal, by the residual; -1 where no number of layers is enough.

    Raises:
        ValueError: if the mask is not square.

    >>> layers_needed(torch.tensor([[True, False], [True, True]]))
    tensor([[ 0, -1],
            [ 1,  0]])
    """
    found = torch.full(may_attend.shape, NEVER)
    for num_layers in range(max(len(may_attend) - 1, 0), -1, -1):
        found[reach(may_attend, num_layers)] = num_layers
    return found


def mask_switches(
    masks: Mapping[str, Bool[Tensor, "T T"]], *, num_layers: int, query: int
) -> Mechanism:
    """Let the reader switch the cells of a mask and see whose input arrives after L layers.

    Args:
        masks: a name for each mask that can be begun with; the first stands there at first. T is
            from 2 to 8, so that a cell is as large as a finger.
        num_layers: L at first, from 1 to T - 1: further than that nothing has to go.
        query: the query whose row is marked at first, from 0.

    Returns:
        The figure. Its script computes what it shows; the tests compare that with course_lib.

    Raises:
        ValueError: if there is no mask, or they are not square of one size from 2 to 8.
    """
    shapes = {tuple(one.shape) for one in masks.values()}
    sizes = sorted({size for shape in shapes for size in shape})
    if len(shapes) != 1 or len(sizes) != 1 or not 2 <= sizes[0] <= 8:
        raise ValueError(
            "mask_switches takes square masks of one size from 2 to 8; "
            f"{len(masks)} came, of the shapes {sorted(shapes)}"
        )
    name, first = next(iter(masks.items()))
    count = sizes[0]
    needed = layers_needed(first)
    one = _Shown(first.int().tolist(), needed.tolist(), num_layers, query)
    arrives = ((needed >= 0) & (needed <= num_layers)).sum().item()
    tall = TOP + count * 31 + 12
    frames = (
        _Frame(34, (34, 0), (34 + 34 * count + 68, 0)),
        _Frame(31, (36, 0), (36, tall)),
    )
    drawings = [list(_drawn(frame, one)) for frame in frames]
    return Mechanism(
        kind="mask-switches",
        alt_text=(
            f"Two grids of {count} queries and {count} keys. In one layer, {name}: "
            f"{int(first.sum())} pairs may read. After {num_layers} layers {arrives} inputs "
            "arrive; each cell says how many layers that takes."
        ),
        data={
            "masks": {name: one.int().tolist() for name, one in masks.items()},
            "names": list(masks),
            "layers": num_layers,
            "query": query,
        },
        wide=drawings[0],
        narrow=drawings[1],
        heights=(TOP + count * 34 + 6, tall + TOP + count * 31 + 6),
    )


def _drawn(frame: _Frame, one: _Shown) -> Iterator[str]:
    """Give out all marks of one drawing."""
    yield f'<g data-cell="{frame.cell}"></g>'
    layers = "1 layer" if one.layers == 1 else f"{one.layers} layers"
    yield from _grid(frame, one, frame.one, "who reads whom in 1 layer", "cell")
    yield from _grid(frame, one, frame.many, f"what arrives after {layers}", "arrives")


def _grid(
    frame: _Frame, one: _Shown, corner: tuple[int, int], title: str, part: str
) -> Iterator[str]:
    """Give out one grid: its title, its numbers, its cells, and a line around the chosen row."""
    (left, top), cell, count = corner, frame.cell, len(one.reads)
    start: dict[str, Any] = {"text_anchor": "start", "font_size": 13}
    yield words(title, left, top + 14, part=f"{part}-title", font_weight="bold", **start)
    for n in range(count):
        yield words(str(n + 1), left + (n + 0.5) * cell, top + TOP - 6, "key", font_size=13)
        line = top + TOP + (n + 0.5) * cell + 5
        yield words(str(n + 1), left - 14, line, "query", font_size=13)
    for t in range(count):
        for s in range(count):
            place = {"data_t": t, "s": s}
            x, y = left + s * cell, top + TOP + t * cell
            needed = one.needed[t][s]
            is_on = bool(one.reads[t][s]) if part == "cell" else 0 <= needed <= one.layers
            yield mark("rect", "output" if is_on else "none", x=x + 1, y=y + 1, width=cell - 2,
                       height=cell - 2, rx=3, stroke="var(--muted)", stroke_width=0.7,
                       pointer_events="all", part=part, **place)  # fmt: skip
            if part == "arrives":
                yield words("" if needed == NEVER else str(needed), x + cell / 2,
                            y + cell / 2 + 5, "on-part" if is_on else "muted",
                            font_size=13, pointer_events="none", part="needed",
                            **place)  # fmt: skip
    yield mark("rect", "none", x=left - 1, y=top + TOP + one.query * cell - 1, width=count * cell
               + 2, height=cell + 2, rx=4, stroke="var(--query)", stroke_width=2.5,
               pointer_events="none", part="row", data_top=top + TOP)  # fmt: skip
