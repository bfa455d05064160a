"""The steps of a masked softmax, and under which code each is done wrongly."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from grading.exercises.shared import attention_masks as masks
from grading.exercises.shared.attention_steps import over, softmax
from grading.late import Tensor, torch
from grading.steps import Instead, Pipeline, Step

__all__ = ["STEPS", "added_by_hand", "filled_by_hand"]

Way = Callable[..., Any]


def _compose(do: Any) -> Way:
    def masked_softmax(scores: Tensor, may_attend: Tensor) -> Any:
        weights = do.mask(scores, may_attend, do.share)
        return do.empty(weights, scores, may_attend, do.share)

    return masked_softmax


def _masked(way: Way) -> Instead:
    """Return a mask whose empty rows are its own affair."""
    return Instead(way, empty=masks.as_they_are)


def _empty_when_inverted(weights: Tensor, scores: Tensor, may: Any, share: Way) -> Any:
    return masks.zero_rows(weights, scores, ~may, share)


def added_by_hand(number: float) -> Way:
    """Return a softmax to whose forbidden scores a number is added; empty rows are multiplied."""

    def masked_softmax(scores: Tensor, may_attend: Tensor) -> Tensor:
        weights = (scores + (~may_attend).to(scores.dtype) * number).softmax(-1)
        return weights * may_attend.any(-1, keepdim=True)

    return masked_softmax


def filled_by_hand(number: float) -> Way:
    """Return a softmax whose forbidden scores are a number; empty rows are multiplied."""

    def masked_softmax(scores: Tensor, may_attend: Tensor) -> Tensor:
        low = torch.tensor(number).to(scores.dtype)
        weights = torch.where(may_attend, scores, low).softmax(-1)
        return weights * may_attend.any(-1, keepdim=True)

    return masked_softmax


STEPS = Pipeline(
    compose=_compose,
    steps=(
        Step(name="share", right=softmax, wrong={
            "ROW-AXIS": tuple(
                one for axis in (-2, 0) for one in (
                    Instead(over(axis)),
                    Instead(over(axis), mask=masks.filled(-math.inf), empty=masks.as_they_are)))}),
        Step(name="mask", right=masks.filled(), wrong={
            "ROW-INV": (
                Instead(masks.inverted(masks.filled()), empty=_empty_when_inverted),
                *(_masked(masks.inverted(masks.filled(number))) for number in (-math.inf,)),
                *(_masked(masks.inverted_once(number)) for number in (masks.lowest, -math.inf))),
            "ROW-SHAPE": (masks.whole_mask,),
            "ROW-NOMASK": (_masked(masks.ignored),),
            "ROW-ZERO": (masks.filled(0.0), _masked(masks.filled(0.0))),
            "ROW-MULT": (masks.multiplied,),
            "ROW-RENORM": (
                _masked(masks.renormalised(lambda total: total)),
                _masked(masks.renormalised(lambda total: total.clamp(min=1e-12)))),
            "ROW-FILLAFTER": tuple(
                _masked(masks.filled_after(number)) for number in (-math.inf, -1e9)),
            "ROW-SMALL": (
                *(masks.filled(number) for number in (-30.0, -100.0, -1e4)),
                *(masks.added(number) for number in (-1e4, -100.0, -30.0)))}),
        Step(name="empty", right=masks.zero_rows, wrong={
            "ROW-NAN": (masks.nan_rows,),
            "ROW-UNIFORM": (masks.equal_shares, masks.as_without_a_mask)}),
    ),
)  # fmt: skip
