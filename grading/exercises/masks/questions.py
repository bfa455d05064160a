"""The chapter's questions: two predictions, and a bug to find."""

from __future__ import annotations

import math
from typing import Any

from grading.exercise import Exercise, Misconception, Output
from grading.exercises.shared.questions import (
    BROKEN,
    RIGHT,
    Diagnosis,
    asked,
    near,
    number_near,
    weight_near,
)
from grading.late import Tensor, late, torch

__all__ = ["BUGS", "FIND_THE_BUG", "PREDICT", "PREDICT_REACH"]

attention = late("course_lib.attention.dot_product")
masks = late("course_lib.masks")

PREDICT = Exercise(
    name="predict_weight_left", slug="masks", task="predict", title="One key less",
    kind="predict", points=0.25, difficulty=1, importance=3, minutes=5,
    parameters=(), outputs=(Output(name="prediction", kind="number"),),
    reference=lambda: 0.6, equation="eq-masked-softmax", judge=weight_near(0.6, 0.005),
    probes=asked,
    next_rung="The others keep their proportions: 0.3 to 0.2 before, 0.6 to 0.4 now.",
    misconceptions=(
        Misconception(code="LEFT-SAME", wrong=lambda: 0.3, recognise=near(0.3, 0.02), sentence=(
            "A weight of 0.3 would leave a row that sums to 0.5. The softmax runs over what may be "
            "read, and shares out all of 1 there.")),
        Misconception(code="LEFT-EVEN", wrong=lambda: 0.55, recognise=near(0.55, 0.02), sentence=(
            "This hands the free 0.5 out in equal parts. The softmax keeps the ratio of two "
            "weights, whatever else may be read: e to the difference of their scores.")),
        Misconception(code="LEFT-ALL", wrong=lambda: 0.8, recognise=near(0.8, 0.02), sentence=(
            "This gives all of the free 0.5 to one key. The third key may be read as well.")),
    ),
    alternatives=(lambda: 0.3 / 0.5, lambda: torch.tensor([0.3, 0.2]).log().softmax(0)[0]),
)  # fmt: skip


PREDICT_REACH = Exercise(
    name="predict_reach", slug="masks", task="predict-reach", title="Through three layers",
    kind="predict", points=0.25, difficulty=2, importance=3, minutes=5,
    parameters=(), outputs=(Output(name="prediction", kind="number"),),
    reference=lambda: 10, equation="eq-reach", judge=number_near(10, 0.49), probes=asked,
    next_rung="Each layer adds W − 1 positions: what a window hides is only one layer away.",
    misconceptions=(
        Misconception(code="REACH-ONE", wrong=lambda: 4, recognise=near(4, 0.4), sentence=(
            "Four is what one layer reads. What it read went into its output, and the next layer "
            "reads outputs.")),
        Misconception(code="REACH-LW", wrong=lambda: 12, recognise=near(12, 0.4), sentence=(
            "Twelve would be new positions alone. The window holds the query's own position too, "
            "which is reached already: each layer adds three.")),
        Misconception(code="REACH-SELF", wrong=lambda: 9, recognise=near(9, 0.4), sentence=(
            "Nine positions lie before the token. It depends on itself as well.")),
        Misconception(code="REACH-POWER", wrong=lambda: 64, recognise=near(64, 8), sentence=(
            "The windows are multiplied. They are laid end to end, one behind the other: reach "
            "grows by a sum.")),
        Misconception(code="REACH-ALL", wrong=lambda: 20, recognise=near(20, 0.4), sentence=(
            "All twenty would need more layers. The window slides by three positions each time.")),
    ),
    alternatives=(lambda: 3 * (4 - 1) + 1, lambda: torch.tensor(10.0)),
)  # fmt: skip

BUGS = {
    "TOP-LEFT": "The mask lets the first query sit at the first key.",
    "STRICT": "The mask forbids each query its own position.",
    "INVERTED": "The mask is read the wrong way round.",
    "NO-SCALE": "The scores are not divided by the root of D.",
}


def _broken(query: Tensor, key: Tensor, value: Tensor) -> Any:
    may_attend = torch.ones(query.shape[-2], key.shape[-2], dtype=torch.bool).tril()
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    weights = scores.masked_fill(~may_attend, -math.inf).softmax(-1)
    return weights @ value, weights


def _right(query: Tensor, key: Tensor, value: Tensor) -> Any:
    may_attend = masks.causal_mask(query.shape[-2], key.shape[-2])
    return attention.scaled_dot_product_attention(query, key, value, may_attend)


def _inputs(T: int, S: int) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(4)
    return tuple(torch.randn(size, 3, generator=generator) for size in (T, S, S))


def _one_new() -> tuple[Tensor, ...]:
    return _inputs(1, 4)


def _square() -> tuple[Tensor, ...]:
    return _inputs(4, 4)


_DIAGNOSIS = Diagnosis(
    code="TOP-LEFT",
    bugs=BUGS,
    inputs=("query", "key", "value"),
    shown=_one_new,
)

FIND_THE_BUG = Exercise(
    name="diagnose_causal", slug="masks", task="bug", title="Find the bug", kind="bug",
    points=0.5, difficulty=2, importance=3, minutes=15, parameters=(),
    outputs=(Output(name="code", kind="any"), Output(name="inputs", kind="any")),
    reference=_DIAGNOSIS.answer(), equation="eq-causal-mask", probes=asked,
    judge=_DIAGNOSIS.judge, view=_DIAGNOSIS.view,
    functions={BROKEN: _broken, RIGHT: _right},
    next_rung="A mask is a claim about positions. With a cache, say where the queries stand.",
    misconceptions=(
        _DIAGNOSIS.mistake("BUG-STRICT", "STRICT", (
            "Then the first query of the square call would have nothing to read. Its output is the "
            "first value, so it reads itself.")),
        _DIAGNOSIS.mistake("BUG-INVERTED", "INVERTED", (
            "Then the last query of the square call would read nothing but later keys, of which "
            "there are none. Its row in the trace is right.")),
        _DIAGNOSIS.mistake("BUG-NOSCALE", "NO-SCALE", (
            "A missing scale changes the weights of the square call too. The trace says that they "
            "are right.")),
        _DIAGNOSIS.mistake("BUG-BLIND", "TOP-LEFT", (
            "The mistake is the right one, but on these inputs it cannot be seen: with as many "
            "queries as keys both alignments are the same."), shown=_square),
    ),
    alternatives=(
        lambda: ("TOP-LEFT", (torch.randn(2, 4), torch.randn(5, 4), torch.randn(5, 2))),
        lambda: ["TOP-LEFT", list(_one_new())],
    ),
)  # fmt: skip
