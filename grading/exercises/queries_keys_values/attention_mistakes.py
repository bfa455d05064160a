"""The steps of scaled dot-product attention, and under which code each is done wrongly."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

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
#: The key with other axes than its last two exchanged, at least for some numbers of axes.
TURNS: tuple[Way, ...] = (
    *(lambda k, pair=pair: k.transpose(*pair) for pair in ((2, 3), (1, 2), (0, 1), (0, -1))),
    lambda k: k.transpose(1, 2) if k.ndim > 2 else k.mT,
    lambda k: k.permute(0, 1, 3, 2),
    lambda k: k.T,
)


def _viewed(key: Tensor) -> Tensor:
    return key.reshape(*key.shape[:-2], key.shape[-1], key.shape[-2])


def _empty_when_inverted(weights: Tensor, scores: Tensor, may: Any, share: Way) -> Any:
    return ways.zero_rows(weights, scores, ~may, share)


def _no_nan(weights: Tensor, scores: Tensor, may: Any, share: Way) -> Any:
    return weights.nan_to_num(nan=0.0)


def _one(*inputs: Any) -> float:
    return 1.0


def _left(mask: Way) -> dict[str, Way]:
    """Return another mask whose empty rows are left as it and the softmax leave them."""
    return {"mask": mask, "empty": ways.as_they_are}


def _unmended(way: Way) -> Iterator[Instead]:
    """Yield what is wrong beside a softmax, under each way to mask that shows it differently."""
    for mask in (ways.blocked, ways.filled(-math.inf), ways.filled(-1e9)):
        yield Instead(way, **_left(mask))


def _causal(*, at_the_end: bool) -> Iterator[Way | Instead]:
    """Yield a mask that is always on; rows that two masks leave empty depend on how both fill."""
    by_infinity = ways.causal(lambda scores: -math.inf, at_the_end=at_the_end)
    yield by_infinity
    yield Instead(by_infinity, mask=ways.filled(-math.inf))
    yield Instead(by_infinity, mask=ways.filled(-math.inf), empty=_no_nan)


def _masked(way: Way) -> Instead:
    """Return a mask whose empty rows are its own affair."""
    return Instead(way, empty=ways.as_they_are)


MASKS: dict[str, tuple[Way | Instead, ...]] = {
    "SDPA-MASKINV": (
        Instead(ways.inverted(ways.filled()), empty=_empty_when_inverted),
        *(_masked(ways.inverted(ways.filled(number))) for number in (-math.inf, -1e9)),
    ),
    "SDPA-MASKSHAPE": (ways.whole_mask,),
    "SDPA-MASKNONE": (_masked(ways.ignored),),
    "SDPA-MASK0": (ways.filled(0.0), _masked(ways.filled(0.0))),
    "SDPA-MASKMULT": (ways.multiplied,),
    "SDPA-RENORM": (
        _masked(ways.renormalised(lambda total: total)),
        _masked(ways.renormalised(lambda total: total.clamp(min=1e-12))),
    ),
    "SDPA-FILLAFTER": tuple(
        _masked(ways.filled_after(number)) for number in (-math.inf, -1e9, ways.lowest, -1e4)
    ),
    "SDPA-MASKNAN": (_masked(ways.to_nan),),
    "SDPA-MASKSMALL": (
        *(ways.filled(number) for number in (-30.0, -100.0, -1e4)),
        *(ways.added(number) for number in (-1e4, -100.0, -30.0)),
    ),
}
SHARES: dict[str, tuple[Way | Instead, ...]] = {
    "SDPA-AXIS": tuple(
        way for axis in (-2, 0, 1, 2, 3) for way in (ways.over(axis), *_unmended(ways.over(axis)))
    ),
    "SDPA-NOSOFTMAX": (
        *(Instead(ways.same, **_left(mask)) for mask in (ways.ignored, ways.multiplied)),
        *_unmended(ways.same),
        Instead(ways.same, mask=ways.filled(0.0)),
    ),
    "SDPA-ARGMAX": (
        ways.argmax,
        *(Instead(ways.argmax, **_left(mask)) for mask in (ways.filled(-math.inf), ways.ignored)),
    ),
    "SDPA-OVERFLOW": (
        ways.shifted(None), Instead(ways.shifted(None), **_left(ways.filled(-math.inf))),
    ),
    "SDPA-SHIFT": tuple(
        way for shift in map(ways.shifted, SHIFTS)
        for way in (shift, Instead(shift, **_left(ways.filled(-math.inf))))
    ),
}  # fmt: skip


def exchanged(output: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Return the two results in the other order."""
    return weights, output


STEPS = Pipeline(
    compose=ways.compose,
    steps=(
        Step(name="score", right=ways.transposed, wrong={
            "SDPA-VIEW": (ways.turned(_viewed),),
            "SDPA-AXES": tuple(ways.turned(turn) for turn in TURNS),
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
        Step(name="mask", right=ways.filled(), wrong=MASKS, given="may_attend"),
        Step(name="empty", right=ways.zero_rows, given="may_attend", wrong={
            "SDPA-NANROW": (ways.nan_rows,),
            "SDPA-UNIFORMROW": (ways.equal_shares, ways.as_without_a_mask),
        }),
        Step(name="finish", right=ways.same, wrong={
            "SDPA-SCALEAFTER": (
                Instead(lambda weights, query: weights / math.sqrt(query.shape[-1]), scale=_one),
            ),
        }),
        Step(name="mix", right=lambda weights, value: weights @ value, wrong={
            "SDPA-WTV": (lambda weights, value: weights.mT @ value,),
            "SDPA-VNOTUSED": (
                lambda weights, value: value,
                lambda weights, value: value.mean(-2, keepdim=True).expand(*weights.shape[:-1], -1),
                ways.same,
            ),
        }),
        Step(name="give", right=lambda output, weights: (output, weights), wrong={
            "SDPA-ORDER": (exchanged,),
        }),
    ),
)  # fmt: skip
