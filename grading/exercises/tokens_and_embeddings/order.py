"""sum_is_order_blind: two sentences that a sum over their tokens cannot tell apart."""

from __future__ import annotations

from typing import Any

import numpy as np

from grading.exercise import Exercise, Law, Misconception, Output, Probe, Seen
from grading.exercises.shared.drawing import normal
from grading.late import Tensor, torch

__all__ = ["SUM_IS_ORDER_BLIND"]

#: Sums that lie closer together differ in their rounding alone.
CLOSE = 1e-6


def _sizes(V: int, T: int, C: int) -> Probe:
    return Probe(
        name=f"{V} tokens, {T} positions",
        draw=lambda generator: {"e": normal(generator, V, C), "p": normal(generator, T, C)},
        sizes={"V": V, "T": T, "C": C},
    )


def _trouble(one: Seen) -> str | None:
    """Say why the two are no sentences of T tokens."""
    V, T = one.inputs["e"].shape[0], one.inputs["p"].shape[0]
    for name, ids in zip(("first", "second"), one.outputs, strict=True):
        if ids.shape != (T,):
            return f"{name} has the shape {ids.shape}; p has {T} rows, so there are {T} ids"
        if ids.min() < 0 or ids.max() >= V:
            odd = ids.min() if ids.min() < 0 else ids.max()
            return f"{name} holds the id {odd}; e has {V} rows, so ids go from 0 to {V - 1}"
    return None


def _equal(one: Seen) -> str | None:
    first, second = one.outputs
    words = f"Both are {first.tolist()}"
    return words if np.array_equal(first, second) else None


def _sums(one: Seen) -> list[Any]:
    e, p = one.inputs["e"], one.inputs["p"]
    return [(e[ids] + p).sum(0) for ids in one.outputs]


def _judge(one: Seen) -> str | None:
    first, second = _sums(one)
    apart = np.abs(first - second).max()
    if apart <= CLOSE:
        return None
    number = int(np.abs(first - second).argmax())
    return (
        f"Number {number} of the sum is {first[number]:.4g} for {one.outputs[0].tolist()}, and "
        f"{second[number]:.4g} for {one.outputs[1].tolist()}."
    )


def _view(one: Seen) -> tuple[Any, ...]:
    """Return what the two have in common: as ids, as a bag, as a set, as sums."""
    shape = np.array([ids.size for ids in one.outputs], dtype=float) - len(one.inputs["p"])
    if _trouble(one) is not None:
        low = any(ids.size and ids.min() < 0 for ids in one.outputs)
        return (np.array([-1.0, float(not shape.any()), float(low), *np.sign(shape)]),)
    first, second = one.outputs
    flags = (
        np.array_equal(first, second),
        np.array_equal(np.sort(first), np.sort(second)),
        set(first.tolist()) == set(second.tolist()),
        bool(np.abs(_sums(one)[0] - _sums(one)[1]).max() <= CLOSE),
    )
    return (np.array([float(flag) for flag in flags]),)


Pair = tuple[Tensor, Tensor]


def _words(e: Tensor, p: Tensor) -> Tensor:
    """Return T ids, at least two of them different."""
    return torch.arange(len(p)) % len(e)


def _exchanged(e: Tensor, p: Tensor) -> Pair:
    first = _words(e, p)
    second = first.clone()
    second[0], second[1] = first[1], first[0]
    return first, second


def _rolled(e: Tensor, p: Tensor) -> Pair:
    first = torch.zeros(len(p), dtype=torch.long)
    first[0] = 1
    return first, first.roll(1)


def _sorted(e: Tensor, p: Tensor) -> Pair:
    first = torch.zeros(len(p), dtype=torch.long)
    first[: len(p) // 2] = len(e) - 1
    return first, first.sort().values


def _twice(e: Tensor, p: Tensor) -> Pair:
    return _words(e, p), _words(e, p)


def _others(e: Tensor, p: Tensor) -> Pair:
    first = torch.zeros(len(p), dtype=torch.long)
    return first, first + 1


def _next_ones(e: Tensor, p: Tensor) -> Pair:
    first = torch.zeros(len(p), dtype=torch.long)
    second = first.clone()
    second[0] = 1
    return first, second


def _as_often(e: Tensor, p: Tensor) -> Pair:
    """Use the same tokens, and one of them once more."""
    T = len(p)
    first = torch.zeros(T, dtype=torch.long)
    second = torch.ones(T, dtype=torch.long)
    first[0], second[0] = 1, 0
    return first, (second if T > 2 else _words(e, p) * 0)


def _two_ids(e: Tensor, p: Tensor) -> Pair:
    return torch.tensor([0, 1]), torch.tensor([1, 0])


def _one_more(e: Tensor, p: Tensor) -> Pair:
    first = torch.cat([_words(e, p), torch.tensor([0])])
    return first, first.flip(0)


def _from_one(e: Tensor, p: Tensor) -> Pair:
    first, second = _exchanged(e, p)
    return first * 0 + len(e), second * 0 + len(e)


def _negative(e: Tensor, p: Tensor) -> Pair:
    first, second = _exchanged(e, p)
    return first - 1, second - 1


SUM_IS_ORDER_BLIND = Exercise(
    name="sum_is_order_blind", slug="tokens-and-embeddings", task="order",
    title="Find what is wrong: one vector for a sentence", kind="implement", points=0.5,
    difficulty=2, importance=3, minutes=15, parameters=("e", "p"),
    outputs=(Output(name="first", axes="T", dtype="int64"),
             Output(name="second", axes="T", dtype="int64")),
    axes={"e": "V C", "p": "T C"}, reference=_exchanged, equation="eq-order-blind",
    judge=_judge, view=_view,
    laws=(
        Law(rule="both are sentences of T tokens", broken=_trouble),
        Law(rule="the two sentences differ", broken=_equal),
    ),
    next_rung="A model keeps one vector for each position, and so it can tell them apart.",
    probes=(
        _sizes(7, 4, 3), _sizes(5, 9, 2), _sizes(3, 2, 4), _sizes(2, 5, 6),
        Probe(name="two tokens, two positions", edge=True,
              draw=lambda generator: {"e": normal(generator, 2, 1), "p": normal(generator, 2, 1)}),
    ),
    misconceptions=(
        Misconception(code="ORDER-SAME", wrong=_twice, recognise=lambda seen, truth: _same(
            seen), sentence=(
            "Both are the same sentence. It takes the same tokens in another order; of a sentence "
            "that reads alike from both ends, the reverse is no other one.")),
        Misconception(code="ORDER-OTHERS", wrong=_others, also=(_next_ones,), sentence=(
            "The two consist of different tokens, and so their sums differ. What a sum forgets is "
            "in which order tokens stand, and not which ones.")),
        Misconception(code="ORDER-COUNTS", wrong=_as_often, recognise=lambda seen, truth: _counts(
            seen), sentence=(
            "Both use the same tokens, but not equally often. A token that stands there twice is "
            "added twice.")),
        Misconception(code="ORDER-LENGTH", wrong=_two_ids, also=(_one_more,),
                      recognise=lambda seen, truth: _other_length(seen), sentence=(
            "The sentences do not have as many tokens as p has rows. Each token stands at a "
            "position, and T positions are given.")),
        Misconception(code="ORDER-RANGE", wrong=_from_one, also=(_negative,),
                      recognise=lambda seen, truth: _out_of_range(seen), sentence=(
            "An id lies outside of the vocabulary. Ids are counted from 0, and e has V rows, so "
            "the last one is V − 1.")),
    ),
    alternatives=(_rolled, _sorted),
)  # fmt: skip


def _flags(seen: Any) -> list[list[float]] | None:
    views = [view[0].tolist() for view in seen.values() if isinstance(view, list) and view]
    return views if len(views) == len(seen) else None


def _same(seen: Any) -> bool:
    """Some are the same sentence twice, and the others right."""
    views = _flags(seen) or []
    return any(view[0] == 1.0 for view in views) and all(view[3] == 1.0 for view in views)


def _counts(seen: Any) -> bool:
    """Wherever the bags differ, the sets agree."""
    views = _flags(seen) or []
    bad = [view for view in views if view[0] != -1.0 and view[3] == 0.0]
    whole = all(view[0] != -1.0 for view in views)
    return whole and bool(bad) and all(view[1] == 0.0 and view[2] == 1.0 for view in bad)


def _other_length(seen: Any) -> bool:
    views = _flags(seen) or []
    bad = [view for view in views if view[0] == -1.0]
    return bool(bad) and all(view[1] == 0.0 for view in bad)


def _out_of_range(seen: Any) -> bool:
    views = _flags(seen) or []
    bad = [view for view in views if view[0] == -1.0]
    return bool(bad) and all(view[1] == 1.0 for view in bad)
