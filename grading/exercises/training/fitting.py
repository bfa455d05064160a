"""fit_power_law: three numbers from losses of several sizes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from grading.exercise import Exercise, Inputs, Output, Probe, Seen, Tolerance
from grading.exercises.shared.single import single
from grading.late import Tensor, torch

__all__ = ["FIT_POWER_LAW", "LAWS"]

Way = Callable[..., Any]

#: The law behind each probe: irreducible, coefficient, exponent, and where sizes lie.
LAWS: dict[str, tuple[float, float, float, tuple[float, ...]]] = {
    "eight sizes, each four times the last": (
        1.7, 400.0, 0.34, tuple(1e7 * 4.0**k for k in range(8))),
    "ten sizes of a few hundred thousand, in no order": (
        0.5, 20.0, 0.25, (8e5, 2e3, 5e4, 1.2e4, 3e5, 6e3, 9e4, 1.5e6, 2.5e4, 1.7e5)),
    "a steep law, whose largest models are at their limit": (
        3.0, 60.0, 0.8, (10.0, 20.0, 45.0, 90.0, 200.0, 500.0, 900.0, 2500.0, 6000.0)),
    "a flat law over twelve sizes": (
        0.8, 6.0, 0.1, tuple(1e6 * 3.0**k for k in range(12))),
}  # fmt: skip
#: So near a number has to be, as a share of it.
NEAR = 0.01


def _probe(name: str) -> Probe:
    irreducible, coefficient, exponent, at = LAWS[name]

    def draw(generator: torch.Generator) -> Inputs:
        sizes = torch.tensor(at, dtype=torch.float64)
        return {"sizes": sizes, "losses": irreducible + coefficient * sizes**-exponent}

    return Probe(name=name, draw=draw, sizes={"n": len(at)})


def _law(inputs: Inputs) -> tuple[float, float, float]:
    """Return the numbers that were drawn: the first loss and the count tell which they are."""
    for irreducible, coefficient, exponent, at in LAWS.values():
        if len(at) == len(inputs["sizes"]) and at[0] == float(inputs["sizes"][0]):
            return irreducible, coefficient, exponent
    raise ValueError("no law of these sizes")


def _judge(one: Seen) -> str | None:
    pairs = zip(("irreducible", "coefficient", "exponent"), one.outputs, _law(one.inputs),
                strict=True)  # fmt: skip
    for name, value, truth in pairs:
        if not abs(float(value) - truth) <= NEAR * abs(truth):
            n = len(one.inputs["sizes"])
            return (
                f"Your {name} is {float(value):.5g} for {n} sizes from "
                f"{min(one.inputs['sizes']):.4g} to {max(one.inputs['sizes']):.4g}. The losses "
                "were made with another one, by more than 1 %."
            )
    return None


# -- ways to fit -----------------------------------------------------------------------------------


def _line(x: Tensor, y: Tensor) -> tuple[float, float]:
    """Return height at 0 and slope of the line of least squares."""
    dx = x - x.mean()
    slope = float((dx * (y - y.mean())).sum() / dx.square().sum())
    return float(y.mean()) - slope * float(x.mean()), slope


def _lowest(of: Way, low: float, high: float) -> float:
    """Return where a function of one hollow is lowest, by golden sections."""
    share = (math.sqrt(5) - 1) / 2
    for _ in range(70):
        one, two = high - share * (high - low), low + share * (high - low)
        if of(one) < of(two):
            high = two
        else:
            low = one
    return (low + high) / 2


def _fit(sizes: Tensor, losses: Tensor) -> tuple[float, float, float]:
    """Fit a line for each exponent, and look for the exponent whose line misses least."""

    def missed(exponent: float) -> float:
        height, slope = _line(sizes**-exponent, losses)
        return float((height + slope * sizes**-exponent - losses).square().sum())

    exponent = _lowest(missed, 0.01, 2.0)
    return (*_line(sizes**-exponent, losses), exponent)


def _left(sizes: Tensor, losses: Tensor, irreducible: float) -> tuple[float, float]:
    """Return the coefficient and the exponent of what is left above a number."""
    height, slope = _line(sizes.log(), (losses - irreducible).log())
    return math.exp(height), -slope


def _by_the_limit(sizes: Tensor, losses: Tensor) -> tuple[float, float, float]:
    """Look for the number above which the losses lie on a line, both axes in logarithms."""
    least = float(losses.min())

    def bent(gap: float) -> float:
        x, y = sizes.log(), (losses - least + math.exp(gap)).log()
        height, slope = _line(x, y)
        return float((height + slope * x - y).square().sum())

    grid = [math.log(least) - 0.25 * step for step in range(80)]
    best = min(grid, key=bent)
    irreducible = least - math.exp(_lowest(bent, best - 0.3, best + 0.3))
    return (irreducible, *_left(sizes, losses, irreducible))


def _by_newton(sizes: Tensor, losses: Tensor) -> tuple[float, float, float]:
    """Improve all three at once, by the straight line through the present guess (damped)."""
    x = sizes.log() - sizes.log().mean()
    guess = torch.tensor([float(losses.min()) * 0.9, math.log(float(losses.max())), 0.3]).double()
    damping, best = 1.0, math.inf

    def apart(at: Tensor) -> Any:
        return at[0] + (at[1] - at[2] * x).exp() - losses

    best = float(apart(guess).square().sum())
    for _ in range(400):
        curve = (guess[1] - guess[2] * x).exp()
        slopes = torch.stack([torch.ones_like(x), curve, -x * curve], 1)
        square = slopes.T @ slopes
        move = torch.linalg.solve(square + damping * square.diag().diag(), slopes.T @ apart(guess))
        tried = float(apart(guess - move).square().sum())
        if tried < best:
            guess, best, damping = guess - move, tried, damping / 4
        else:
            damping *= 5
        if damping > 1e12 or best < 1e-26:
            break
    exponent = float(guess[2])
    return (
        float(guess[0]),
        math.exp(float(guess[1]) + exponent * float(sizes.log().mean())),
        exponent,
    )


# -- ways to miss ----------------------------------------------------------------------------------


def _straight(sizes: Tensor, losses: Tensor) -> tuple[float, float, float]:
    return (*_line(sizes, losses), -1.0)


def _straight_in_logs(sizes: Tensor, losses: Tensor) -> tuple[float, float, float]:
    height, slope = _line(sizes.log(), losses)
    return height, slope, 1.0


def _no_limit(sizes: Tensor, losses: Tensor) -> tuple[float, float, float]:
    return (0.0, *_left(sizes, losses, 0.0))


def _changed(way: Way) -> Way:
    return lambda sizes, losses: way(*_fit(sizes, losses))


def _smallest_loss(sizes: Tensor, losses: Tensor) -> tuple[float, float, float]:
    least = float(losses.min())
    keep = losses > least
    return (least, *_left(sizes[keep], losses[keep], least))


def _just_below(share: float) -> Way:
    def fit(sizes: Tensor, losses: Tensor) -> tuple[float, float, float]:
        least = share * float(losses.min())
        return (least, *_left(sizes, losses, least))

    return fit


def _exponential(sizes: Tensor, losses: Tensor) -> tuple[float, float, float]:
    height, slope = _line(sizes, losses.log())
    return 0.0, math.exp(height), -slope


def _fixed(exponent: float) -> Way:
    def fit(sizes: Tensor, losses: Tensor) -> tuple[float, float, float]:
        return (*_line(sizes**-exponent, losses), exponent)

    return fit


FIT_POWER_LAW = Exercise(
    name="fit_power_law", slug="training", task="fit", title="Fit a scaling law", kind="implement",
    points=0.75, difficulty=3, importance=2, minutes=30, parameters=("sizes", "losses"),
    outputs=tuple(
        Output(name=name, kind="number") for name in ("irreducible", "coefficient", "exponent")
    ),
    reference=_fit, judge=_judge, equation="eq-power-law",
    alike=Tolerance(rtol=0.02, atol=1e-4), probes=tuple(map(_probe, LAWS)),
    next_rung="Change one loss by a thousandth, fit again, and see which number moves most.",
    misconceptions=(
        single("FIT-LINEAR", (
            "A straight line is fitted to the losses: it falls below 0 for large models. A power "
            "law is straight only where both axes have logarithms and nothing is left at the "
            "limit."), _straight, _straight_in_logs,
            lambda sizes, losses: (*_line(sizes, losses), 1.0),
            lambda sizes, losses: (lambda line: (line[0], -line[1], 1.0))(
                _line(sizes.log(), losses))),
        single("FIT-NOIRREDUCIBLE", (
            "The fit has no irreducible loss: a line through the logarithms of sizes and losses, "
            "which leads to 0. The exponent comes out too small."), _no_limit),
        single("FIT-LOGBASE", (
            "Two bases of the logarithm are mixed: the line is fitted in one, and its height is "
            "raised from the other. Only the coefficient is wrong."),
            _changed(lambda e, c, a: (e, math.exp(math.log10(c)), a)),
            _changed(lambda e, c, a: (e, 10 ** math.log(c), a)),
            _changed(lambda e, c, a: (e, math.exp(math.log2(c)), a)),
            _changed(lambda e, c, a: (e, 2 ** math.log(c), a))),
        single("FIT-LOGCOEF", (
            "The logarithm of the coefficient comes back, as the height of a line does. Raise it "
            "again."), _changed(lambda e, c, a: (e, math.log(c), a)),
            _changed(lambda e, c, a: (e, math.log10(c), a))),
        single("FIT-SIGN", (
            "The exponent has the wrong sign. Losses fall with the size, and the minus stands in "
            "the formula already."), _changed(lambda e, c, a: (e, c, -a))),
        single("FIT-ORDER", (
            "The three numbers come back in another order. It is irreducible, coefficient, "
            "exponent."), _changed(lambda e, c, a: (c, a, e)), _changed(lambda e, c, a: (e, a, c)),
            _changed(lambda e, c, a: (c, e, a)), _changed(lambda e, c, a: (a, c, e)),
            _changed(lambda e, c, a: (a, e, c))),
        single("FIT-SMALLEST", (
            "The irreducible loss is set by the smallest loss that was measured. The law goes on "
            "falling: fit that number too."), _smallest_loss,
            *map(_just_below, (0.99, 0.999, 0.95, 0.9))),
        single("FIT-EXPONENTIAL", (
            "Only the losses have a logarithm, so an exponential is fitted. In a power law the "
            "sizes have one too."), _exponential),
        single("FIT-FIXED", (
            "The exponent is not fitted: it is the same for all data."),
            *map(_fixed, (0.5, 0.34, 0.076, 1.0))),
    ),
    alternatives=(_by_the_limit, _by_newton),
)  # fmt: skip
