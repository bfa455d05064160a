"""kernel_regression: a curve estimated as a mean of heights, weighted by nearness."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from grading.exercise import Exercise, Inputs, Output, Probe
from grading.exercises.shared.drawing import normal
from grading.exercises.shared.recognising import fails_only_on
from grading.exercises.shared.stepwise import mistake
from grading.exercises.soft_lookup.soft_steps import by_sum
from grading.late import Tensor, late, torch
from grading.steps import Pipeline, Step

__all__ = ["KERNEL_REGRESSION"]

library = late("course_lib.lookup")
Way = Callable[..., Any]
#: The probe on which exponentials without a maximum leave 0/0.
FAR = "places 1000 away from every measured one"


def _compose(do: Any) -> Way:
    def estimate(xq: Tensor, xk: Tensor, y: Tensor, width: float) -> Any:
        scores = do.exponent(xq[:, None] - xk, width)
        return do.mix(do.share(scores), xk, y)

    return estimate


STEPS = Pipeline(
    compose=_compose,
    steps=(
        Step(name="exponent", right=lambda d, width: -(d**2) / (2 * width**2), wrong={
            "NW-WIDTH": (lambda d, width: -(d**2) / width, lambda d, width: -(d**2) / (2 * width)),
            "NW-NOTWO": (lambda d, width: -(d**2) / width**2,),
            "NW-SQRT": (lambda d, width: -d.abs() / (2 * width**2),
                        lambda d, width: -d.abs() / width),
            "NW-TIMES": (lambda d, width: -((d * width) ** 2) / 2,),
            "NW-FIXED": (lambda d, width: -(d**2) / 2,),
            "NW-SIGN": (lambda d, width: d**2 / (2 * width**2),)}),
        Step(name="share", right=lambda scores: scores.softmax(-1), wrong={
            "NW-AXIS": (lambda scores: scores.softmax(0),),
            "NW-UNDERFLOW": (by_sum,),
            "NW-NONORM": (lambda scores: scores.exp(),
                          lambda scores: scores.exp() / scores.shape[-1]),
            "NW-ZEROFAR": (
                lambda scores: by_sum(scores).nan_to_num(nan=0.0),
                *(lambda scores, least=least: scores.exp()
                  / (scores.exp().sum(-1, keepdim=True) + least)
                  for least in (1e-8, 1e-6)))}),
        Step(name="mix", right=lambda weights, xk, y: weights @ y, wrong={
            "NW-PLACES": (lambda weights, xk, y: weights @ xk,)}),
    ),
)  # fmt: skip


def _drawn(T: int, S: int, width: float, offset: float = 0.0) -> Any:
    def draw(generator: torch.Generator) -> Inputs:
        xq, xk = normal(generator, T), normal(generator, S)
        xq[0] += offset
        xq[-1] -= offset
        return {"xq": xq, "xk": xk, "y": normal(generator, S), "width": width}

    return draw


def _by_loops(xq: Tensor, xk: Tensor, y: Tensor, width: float) -> Tensor:
    made = []
    for place in xq:
        scores = -((place - xk) ** 2) / (2 * width**2)
        kernel = (scores - scores.max()).exp()
        made.append((kernel * y).sum() / kernel.sum())
    return torch.stack(made)


def _by_soft_lookup(xq: Tensor, xk: Tensor, y: Tensor, width: float) -> Tensor:
    scores = (xq[:, None] * xk - xk.square() / 2) / width**2
    return torch.einsum("ts,s->t", torch.softmax(scores, dim=1), y)


KERNEL_REGRESSION = Exercise(
    name="kernel_regression", slug="soft-lookup", task="kernel", title="A curve by nearness",
    kind="implement", points=1.0, difficulty=2, importance=2, minutes=15,
    parameters=("xq", "xk", "y", "width"), outputs=(Output(name="heights", axes="T"),),
    axes={"xq": "T", "xk": "S", "y": "S"},
    reference=lambda *inputs: library.kernel_regression(*inputs), equation="eq-kernel-regression",
    part="course_lib.lookup.kernel_regression",
    next_rung="It is your soft lookup with D = 1 and the temperature 2 · width².",
    probes=(
        Probe(name="width 0.6", draw=_drawn(7, 9, 0.6), gradient=True, single=True, half=True,
              sizes={"T": 7, "S": 9}),
        Probe(name="width 1.7, more places asked for than measured", draw=_drawn(11, 4, 1.7),
              sizes={"T": 11, "S": 4}),
        Probe(name="width 3, two measured places", draw=_drawn(5, 2, 3), sizes={"T": 5, "S": 2}),
        Probe(name=FAR, draw=_drawn(4, 6, 0.5, 1000.0), control=True, gradient=True,
              sizes={"T": 4, "S": 6}),
        Probe(name="one place asked for, two measured", draw=_drawn(1, 2, 0.5), edge=True),
    ),
    misconceptions=(
        mistake(STEPS, "NW-WIDTH", (
            "The squared difference is divided by the width, once or twice, where 2 · width² has "
            "to stand. The width is a length, like the difference, so it is squared too.")),
        mistake(STEPS, "NW-NOTWO", (
            "The 2 of 2 · width² is missing, which makes the kernel narrower by √2.")),
        mistake(STEPS, "NW-SQRT", (
            "The difference is not squared: |x| makes a kernel with a tip and longer tails.")),
        mistake(STEPS, "NW-TIMES", (
            "The difference is multiplied by the width, where it has to be divided: a larger width "
            "has to let heights reach further.")),
        mistake(STEPS, "NW-FIXED", "The width is not used."),
        mistake(STEPS, "NW-SIGN", (
            "The exponent has lost its minus: the farthest measured place counts most.")),
        mistake(STEPS, "NW-AXIS", (
            "The kernel is divided by its sum over the places that are asked for. Each of those "
            "shares out its own 1 over the measured places.")),
        mistake(STEPS, "NW-UNDERFLOW", (
            "Far from every measured place all kernels are 0, and 0/0 is NaN. Subtract the row's "
            "largest exponent first, or let torch.softmax do it."),
            recognise=fails_only_on(FAR)),
        mistake(STEPS, "NW-NONORM", (
            "The kernels are not divided by their own sum, so that heights are added up or shrink "
            "where few places are near.")),
        mistake(STEPS, "NW-ZEROFAR", (
            "Far from every measured place the curve falls to 0, as where a small number is added "
            "to the sum of the kernels, or a NaN is replaced. The nearest measured height is right "
            "there. Subtract the row's largest exponent first.")),
        mistake(STEPS, "NW-PLACES", (
            "The measured places are averaged. The weights belong to the heights y.")),
    ),
    steps=STEPS,
    alternatives=(_by_loops, _by_soft_lookup),
)  # fmt: skip
