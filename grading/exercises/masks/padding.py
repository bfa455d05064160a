"""padding_mask and combine: no query reads the padding, and what every mask allows is allowed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from typing import Any

import numpy as np

from grading.exercise import Exercise, Inputs, Misconception, Output, Probe
from grading.exercises.shared.recognising import is_right
from grading.late import Tensor, late, torch
from grading.observation.seen import Error

__all__ = ["COMBINE", "PADDING_MASK"]

library = late("course_lib.masks")


def _lengths(name: str, lengths: list[int], S: int, *, edge: bool = False) -> Probe:
    def draw(generator: torch.Generator) -> Inputs:
        return {"lengths": torch.tensor(lengths), "S": S}

    return Probe(name=name, draw=draw, edge=edge, sizes={} if edge else {"B": len(lengths), "S": S})


def _fitted(inputs: Inputs) -> Inputs:
    """Let no length exceed the keys that are left."""
    held = inputs["lengths"]
    return inputs | {"lengths": held.holding(np.minimum(held.numbers, inputs["S"]))}


def _keys(S: int) -> Tensor:
    return torch.arange(S)


def _real(lengths: Tensor, S: int) -> Tensor:
    """Return B S, True where a position is a token."""
    return _keys(S) < lengths[:, None]


def _all_pairs(lengths: Tensor, S: int) -> Tensor:
    real = _real(lengths, S)
    return real[:, :, None] & real[:, None, :]


def _row_by_row(lengths: Tensor, S: int) -> Tensor:
    rows = [[s < length for s in range(S)] for length in lengths.tolist()]
    return torch.tensor(rows).reshape(len(lengths), 1, S)


def _filled(lengths: Tensor, S: int) -> Tensor:
    mask = torch.zeros(len(lengths), 1, S, dtype=torch.bool)
    for row, length in zip(mask, lengths.tolist(), strict=True):
        row[0, :length] = True
    return mask


PADDING_MASK = Exercise(
    name="padding_mask", slug="masks", task="padding", title="A padding mask", kind="implement",
    points=0.5, difficulty=1, importance=3, minutes=15, parameters=("lengths", "S"),
    outputs=(Output(name="may_attend", axes="B 1 S", dtype="bool"),),
    axes={"lengths": "B"}, fitted=_fitted,
    reference=lambda lengths, S: library.padding_mask(lengths, S), equation="eq-padding-mask",
    part="course_lib.masks.padding_mask",
    next_rung="Its axis of size 1 stands for the queries: it fits B T S, whatever T is.",
    probes=(
        _lengths("lengths 3, 1 and 4 of 6", [3, 1, 4], 6),
        _lengths("lengths 5, 2, 7 and 3 of 9", [5, 2, 7, 3], 9),
        _lengths("a sequence without padding, and an empty one", [5, 0], 5),
        _lengths("as many sequences as keys", [2, 3, 1], 3, edge=True),
        _lengths("one sequence of length 1", [1], 2, edge=True),
    ),
    misconceptions=(
        Misconception(code="PAD-INCL", wrong=lambda lengths, S: _keys(S)
                      <= lengths[:, None, None], sentence=(
            "One position too many is allowed. A sequence of length 3 has the positions 0, 1 and "
            "2; position 3 is padding.")),
        Misconception(code="PAD-SHORT", wrong=lambda lengths, S: _keys(S)
                      < lengths[:, None, None] - 1, sentence=(
            "One token too few is allowed: the last one of each sequence is hidden too.")),
        Misconception(code="PAD-LEFT", wrong=lambda lengths, S: _keys(S)
                      >= S - lengths[:, None, None], sentence=(
            "The padding is expected in front. Here it stands behind the tokens, at the positions "
            "from the length on.")),
        Misconception(code="PAD-INV", wrong=lambda lengths, S: _keys(S)
                      >= lengths[:, None, None], sentence=(
            "True stands at the padding. In may_attend, True means that the key may be read; the "
            "key_padding_mask of nn.MultiheadAttention means the opposite.")),
        Misconception(code="PAD-QUERY", wrong=lambda lengths, S: _real(lengths, S)[:, :, None],
                      sentence=(
            "The padding is hidden along the rows, so that queries are forbidden and every "
            "allowed query still reads the padding. What may not be read are keys: the last "
            "axis.")),
        Misconception(code="PAD-BCAST", wrong=lambda lengths, S: _real(lengths, S), sentence=(
            "The mask has two axes, B and S. Beside scores of shape B T S it would be taken for "
            "one mask T × S: sequence b would decide what query t of every sequence reads. Give "
            "the queries an axis of size 1.")),
        Misconception(code="PAD-PAIRS", wrong=_all_pairs, sentence=(
            "The queries of the padding are forbidden too, so the mask is B S S. Their rows would "
            "be empty, and nobody uses what they give: hide the keys alone.")),
        Misconception(code="PAD-LONGEST", wrong=lambda lengths, S: _keys(int(lengths.max()))
                      < lengths[:, None, None], sentence=(
            "The mask ends at the longest sequence. It has one column for each of the S keys.")),
    ),
    alternatives=(
        lambda lengths, S: (torch.arange(S).expand(len(lengths), S) < lengths.unsqueeze(1))
        .unsqueeze(1),
        _row_by_row, _filled,
    ),
)  # fmt: skip


def _masks(name: str) -> Probe:
    """Draw one mask of each shape, more than half of it True."""
    shapes, sizes = DRAWN[name]

    def draw(generator: torch.Generator) -> Inputs:
        drawn = [torch.rand(*shape, generator=generator) > 0.4 for shape in shapes]
        return dict(zip(NAMES, drawn, strict=False))

    return Probe(name=name, draw=draw, sizes=sizes)


#: What the masks of a call are called where an example shows them.
NAMES = ("first", "second", "third")
ALONE, SAME = "one mask alone", "two masks of one shape"


def _stacked(*masks: Tensor) -> Tensor:
    return torch.stack(masks).all(0)


def _in_place(*masks: Tensor) -> Tensor:
    result = masks[0]
    for mask in masks[1:]:
        result &= mask
    return result


def _any(*masks: Tensor) -> Tensor:
    return reduce(torch.logical_or, masks)


def _two(*masks: Tensor) -> Tensor:
    return masks[0] & masks[1]


def _first_two(*masks: Tensor) -> Tensor:
    return reduce(torch.logical_and, masks[:2])


def _ends(*masks: Tensor) -> Tensor:
    return masks[0] & masks[-1]


def _agreeing(*masks: Tensor) -> Tensor:
    return reduce(torch.eq, masks)


def _as_product(*masks: Tensor) -> Tensor:
    total = torch.ones(())
    for mask in masks:
        total = total * mask.to(total.dtype)
    return total == 1


def _none_forbids(*masks: Tensor) -> Tensor:
    return ~reduce(torch.bitwise_or, (~mask for mask in masks))


def _counted(*masks: Tensor) -> Tensor:
    forbidding = torch.zeros((), dtype=torch.int64)
    for mask in masks:
        forbidding = forbidding + (~mask).to(torch.int64)
    return forbidding == 0


#: By the probe's name: the masks' shapes, and what each letter is.
DRAWN: dict[str, tuple[tuple[tuple[int, ...], ...], dict[str, int]]] = {
    SAME: (((4, 6), (4, 6)), {"T": 4, "S": 6}),
    "masks of the shapes (T, S), (B, 1, S) and (B, T, S)": (
        ((4, 6), (3, 1, 6), (3, 4, 6)), {"B": 3, "T": 4, "S": 6}),
    "masks of the shapes (B, 1, S) and (T, S)": (
        ((2, 1, 7), (5, 7)), {"B": 2, "T": 5, "S": 7}),
    "masks of the shapes (B, T, S) and (1, S)": (
        ((3, 2, 4), (1, 4)), {"B": 3, "T": 2, "S": 4}),
    "masks of the shapes (T, 1) and (1, S)": (((5, 1), (1, 3)), {"T": 5, "S": 3}),
    ALONE: (((3, 5),), {"T": 3, "S": 5}),
    "three masks of one shape": (((2, 5),) * 3, {"T": 2, "S": 5}),
}  # fmt: skip


def _is_alike(name: str) -> bool:
    return len(set(DRAWN[name][0])) == 1


def _needs_one_shape(seen: Mapping[str, Any], truth: Mapping[str, Any]) -> bool:
    """Recognise what raises where the shapes differ, there alone, and is right elsewhere."""
    return all(
        is_right(seen[name], truth[name]) if _is_alike(name) else isinstance(seen[name], Error)
        for name in truth
    )


COMBINE = Exercise(
    name="combine", slug="masks", task="combine", title="Several masks at once", kind="implement",
    points=0.5, difficulty=1, importance=3, minutes=10, parameters=NAMES,
    several="masks",
    outputs=(Output(name="may_attend", axes="... T S", dtype="bool"),),
    reference=lambda *masks: library.combine(*masks), equation="eq-combine",
    part="course_lib.masks.combine",
    next_rung="A causal mask and a padding mask give B T S: one mask for each sequence.",
    probes=tuple(map(_masks, DRAWN)), axes=dict.fromkeys(NAMES, "... T S"),
    misconceptions=(
        Misconception(code="PAD-OR", wrong=_any, also=(lambda *masks: sum(masks) > 0,), sentence=(
            "A key is allowed as soon as one mask allows it. Then the padding that one mask hides "
            "is read again through the other. It needs every mask's permission.")),
        Misconception(code="PAD-AGREE", wrong=_agreeing, sentence=(
            "Where two masks agree the result is True, also where both forbid. Both have to be "
            "True.")),
        Misconception(code="PAD-TWO", wrong=_two, also=(_first_two, _ends), sentence=(
            "Two masks are combined, however many there are. One alone is a mask as well, and a "
            "third one may forbid what the others allow.")),
        Misconception(code="PAD-STACK", wrong=_stacked, recognise=_needs_one_shape, sentence=(
            "It fails where the masks have different shapes, as torch.stack does. A padding mask "
            "is B 1 S and a causal one T S: & stretches axes of size 1 by itself.")),
        Misconception(code="PAD-INPLACE", wrong=_in_place, sentence=(
            "The result is written into the first mask, as &= does. That mask is the caller's, "
            "and has no room for a result of a larger shape.")),
    ),
    alternatives=(_as_product, _none_forbids, _counted),
)  # fmt: skip
