"""Ways to mask the scores of attention, and what becomes of a query with nothing to read.

A mask gets the scores, what may be read and the softmax, because some are applied behind it. What
becomes of a row with nothing to read is a step of its own: it gets the weights beside these.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

from grading.late import Tensor, torch

__all__ = [
    "added", "as_they_are", "as_without_a_mask", "blocked", "equal_shares", "filled",
    "filled_after", "ignored", "inverted", "inverted_once", "lowest", "multiplied", "nan_rows",
    "renormalised", "to_nan", "whole_mask", "zero_rows",
]  # fmt: skip

Way = Callable[..., Any]


def lowest(scores: Tensor) -> float:
    """Return the lowest number there is."""
    return float(torch.finfo(scores.dtype).min)


@cache
def filled(number: Any = lowest) -> Way:
    """Return a mask that sets forbidden scores to a number, or to what a function says."""

    def mask(scores: Tensor, may: Any, share: Way) -> Any:
        return share(scores.masked_fill(~may, number(scores) if callable(number) else number))

    return mask


def added(number: float) -> Way:
    """Return a mask that adds a number to forbidden scores."""
    return lambda scores, may, share: share(scores + number * (~may).to(scores.dtype))


def multiplied(scores: Tensor, may: Any, share: Way) -> Any:
    """Mask behind the softmax."""
    return share(scores) * may


def renormalised(mend: Way) -> Way:
    """Return a mask behind the softmax whose rows are shared out again."""

    def mask(scores: Tensor, may: Any, share: Way) -> Any:
        left = share(scores) * may
        return left / mend(left.sum(-1, keepdim=True))

    return mask


def filled_after(number: Any) -> Way:
    """Return a mask that fills the weights."""

    def mask(scores: Tensor, may: Any, share: Way) -> Any:
        return share(scores).masked_fill(~may, number(scores) if callable(number) else number)

    return mask


def to_nan(scores: Tensor, may: Any, share: Way) -> Any:
    """Add (1 − mask) · (−∞): 0 · ∞ wherever a key may be read."""
    return share(scores + (1 - may.to(scores.dtype)) * -math.inf)


def ignored(scores: Tensor, may: Any, share: Way) -> Any:
    """Leave the mask out."""
    return share(scores)


def whole_mask(scores: Tensor, may: Any, share: Way) -> Any:
    """Set scores by an index; the mask has to have their last two axes, unexpanded."""
    filled_in = scores.clone()
    filled_in[..., ~may.reshape(scores.shape[-2:])] = torch.finfo(scores.dtype).min
    return share(filled_in)


def blocked(scores: Tensor, may: Any, share: Way) -> Any:
    """Fill before the softmax and mask again behind it: forbidden weights are 0 in any case."""
    return filled()(scores, may, share) * may


def inverted(mask: Way) -> Way:
    """Return a mask that is read the wrong way round."""
    return lambda scores, may, share: mask(scores, ~may, share)


def inverted_once(number: Any) -> Way:
    """Return a mask that fills the wrong way round, and zeroes the right weights behind it."""
    return lambda scores, may, share: filled(number)(scores, ~may, share) * may


# -- a query with nothing to read ------------------------------------------------------------------


def _rows(scores: Tensor, may: Any) -> Any:
    return may.any(-1, keepdim=True)


def zero_rows(weights: Tensor, scores: Tensor, may: Any, share: Way) -> Any:
    """Give zeros to a query with nothing to read."""
    return torch.where(_rows(scores, may), weights, 0.0)


def nan_rows(weights: Tensor, scores: Tensor, may: Any, share: Way) -> Any:
    """Give NaN to it, as the softmax of a row of −∞ does."""
    return torch.where(_rows(scores, may), weights, math.nan)


def equal_shares(weights: Tensor, scores: Tensor, may: Any, share: Way) -> Any:
    """Give equal weights to it, as the softmax of a row of one low number does."""
    return torch.where(_rows(scores, may), weights, 1 / scores.shape[-1])


def as_without_a_mask(weights: Tensor, scores: Tensor, may: Any, share: Way) -> Any:
    """Let it read as if all were allowed, as a number that is added to a whole row does."""
    return torch.where(_rows(scores, may), weights, share(scores))


def as_they_are(weights: Tensor, scores: Tensor, may: Any, share: Way) -> Any:
    """Leave it as the mask and the softmax left it."""
    return weights
