"""The steps of one look at the source, and under which code each is done wrongly."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from grading.late import Tensor, torch
from grading.steps import Instead, Pipeline, Step

__all__ = ["STEPS", "scores_of"]

Way = Callable[..., Any]


def scores_of(state: Tensor, encoded: Tensor, w_q: Tensor, w_k: Tensor, v: Tensor) -> Tensor:
    """Compare one state with all of the encoder's."""
    return torch.tanh((state @ w_q)[:, None] + encoded @ w_k) @ v


def _compose(do: Any) -> Way:
    def align(
        state: Tensor, encoded: Tensor, lengths: Tensor, w_q: Tensor, w_k: Tensor, v: Tensor
    ) -> Any:
        scores = scores_of(state, encoded, w_q, w_k, v)
        is_token = do.reach(torch.arange(encoded.shape[1]), lengths[:, None], encoded.shape[1])
        weights = do.mask(scores, is_token, do.share)
        weights = do.empty(weights, is_token, scores, do.share)
        return do.give(do.mix(weights, encoded, w_k), weights)

    return align


def _before(places: Tensor, lengths: Tensor, S: int) -> Tensor:
    return places < lengths


def _softmax(scores: Tensor) -> Tensor:
    return scores.softmax(-1)


# -- mask: the scores, what is a token, the softmax ------------------------------------------------


def _filled(number: float) -> Way:
    return lambda scores, is_token, share: share(scores.masked_fill(~is_token, number))


def _zeroed(scores: Tensor, is_token: Tensor, share: Way) -> Any:
    return share(scores * is_token)


def _behind(scores: Tensor, is_token: Tensor, share: Way) -> Any:
    return share(scores) * is_token


def _unmasked(scores: Tensor, is_token: Tensor, share: Way) -> Any:
    return share(scores)


def _finite(scores: Tensor, is_token: Tensor, share: Way) -> Any:
    return _filled(torch.finfo(scores.dtype).min)(scores, is_token, share)


# -- empty: a source of no tokens ------------------------------------------------------------------


def _zeros(weights: Tensor, is_token: Tensor, scores: Tensor, share: Way) -> Any:
    return torch.where(is_token.any(-1, keepdim=True), weights, 0.0)


def _nan(weights: Tensor, is_token: Tensor, scores: Tensor, share: Way) -> Any:
    return torch.where(is_token.any(-1, keepdim=True), weights, math.nan)


def _equal(weights: Tensor, is_token: Tensor, scores: Tensor, share: Way) -> Any:
    return torch.where(is_token.any(-1, keepdim=True), weights, 1 / scores.shape[-1])


def _as_if_read(weights: Tensor, is_token: Tensor, scores: Tensor, share: Way) -> Any:
    return torch.where(is_token.any(-1, keepdim=True), weights, share(scores))


def _left(weights: Tensor, *others: Any) -> Tensor:
    return weights


def _mixed(weights: Tensor, encoded: Tensor, w_k: Tensor) -> Tensor:
    return (weights[:, None] @ encoded).squeeze(1)


STEPS = Pipeline(
    compose=_compose,
    steps=(
        Step(name="reach", right=_before, wrong={
            "ALIGN-INCL": (lambda places, lengths, S: places <= lengths,),
            "ALIGN-SHORT": (lambda places, lengths, S: places < lengths - 1,),
            "ALIGN-LEFT": (lambda places, lengths, S: places >= S - lengths,),
            "ALIGN-INVERTED": (lambda places, lengths, S: places >= lengths,)}),
        Step(name="share", right=_softmax, wrong={
            "ALIGN-AXIS": (lambda scores: scores.softmax(0),
                           Instead(lambda scores: scores.softmax(0), mask=_filled(-math.inf),
                                   empty=_left))}),
        Step(name="mask", right=_finite, wrong={
            "ALIGN-NOMASK": (Instead(_unmasked, empty=_left), _unmasked),
            "ALIGN-PADZERO": (_behind,),
            "ALIGN-PADSCORE0": (_zeroed, Instead(_zeroed, empty=_left))}),
        Step(name="empty", right=_zeros, wrong={
            "ALIGN-LEN0": (_nan, _equal, _as_if_read)}),
        Step(name="mix", right=_mixed, wrong={
            "ALIGN-PROJECTED": (
                lambda weights, encoded, w_k: (weights[:, None] @ (encoded @ w_k)).squeeze(1),),
            "ALIGN-MEAN": (lambda weights, encoded, w_k: encoded.mean(1),),
            "ALIGN-UNSUMMED": (lambda weights, encoded, w_k: weights[..., None] * encoded,)}),
        Step(name="give", right=lambda context, weights: (context, weights), wrong={
            "ALIGN-ORDER": (lambda context, weights: (weights, context),)}),
    ),
)  # fmt: skip
