"""split_heads and merge_heads: views of one row, and the reshapes that only have their shape."""

from __future__ import annotations

from typing import Any

from grading.exercise import Exercise, Misconception, Output, Probe
from grading.exercises.multi_head_attention.fitting import whole_heads
from grading.exercises.shared.drawing import normal
from grading.late import Tensor, late, torch

__all__ = ["MERGE_HEADS", "SPLIT_HEADS"]

library = late("course_lib.attention.heads")


def _x(T: int, H: int, D: int, *leading: int) -> Any:
    return lambda generator: {"x": normal(generator, *leading, T, H * D), "H": H}


def _cut(x: Tensor, H: int) -> Any:
    return x.reshape(*x.shape[:-1], H, x.shape[-1] // H)


def _viewed(x: Tensor, H: int) -> Any:
    return x.reshape(*x.shape[:-2], H, x.shape[-2], x.shape[-1] // H)


def _interleaved(x: Tensor, H: int) -> Any:
    return x.reshape(*x.shape[:-1], x.shape[-1] // H, H).movedim(-1, -3)


def _size_for_number(x: Tensor, H: int) -> Any:
    return x.reshape(*x.shape[:-1], x.shape[-1] // H, H).transpose(-3, -2)


def _before_the_batch(x: Tensor, H: int) -> Any:
    return _cut(x, H).movedim(-2, 0)


def _turned(*axes: int) -> Any:
    return lambda x, H: _cut(x, H).transpose(*axes)


def _by_columns(x: Tensor, H: int) -> Any:
    D = x.shape[-1] // H
    return torch.stack([x[..., h * D : (h + 1) * D] for h in range(H)], -3)


def _by_permutation(x: Tensor, H: int) -> Any:
    order = (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2, x.ndim)
    return _cut(x, H).permute(order)


SPLIT_HEADS = Exercise(
    name="split_heads", slug="multi-head-attention", task="split", title="Split a row into heads",
    kind="implement", points=0.75, difficulty=2, importance=3, minutes=10, parameters=("x", "H"),
    outputs=(Output(name="heads", axes="... H T D"),), axes={"x": "... T C"}, fitted=whole_heads,
    reference=lambda x, H: library.split_heads(x, H), equation="eq-split",
    part="course_lib.attention.heads.split_heads",
    next_rung="The way back is the same two steps in the other order.",
    probes=(
        Probe(name="a batch, H = 3", draw=_x(5, 3, 4, 2), gradient=True, single=True, half=True,
              sizes={"B": 2, "T": 5, "H": 3, "D": 4}),
        Probe(name="one sequence, H = 2", draw=_x(4, 2, 3), sizes={"T": 4, "H": 2, "D": 3}),
        Probe(name="two leading axes, H = 5", draw=_x(3, 5, 6, 2, 4),
              sizes={"B": 4, "T": 3, "H": 5, "D": 6}),
        Probe(name="one entry for each head", draw=_x(3, 4, 1, 2),
              sizes={"B": 2, "T": 3, "H": 4, "D": 1}),
        Probe(name="two positions, two heads", draw=_x(2, 2, 2), edge=True),
    ),
    misconceptions=(
        Misconception(code="SPLIT-VIEW", wrong=_viewed, sentence=(
            "The shape is right, and the numbers are in other places: view and reshape cut the "
            "tensor as it lies in memory, so a head gets entries of several heads' columns, and of "
            "other positions. Cut the last axis only, then exchange two axes.")),
        Misconception(code="SPLIT-INTERLEAVE", wrong=_interleaved, sentence=(
            "Every head takes each H-th entry of a row. Head h owns the columns from h · D up to "
            "(h + 1) · D, side by side.")),
        Misconception(code="SPLIT-HD", wrong=_size_for_number, sentence=(
            "H is taken for the size of a head. It is the number of heads; the size is the width "
            "divided by it.")),
        Misconception(code="SPLIT-NOTRANSP", wrong=_cut, sentence=(
            "Positions still stand before heads. Attention runs over the last two axes, so each "
            "head needs its own T × D matrix there.")),
        Misconception(code="SPLIT-BH", wrong=_before_the_batch, sentence=(
            "The heads stand before the batch. All leading axes keep their places; the heads come "
            "right before the positions.")),
        Misconception(code="SPLIT-AXES", wrong=_turned(1, 2), also=(_turned(0, 1),), sentence=(
            "The axes that change places are counted from the front, so the result is right for "
            "one number of leading axes only. Counted from the end they are the same for all.")),
    ),
    alternatives=(_by_columns, _by_permutation),
)  # fmt: skip


def _heads(T: int, H: int, D: int, *leading: int) -> Any:
    return lambda generator: {"x": normal(generator, *leading, H, T, D)}


def _flat(x: Tensor) -> Any:
    return x.reshape(*x.shape[:-3], x.shape[-2], x.shape[-3] * x.shape[-1])


def _exchanged(*axes: int) -> Any:
    return lambda x: x.transpose(*axes).reshape(
        *x.shape[:-3], x.shape[-2], x.shape[-3] * x.shape[-1]
    )


def _entries_first(x: Tensor) -> Any:
    return x.movedim(-3, -1).flatten(-2)


def _side_by_side(x: Tensor) -> Any:
    return torch.cat(list(x.unbind(-3)), -1)


def _row_by_row(x: Tensor) -> Any:
    return torch.stack([x[..., t, :].flatten(-2) for t in range(x.shape[-2])], -2)


MERGE_HEADS = Exercise(
    name="merge_heads", slug="multi-head-attention", task="merge", title="Merge the heads",
    kind="implement", points=0.5, difficulty=1, importance=3, minutes=10, parameters=("x",),
    outputs=(Output(name="merged", axes="... T C"),), axes={"x": "... H T D"},
    reference=lambda x: library.merge_heads(x), equation="eq-split",
    part="course_lib.attention.heads.merge_heads",
    next_rung="Between the two, each head attends as though it were alone.",
    probes=(
        Probe(name="a batch, H = 3", draw=_heads(5, 3, 4, 2), gradient=True, single=True,
              half=True, sizes={"B": 2, "T": 5, "H": 3, "D": 4}),
        Probe(name="one sequence, H = 2", draw=_heads(4, 2, 3), sizes={"T": 4, "H": 2, "D": 3}),
        Probe(name="two leading axes, H = 5", draw=_heads(3, 5, 6, 2, 4),
              sizes={"B": 4, "T": 3, "H": 5, "D": 6}),
        Probe(name="one entry for each head", draw=_heads(3, 4, 1, 2),
              sizes={"B": 2, "T": 3, "H": 4, "D": 1}),
        Probe(name="two positions, two heads", draw=_heads(2, 2, 2), edge=True),
    ),
    misconceptions=(
        Misconception(code="MERGE-NOTRANSP", wrong=_flat, sentence=(
            "The shape is right, and a row mixes positions: reshape lays one head's positions "
            "side by side, because that is how they lie in memory. Move the positions before the "
            "heads first.")),
        Misconception(code="MERGE-INTERLEAVE", wrong=_entries_first, sentence=(
            "A row holds the first entry of every head, then the second. It has to hold all of "
            "the first head, then all of the second.")),
        Misconception(code="MERGE-AXES", wrong=_exchanged(1, 2), also=(_exchanged(0, 1),),
                      sentence=(
            "The axes that change places are counted from the front, so the result is right for "
            "one number of leading axes only. Counted from the end they are the same for all.")),
        Misconception(code="MERGE-SUM", wrong=lambda x: x.sum(-3), also=(lambda x: x.mean(-3),),
                      sentence=(
            "The heads are added up or averaged, so what each of them found is lost. They are put "
            "side by side: a row has H · D entries.")),
    ),
    alternatives=(_side_by_side, _row_by_row),
)  # fmt: skip
