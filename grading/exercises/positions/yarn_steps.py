"""The steps of YaRN's frequencies, and under which code each is done wrongly."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from grading.late import Tensor, torch
from grading.steps import Pipeline, Step

__all__ = ["MORE", "STEPS"]

Way = Callable[..., Any]


def _frequencies(do: Any) -> Way:
    """Put the steps in a row: frequencies, the ramp's ends, who is slowed down, a concentration."""

    def yarn_inv_freq(
        D: int, base: float, context: int, factor: float, alpha: float, beta: float
    ) -> Any:
        theta = float(base) ** -do.exponents(torch.arange(D // 2).double(), D)
        length = do.length(context, factor)
        ends = (do.index(turns, D, base, length) for turns in (beta, alpha))
        low, high = do.bounds(*do.ends(*ends), D)
        slowed = do.ramp(theta, low, high, (length, alpha, beta))
        return do.blend(theta, slowed, factor), do.concentration(factor)

    return yarn_inv_freq


def _index(turns: float, D: int, base: float, length: float) -> float:
    """The pair that makes so many turns within the length, as a number between pairs."""
    return D / 2 * math.log(length / (2 * math.pi * turns)) / math.log(base)


def _bounds(low: float, high: float, D: int) -> tuple[float, float]:
    return max(low, 0.0), min(high, D - 1.0)


def _share(pairs: Any, low: float, high: float) -> Any:
    return ((pairs - low) / ((high - low) or 1e-3)).clamp(0.0, 1.0)


def _straight(theta: Tensor, low: float, high: float, turns: Any) -> Any:
    return _share(torch.arange(len(theta)).double(), low, high)


def _in_turns(theta: Tensor, low: float, high: float, turns: Any) -> Any:
    """Straight in the number of turns, as the paper writes it."""
    length, alpha, beta = turns
    return 1 - _share(length * theta / (2 * math.pi), alpha, beta)


def _in_wavelength(theta: Tensor, low: float, high: float, turns: Any) -> Any:
    length, alpha, beta = turns
    return _share(2 * math.pi / theta, length / beta, length / alpha)


def _at_once(theta: Tensor, low: float, high: float, turns: Any) -> Any:
    return (torch.arange(len(theta)) > (low + high) / 2).double()


def _blend(theta: Tensor, slowed: Tensor, factor: Any) -> Any:
    return (1 - slowed) * theta + slowed * theta / factor


def _to_a_power(theta: Tensor, slowed: Tensor, factor: float) -> Any:
    """Divide by the factor to the power 2i/D, as where it stands beside the base."""
    return _blend(theta, slowed, factor ** (torch.arange(len(theta)) / len(theta)))


def _concentration(factor: float) -> float:
    return 0.1 * math.log(factor) + 1.0


STEPS = Pipeline(
    compose=_frequencies,
    steps=(
        Step(name="exponents", right=lambda pair, D: 2 * pair / D, wrong={
            "YARN-EXP": (lambda pair, D: pair / D,)}),
        Step(name="length", right=lambda context, factor: context, wrong={
            "YARN-NEWLENGTH": (lambda context, factor: context * factor,)}),
        Step(name="index", right=_index, wrong={
            "YARN-NO2PI": (lambda turns, D, base, length: _index(
                turns / (2 * math.pi), D, base, length),),
        }),
        Step(name="ends", right=lambda low, high: (low, high), wrong={
            "YARN-FLOOR": (lambda low, high: (math.floor(low), math.ceil(high)),)}),
        Step(name="ramp", right=_straight, wrong={
            "YARN-INVERT": (lambda *given: 1 - _straight(*given),),
            "YARN-TURNS": (_in_turns,),
        }),
        Step(name="blend", right=_blend, wrong={
            "YARN-LINEAR": (lambda theta, slowed, factor: theta / factor,),
            "YARN-POWER": (_to_a_power,),
        }),
        Step(name="concentration", right=_concentration, wrong={
            "YARN-NOCONC": (lambda factor: 1.0,),
            "YARN-LOG2": (lambda factor: 0.1 * math.log2(factor) + 1.0,),
        }),
        Step(name="bounds", right=_bounds),
    ),
)  # fmt: skip


def _with(**steps: Way) -> Way:
    return STEPS.answer(steps)


def _swapped(D: int, base: float, context: int, factor: float, alpha: float, beta: float) -> Any:
    return STEPS.answer()(D, base, context, factor, beta, alpha)


#: More ways of the same mistakes, and mistakes that are seldom made beside another: no products.
MORE: dict[str, tuple[Way, ...]] = {
    "YARN-NOHALF": (_with(index=lambda *given: 2 * _index(*given)),),
    "YARN-WAVELENGTH": (_with(ramp=_in_wavelength),),
    "YARN-WAVES": (
        _with(blend=lambda theta, slowed, factor: theta / (1 - slowed + slowed * factor)),
    ),
    "YARN-SQUARED": (_with(concentration=lambda factor: _concentration(factor) ** 2),),
    "YARN-SWAPAB": (_swapped,),
    "YARN-FLOOR": (
        _with(ends=lambda low, high: (math.ceil(low), math.floor(high))),
        _with(ends=lambda low, high: (round(low), round(high))),
        _with(ends=lambda low, high: (math.floor(low), math.floor(high))),
    ),
    "YARN-NOCLIP": (_with(bounds=lambda low, high, D: (low, high)),),
    "YARN-LASTPAIR": (
        _with(bounds=lambda low, high, D: (max(low, 0.0), min(high, D / 2 - 1.0))),
        _with(bounds=lambda low, high, D: (max(low, 0.0), min(high, D / 2))),
    ),
    "YARN-STEP": (_with(ramp=_at_once),),
    "YARN-NTK": (_with(blend=lambda theta, slowed, factor: theta * factor ** (
        -torch.arange(len(theta)) / max(len(theta) - 1, 1))),),
    "YARN-PLAIN": (_with(blend=lambda theta, slowed, factor: theta),),
    "YARN-FASTER": (
        _with(blend=lambda theta, slowed, factor: (1 - slowed) * theta + slowed * theta * factor),
    ),
    "YARN-LOG2": (_with(concentration=lambda factor: 0.1 * math.log10(factor) + 1.0),),
    "YARN-ROOT": (
        _with(concentration=lambda factor: 1 / _concentration(factor)),
        _with(concentration=lambda factor: _concentration(factor) ** 0.5),
        _with(concentration=lambda factor: _concentration(factor) ** -2),
    ),
    "YARN-NOTENTH": (_with(concentration=lambda factor: math.log(factor) + 1.0),),
}  # fmt: skip
