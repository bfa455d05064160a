"""The steps of attention, and the ways to do each: right ones, and those that people take instead.

The masks are in `attention_masks`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from types import SimpleNamespace
from typing import Any

from grading.exercises.shared.attention_masks import filled, zero_rows
from grading.late import Tensor, torch

__all__ = [
    "TURNS", "all_axes", "argmax", "attention_with", "both", "by_size", "causal", "compose",
    "mixed", "over", "root_of_size", "same", "shifted", "softmax", "transposed", "turned",
    "viewed",
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
        "mix": mixed, "give": both,
    }  # fmt: skip
    return compose(SimpleNamespace(**right | others))


def same(first: Any, *others: Any) -> Any:
    """Change nothing."""
    return first


def mixed(weights: Tensor, value: Tensor) -> Tensor:
    """Mix the values."""
    return weights @ value


def both(output: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Return both results."""
    return output, weights


# -- score: the query and the key ------------------------------------------------------------------


def transposed(query: Tensor, key: Tensor) -> Tensor:
    """Return the products of every query with every key."""
    return query @ key.mT


def turned(turn: Way) -> Way:
    """Return the products with a key that is turned in another way."""
    return lambda query, key: query @ turn(key)


def viewed(key: Tensor) -> Tensor:
    """Give the shape of a transpose, and leave the numbers in their order."""
    return key.reshape(*key.shape[:-2], key.shape[-1], key.shape[-2])


def all_axes(key: Tensor) -> Tensor:
    """Turn round all axes."""
    return key.T


#: The key with other axes than its last two exchanged, at least for some numbers of axes.
TURNS: tuple[Way, ...] = (
    *(lambda key, pair=pair: key.transpose(*pair) for pair in ((2, 3), (1, 2), (0, 1), (0, -1))),
    lambda key: key.transpose(1, 2) if key.ndim > 2 else key.mT,
    lambda key: key.permute(0, 1, 3, 2),
)


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
