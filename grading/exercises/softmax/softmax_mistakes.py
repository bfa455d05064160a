"""The steps of a stable softmax, and under which code each is done wrongly."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from grading.exercises.shared.shifts import SHIFTS, at_least
from grading.late import Tensor, torch
from grading.steps import Instead, Pipeline, Step

__all__ = ["STEPS"]

Way = Callable[..., Any]


def _compose(do: Any) -> Way:
    def softmax(x: Tensor, axis: int) -> Tensor:
        along = do.axis(axis)
        scores = do.before(x, along)
        powers = do.power(scores - do.shift(scores, along))
        weights: Tensor = powers / do.total(powers, along)
        return weights

    return softmax


def _same(x: Any, *others: Any) -> Any:
    return x


# -- shift -----------------------------------------------------------------------------------------


def _maximum(x: Tensor, axis: int) -> Tensor:
    return x.amax(axis, keepdim=True)


def _nothing(x: Tensor, axis: int) -> float:
    return 0.0


def _one_maximum(x: Tensor, axis: int) -> Tensor:
    return x.max()


def _lost_maximum(x: Tensor, axis: int) -> Tensor:
    return x.amax(axis)


def _largest_size(x: Tensor, axis: int) -> Tensor:
    return x.abs().amax(axis, keepdim=True)


def _mean_and_maximum(x: Tensor, axis: int) -> Tensor:
    return x.mean(axis, keepdim=True) + x.amax(axis, keepdim=True)


# -- power and total -------------------------------------------------------------------------------


def _exponential(x: Tensor) -> Tensor:
    return x.exp()


def _sum(powers: Tensor, axis: int) -> Tensor:
    return powers.sum(axis, keepdim=True)


def _lost_sum(powers: Tensor, axis: int) -> Tensor:
    return powers.sum(axis)


def _padded_sum(number: float) -> Way:
    return lambda powers, axis: powers.sum(axis, keepdim=True) + number


def _padded_powers(number: float) -> Instead:
    return Instead(_sum, power=lambda x: x.exp() + number)


def _spread(x: Tensor, axis: int) -> Tensor:
    return x.amax(axis, keepdim=True) - x.amin(axis, keepdim=True)


STEPS = Pipeline(
    compose=_compose,
    steps=(
        Step(name="axis", right=_same, wrong={
            "SM-AXISFIXED": tuple(
                lambda axis, fixed=fixed: fixed for fixed in (-1, 0, 1, 2, -2))}),
        Step(name="before", right=_same, wrong={
            "SM-BASE": (lambda x, axis: x * math.log(2), lambda x, axis: x * math.log(10)),
            "SM-NEGATED": (lambda x, axis: -x,),
            "SM-RESCALED": (
                lambda x, axis: (x - x.mean(axis, keepdim=True)) / x.std(axis, keepdim=True),
                lambda x, axis: (x - x.amin(axis, keepdim=True)) / _spread(x, axis),
                lambda x, axis: x / x.amax(axis, keepdim=True),
                lambda x, axis: x / x.norm(dim=axis, keepdim=True))}),
        Step(name="shift", right=_maximum, wrong={
            "SM-OVERFLOW": (_nothing,),
            "SM-GLOBALMAX": (_one_maximum, lambda x, axis: x.mean()),
            "SM-SHIFT": (*SHIFTS, _largest_size, _mean_and_maximum),
            "SM-FLOORED": tuple(at_least(least) for least in (0.0, -1.0, -10.0, -100.0))}),
        Step(name="power", right=_exponential, wrong={
            "SM-NOEXP": (Instead(_same, shift=_nothing),),
            "SM-CLAMP": (Instead(lambda x: x.clamp(min=-80.0, max=80.0).exp(), shift=_nothing),)}),
        Step(name="total", right=_sum, wrong={
            "SM-NOKEEP": (
                _lost_sum, Instead(_sum, shift=_lost_maximum), Instead(_lost_sum, shift=_nothing),
                Instead(_lost_sum, shift=_lost_maximum), Instead(_lost_sum, shift=_one_maximum)),
            "SM-ALL": (Instead(lambda powers, axis: torch.sum(powers), shift=_one_maximum),),
            "SM-EPSILON": (
                *(_padded_sum(10.0**-power) for power in (3, 2, 4, 5, 6)),
                *(_padded_powers(10.0**-power) for power in range(3, 9)))}),
    ),
)  # fmt: skip
