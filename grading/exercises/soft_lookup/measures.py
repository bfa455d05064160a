"""curve_error: how far a kernel's mean is off, and how that depends on the width."""

from __future__ import annotations

import math
from typing import Any

from grading.exercise import Exercise, Inputs, Misconception, Output, Probe, Seen, Tolerance
from grading.exercises.shared.measuring import far, undrawn
from grading.late import Tensor, torch

__all__ = ["CURVE_ERROR", "ERRORS"]

# Mean and spread of the squared error by (S, width), over 4,000,000 sets; the tests measure again.
ERRORS = {
    (40, 0.05): (0.0411, 0.0631), (8, 0.1): (0.1754, 0.3034), (20, 0.6): (0.8447, 0.3573),
    (10, 0.15): (0.1927, 0.2500),
}  # fmt: skip
#: So many sets, but few for the last key.
SETS, FEW = 2000, 30
#: Where the curve is asked for, its height there, and the spread of the noise.
PLACE, HEIGHT, NOISE = 0.25, 1.0, 0.5


def _probe(S: int, width: float) -> Probe:
    n = FEW if (S, width) == list(ERRORS)[-1] else SETS

    def draw(generator: torch.Generator) -> Inputs:
        return {"S": S, "width": width, "n": n, "generator": generator}

    return Probe(name=f"S = {S}, width = {width:g}, {n} sets", draw=draw, sizes={"S": S, "n": n})


def _noise(inputs: Inputs) -> float:
    return ERRORS[inputs["S"], inputs["width"]][1] / math.sqrt(inputs["n"])


def _judge(one: Seen) -> str | None:
    S, width = one.inputs["S"], one.inputs["width"]
    if not far(one.outputs[0], ERRORS[S, width][0], _noise(one.inputs) + 2e-4):
        return None
    return (
        f"With S = {S} and width = {width:g} you measure {float(one.outputs[0]):.4g}. The mean "
        "squared error is another number there, by more than the noise of the draws."
    )


def _sine(x: Tensor) -> Tensor:
    return torch.sin(2 * math.pi * x)


def _gauss(difference: Tensor, width: float) -> Tensor:
    return -(difference**2) / (2 * width**2)


def _squared(estimates: Tensor, generator: Any) -> Any:
    return (estimates - HEIGHT).square().mean()


def _measure(
    told: Any = _squared, curve: Any = _sine, noise: float = NOISE, draw: str = "rand",
    exponent: Any = _gauss,
) -> Any:  # fmt: skip
    def measure(S: int, width: float, n: int, generator: torch.Generator) -> float:
        xk = getattr(torch, draw)(n, S, generator=generator, dtype=torch.float64)
        y = curve(xk) + noise * torch.randn(n, S, generator=generator, dtype=torch.float64)
        estimates = (exponent(PLACE - xk, width).softmax(-1) * y).sum(-1)
        return float(told(estimates, generator))

    return measure


def _against_data(estimates: Tensor, generator: torch.Generator) -> Any:
    data = HEIGHT + NOISE * torch.randn(len(estimates), generator=generator, dtype=torch.float64)
    return (estimates - data).square().mean()


def _one_by_one(S: int, width: float, n: int, generator: torch.Generator) -> float:
    total = 0.0
    for _ in range(n):
        xk = torch.rand(S, generator=generator, dtype=torch.float64)
        y = _sine(xk) + NOISE * torch.randn(S, generator=generator, dtype=torch.float64)
        kernel = _gauss(PLACE - xk, width).exp()
        total += (float(kernel @ y / kernel.sum()) - HEIGHT) ** 2
    return total / n


def _in_parts(S: int, width: float, n: int, generator: torch.Generator) -> float:
    """Add the variance of the estimates to the square of their bias."""
    y = NOISE * torch.randn(S, n, generator=generator)
    xk = torch.rand(S, n, generator=generator)
    weights = torch.softmax(-((xk - PLACE) ** 2) / (2 * width**2), dim=0)
    estimates = (weights * (y + torch.sin(2 * torch.pi * xk))).sum(0)
    return float(estimates.var(correction=0) + (estimates.mean() - HEIGHT) ** 2)


def _own_seed(S: int, width: float, n: int, generator: torch.Generator) -> Any:
    return _measure()(S, width, n, torch.Generator().manual_seed(0))


def _table(S: int, width: float, n: int, generator: torch.Generator) -> float:
    return ERRORS[S, width][0]


def _global(S: int, width: float, n: int, generator: torch.Generator) -> float:
    xk = torch.rand(n, S)
    y = _sine(xk) + NOISE * torch.randn(n, S)
    return float(_squared((_gauss(PLACE - xk, width).softmax(-1) * y).sum(-1), None))


def _half_global(S: int, width: float, n: int, generator: torch.Generator) -> float:
    xk = torch.rand(n, S, generator=generator)
    y = _sine(xk) + NOISE * torch.randn(n, S)
    return float(_squared((_gauss(PLACE - xk, width).softmax(-1) * y).sum(-1), None))


def _always_as_many(S: int, width: float, n: int, generator: torch.Generator) -> Any:
    return _measure()(S, width, SETS, generator)


CURVE_ERROR = Exercise(
    name="curve_error", slug="soft-lookup", task="curve-error",
    title="Too narrow, too wide", kind="measure", points=0.5, difficulty=2, importance=2,
    minutes=15, parameters=("S", "width", "n", "generator"),
    outputs=(Output(name="error", kind="number"),), reference=_measure(),
    equation="eq-kernel-regression", judge=_judge, noise=_noise,
    alike=Tolerance(rtol=0.08, atol=0.001),
    next_rung="A narrow kernel passes the noise on, a wide one flattens the peak.",
    probes=tuple(_probe(*key) for key in ERRORS),
    misconceptions=(
        Misconception(code="CURVE-ABS", wrong=_measure(lambda e, g: (e - HEIGHT).abs().mean()),
                      sentence=(
            "This is the mean size of the error. Square each error before the mean.")),
        Misconception(code="CURVE-ROOT", wrong=_measure(lambda e, g: _squared(e, g).sqrt()),
                      sentence="This is the root of the mean squared error."),
        Misconception(code="CURVE-BIAS", wrong=_measure(lambda e, g: (e.mean() - HEIGHT) ** 2),
                      sentence=(
            "The mean is taken before the square. Errors above and below cancel then, and the "
            "noise is gone: what is left is the bias.")),
        Misconception(code="CURVE-VAR", wrong=_measure(lambda e, g: e.var()), sentence=(
            "This is how far the estimates lie from their own mean. How far they lie from the "
            "curve's height, 1, is asked for: a wide kernel is off in the same way each time.")),
        Misconception(code="CURVE-DATA", wrong=_measure(_against_data), sentence=(
            "The estimate is compared with a noisy height. Compare it with the curve itself, which "
            "is 1 there.")),
        Misconception(code="CURVE-NONOISE", wrong=_measure(noise=0.0), sentence=(
            "The measured heights have no noise. Then the narrower the kernel, the better.")),
        Misconception(code="CURVE-SPREAD", wrong=_measure(noise=1.0), also=(
            _measure(noise=math.sqrt(NOISE)), _measure(noise=NOISE**2)), sentence=(
            "The noise is too strong or too weak: torch.randn has the spread 1, so it is "
            "multiplied by 0.5 itself, not by its square or root.")),
        Misconception(code="CURVE-PLACES", wrong=_measure(draw="randn"), sentence=(
            "The places come from the normal distribution. The task wants them anywhere between 0 "
            "and 1 alike: torch.rand.")),
        Misconception(code="CURVE-WIDTH", wrong=_measure(exponent=lambda d, h: -(d**2) / (2 * h)),
                      also=(_measure(exponent=lambda d, h: -(d**2) / h),), sentence=(
            "The width is not squared in the kernel's exponent.")),
        Misconception(code="CURVE-NOTWO", wrong=_measure(exponent=lambda d, h: -((d / h) ** 2)),
                      sentence="The 2 of 2 · width² is missing in the kernel's exponent."),
        Misconception(code="CURVE-SINE", wrong=_measure(curve=lambda x: x.sin()), sentence=(
            "The curve is sin(x). The task measures sin(2πx), which is 1 at ¼.")),
        *undrawn("CURVE", (_table, _own_seed), (_global, _half_global), (_always_as_many,)),
    ),
    alternatives=(_one_by_one, _in_parts),
)  # fmt: skip
