"""The steps of scaled dot-product attention, and under which code each is done wrongly."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

from grading.exercises.shared import attention_masks as masks
from grading.exercises.shared import attention_steps as ways
from grading.exercises.shared.shifts import SHIFTS
from grading.late import Tensor
from grading.steps import Instead, Pipeline, Step

__all__ = ["STEPS", "exchanged"]

Way = Callable[..., Any]


def _heads(without: int) -> Way:
    """Return the number of heads; of what has none, the number that people put there."""
    return lambda q, k, v: q.shape[-3] if q.ndim > 2 else without


#: Whose root is taken instead of D's.
SIZES: tuple[Way, ...] = (
    *(lambda q, k, v, one=one: q.shape[-1] * _heads(one)(q, k, v) for one in (2, 1)),
    lambda q, k, v: q.shape[-1] * q.shape[1],
    *(_heads(one) for one in (2, 1)),
    lambda q, k, v: q.shape[1],
    lambda q, k, v: v.shape[-1],
    lambda q, k, v: q.shape[-2],
    lambda q, k, v: k.shape[-2],
)


def _empty_when_inverted(weights: Tensor, scores: Tensor, may: Any, share: Way) -> Any:
    return masks.zero_rows(weights, scores, ~may, share)


def _no_nan(weights: Tensor, scores: Tensor, may: Any, share: Way) -> Any:
    return weights.nan_to_num(nan=0.0)


def _one(*inputs: Any) -> float:
    return 1.0


def _left(mask: Way) -> dict[str, Way]:
    """Return another mask whose empty rows are left as it and the softmax leave them."""
    return {"mask": mask, "empty": masks.as_they_are}


def _unmended(way: Way) -> Iterator[Instead]:
    """Yield what is wrong beside a softmax, under each way to mask that shows it differently."""
    for mask in (masks.blocked, masks.filled(-math.inf), masks.filled(-1e9)):
        yield Instead(way, **_left(mask))


def _causal(*, at_the_end: bool) -> Iterator[Way | Instead]:
    """Yield a mask that is always on; rows that two masks leave empty depend on how both fill."""
    by_infinity = ways.causal(lambda scores: -math.inf, at_the_end=at_the_end)
    yield by_infinity
    yield Instead(by_infinity, mask=masks.filled(-math.inf))
    yield Instead(by_infinity, mask=masks.filled(-math.inf), empty=_no_nan)


def _masked(way: Way) -> Instead:
    """Return a mask whose empty rows are its own affair."""
    return Instead(way, empty=masks.as_they_are)


MASKS: dict[str, tuple[Way | Instead, ...]] = {
    "SDPA-MASKINV": (
        Instead(masks.inverted(masks.filled()), empty=_empty_when_inverted),
        *(_masked(masks.inverted(masks.filled(number))) for number in (-math.inf, -1e9)),
        *(_masked(masks.inverted_once(number)) for number in (masks.lowest, -math.inf, -1e9)),
    ),
    "SDPA-MASKSHAPE": (masks.whole_mask,),
    "SDPA-MASKNONE": (_masked(masks.ignored),),
    "SDPA-MASK0": (masks.filled(0.0), _masked(masks.filled(0.0))),
    "SDPA-MASKMULT": (masks.multiplied,),
    "SDPA-RENORM": (
        _masked(masks.renormalised(lambda total: total)),
        _masked(masks.renormalised(lambda total: total.clamp(min=1e-12))),
    ),
    "SDPA-FILLAFTER": tuple(
        _masked(masks.filled_after(number)) for number in (-math.inf, -1e9, masks.lowest, -1e4)
    ),
    "SDPA-MASKNAN": (_masked(masks.to_nan),),
    "SDPA-MASKSMALL": (
        *(masks.filled(number) for number in (-30.0, -100.0, -1e4)),
        *(masks.added(number) for number in (-1e4, -100.0, -30.0)),
    ),
}
_UNMENDED = _left(masks.filled(-math.inf))
SHARES: dict[str, tuple[Way | Instead, ...]] = {
    "SDPA-AXIS": tuple(
        one for way in map(ways.over, (-2, 0, 1, 2, 3)) for one in (Instead(way), *_unmended(way))
    ),
    "SDPA-NOSOFTMAX": (
        *(Instead(ways.same, **_left(mask)) for mask in (masks.ignored, masks.multiplied)),
        *_unmended(ways.same),
        Instead(ways.same, mask=masks.filled(0.0)),
    ),
    "SDPA-ARGMAX": (ways.argmax, Instead(ways.argmax, **_UNMENDED)),
    "SDPA-OVERFLOW": (ways.shifted(None), Instead(ways.shifted(None), **_UNMENDED)),
    "SDPA-SHIFT": tuple(
        one for way in map(ways.shifted, SHIFTS)
        for one in (Instead(way), Instead(way, **_UNMENDED))
    ),
}  # fmt: skip


def exchanged(output: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Return the two results in the other order."""
    return weights, output


STEPS = Pipeline(
    compose=ways.compose,
    steps=(
        Step(name="score", right=ways.transposed, wrong={
            "SDPA-VIEW": (ways.turned(ways.viewed),),
            "SDPA-AXES": tuple(ways.turned(turn) for turn in (*ways.TURNS, ways.all_axes)),
        }),
        Step(name="scale", right=ways.root_of_size, wrong={
            "SDPA-NOSCALE": (_one,),
            "SDPA-TIMESROOT": (lambda q, k, v: math.sqrt(q.shape[-1]),),
            "SDPA-DK": (lambda q, k, v: 1 / q.shape[-1],),
            "SDPA-DMODEL": tuple(ways.by_size(size) for size in SIZES),
            "SDPA-CONST8": (lambda q, k, v: 1 / 8,),
        }),
        Step(name="restrict", right=ways.same, wrong={
            "SDPA-CAUSAL": (*_causal(at_the_end=False), *_causal(at_the_end=True)),
        }),
        Step(name="share", right=ways.softmax, wrong=SHARES),
        Step(name="mask", right=masks.filled(), wrong=MASKS, given="may_attend"),
        Step(name="empty", right=masks.zero_rows, given="may_attend", wrong={
            "SDPA-NANROW": (masks.nan_rows,),
            "SDPA-UNIFORMROW": (masks.equal_shares, masks.as_without_a_mask),
        }),
        Step(name="finish", right=ways.same, wrong={
            "SDPA-SCALEAFTER": (
                Instead(lambda weights, query: weights / math.sqrt(query.shape[-1]), scale=_one),
            ),
        }),
        Step(name="mix", right=ways.mixed, wrong={
            "SDPA-WTV": (lambda weights, value: weights.mT @ value,),
            "SDPA-VNOTUSED": (
                lambda weights, value: value,
                lambda weights, value: value.mean(-2, keepdim=True).expand(*weights.shape[:-1], -1),
                ways.same,
            ),
        }),
        Step(name="give", right=ways.both, wrong={
            "SDPA-ORDER": (exchanged,),
        }),
    ),
)  # fmt: skip
