"""The steps of attention, and the ways to do each: right ones, and those that people take instead.

A mask gets the scores, the mask and the softmax, because some are applied behind it. What rows with
nothing to read come to is a step of its own: it gets the weights, the scores, the mask and the softmax.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from types import SimpleNamespace
from typing import Any

from grading.late import Tensor, torch

__all__ = [
    "added", "argmax", "as_they_are", "as_without_a_mask", "attention_with", "blocked", "by_size", "causal", "compose",
    "equal_shares", "filled", "filled_after", "ignored", "inverted", "lowest", "multiplied",
    "nan_rows", "over", "renormalised", "root_of_size", "same", "shifted", "softmax",
    "to_nan", "transposed", "turned", "whole_mask", "zero_rows",
]  # fmt: skip

Way = Callable[..., Any]


def compose(do: Any) -> Way:
    """Put the steps in a row."""

    def attend(query: Tensor, key: Tensor, value: Tensor, may_attend: Any = None) -> Any:
        scores = do.restrict(do.score(query, key) * do.scale(query, key, value))
        if may_attend is None:
            weights = do.share(scores)
        else:
            masked = do.mask(scores, may_attend, do.share)
            weights = do.empty(masked, scores, may_attend, do.share)
        weights = do.finish(weights, query)
        return do.give(do.mix(weights, value), weights)

    return attend


def attention_with(**others: Way) -> Way:
    """Return an attention in which some steps are done in another way, the rest rightly."""
    right: dict[str, Way] = {
        "score": transposed, "scale": root_of_size, "restrict": same, "share": softmax,
        "mask": filled(), "empty": zero_rows, "finish": same,
        "mix": lambda weights, value: weights @ value, "give": lambda output, weights: (output, weights),
    }  # fmt: skip
    return compose(SimpleNamespace(**right | others))


def same(first: Any, *others: Any) -> Any:
    """Change nothing."""
    return first


# -- score: the query and the key ------------------------------------------------------------------


def transposed(query: Tensor, key: Tensor) -> Tensor:
    """Return the products of every query with every key."""
    return query @ key.mT


def turned(turn: Way) -> Way:
    """Return the products with a key that is turned in another way."""
    return lambda query, key: query @ turn(key)


# -- scale: the query, the key and the value -------------------------------------------------------


def root_of_size(query: Tensor, key: Tensor, value: Tensor) -> float:
    """Return 1/√D."""
    return float(1 / math.sqrt(query.shape[-1]))


def by_size(size: Way) -> Way:
    """Return 1/√ of another size, which a function of the three finds."""
    return lambda query, key, value: 1 / math.sqrt(size(query, key, value))


# -- restrict: the scores, whatever may be read ----------------------------------------------------


def causal(fill: Way, *, at_the_end: bool = False) -> Way:
    """Return a way to forbid later keys always, aligned at the top left or the bottom right."""

    def restrict(scores: Tensor) -> Tensor:
        T, S = scores.shape[-2:]
        past = torch.ones(T, S, dtype=torch.bool).tril(S - T if at_the_end else 0)
        return scores.masked_fill(~past, fill(scores))

    return restrict


# -- share: the scores -----------------------------------------------------------------------------


def softmax(scores: Tensor) -> Tensor:
    """Weigh the scores as attention does."""
    return scores.softmax(-1)


@cache
def over(axis: int) -> Way:
    """Return a softmax along an axis of its own."""
    return lambda scores: scores.softmax(axis)


def argmax(scores: Tensor) -> Tensor:
    """Give all to the best key."""
    best = scores.argmax(-1)
    return torch.nn.functional.one_hot(best, scores.shape[-1]).to(scores.dtype)


def shifted(shift: Any) -> Way:
    """Return a softmax by hand that subtracts something else than the maximum; None, nothing."""

    def share(scores: Tensor) -> Tensor:
        exps = (scores if shift is None else scores - shift(scores, -1)).exp()
        return exps / exps.sum(-1, keepdim=True)

    return share


# -- mask: the scores, what may be read, and the softmax -------------------------------------------


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
    return lambda scores, may, share: share(scores + number * ~may)


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


# -- empty: the weights, the scores, what may be read, and the softmax -----------------------------


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


#: Leave such a row as the mask and the softmax left it.
as_they_are = same
