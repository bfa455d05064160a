"""The steps of a soft lookup, and under which code each is done wrongly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from grading.late import Tensor, torch
from grading.steps import Pipeline, Step

__all__ = ["STEPS", "by_sum"]

Way = Callable[..., Any]


def _compose(do: Any) -> Way:
    def lookup(query: Tensor, keys: Tensor, values: Tensor, temperature: float) -> Any:
        distances = do.distance(query, keys)
        weights = do.share(do.score(distances, temperature))
        return do.mix(weights, keys, values)

    return lookup


def _squares(query: Tensor, keys: Tensor) -> Tensor:
    return (query[:, None] - keys).square().sum(-1)


def _softmax(scores: Tensor) -> Tensor:
    return scores.softmax(-1)


def by_sum(scores: Tensor) -> Tensor:
    """Share out by exponentials without a maximum."""
    powers = scores.exp()
    return powers / powers.sum(-1, keepdim=True)


def _argmax(scores: Tensor) -> Tensor:
    best = scores.argmax(-1)
    return torch.nn.functional.one_hot(best, scores.shape[-1]).to(scores.dtype)


def _values(weights: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    return weights @ values


def _over_queries(scores: Tensor) -> Tensor:
    return scores.softmax(0)


STEPS = Pipeline(
    compose=_compose,
    steps=(
        Step(name="distance", right=_squares, wrong={
            "LOOK-ROOT": (lambda query, keys: torch.linalg.vector_norm(
                query[:, None] - keys, dim=-1),),
            "LOOK-L1": (lambda query, keys: (query[:, None] - keys).abs().sum(-1),),
            "LOOK-MEAN": (lambda query, keys: (query[:, None] - keys).square().mean(-1),),
            "LOOK-DOT": (lambda query, keys: -query @ keys.mT,)}),
        Step(name="score", right=lambda distances, temperature: -distances / temperature, wrong={
            "LOOK-DISTSIGN": (lambda distances, temperature: distances / temperature,),
            "LOOK-TEMPMUL": (lambda distances, temperature: -distances * temperature,),
            "LOOK-NOTEMP": (lambda distances, temperature: -distances,),
            "LOOK-WIDTH": (
                lambda distances, temperature: -distances / (2 * temperature**2),
                lambda distances, temperature: -distances / temperature**2,
                lambda distances, temperature: -distances / (2 * temperature))}),
        Step(name="share", right=_softmax, wrong={
            "LOOK-AXIS": (_over_queries,),
            "LOOK-NONORM": (lambda scores: scores.exp(),),
            "LOOK-UNDERFLOW": (by_sum,),
            "LOOK-ZEROFAR": (
                lambda scores: by_sum(scores).nan_to_num(nan=0.0),
                *(lambda scores, least=least: scores.exp()
                  / (scores.exp().sum(-1, keepdim=True) + least)
                  for least in (1e-8, 1e-6))),
            "LOOK-HARD": (_argmax,),
            "LOOK-NOEXP": (lambda scores: scores / scores.sum(-1, keepdim=True),)}),
        Step(name="mix", right=_values, wrong={
            "LOOK-KEYS": (lambda weights, keys, values: weights @ keys,),
            "LOOK-WEIGHTS": (lambda weights, keys, values: weights,)}),
    ),
)  # fmt: skip
