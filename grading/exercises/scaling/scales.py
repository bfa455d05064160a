"""softmax_scale: the factor on q · k in released models."""

from __future__ import annotations

import math
from typing import Any

from grading.exercise import Exercise, Inputs, LeftOut, Output, Probe
from grading.exercises.shared.stepwise import mistake
from grading.late import late, torch
from grading.steps import Instead, Pipeline, Step

__all__ = ["SOFTMAX_SCALE"]

library = late("course_lib.scaling")


def _probe(name: str, head_dim: int, scalar: Any, factor: Any) -> Probe:
    def draw(generator: torch.Generator) -> Inputs:
        return {"head_dim": head_dim, "query_pre_attn_scalar": scalar, "yarn_factor": factor}

    return Probe(name=name, draw=draw, edge=True)


def _compose(do: Any) -> Any:
    """Put the steps in a row: what stands for D, its root, YaRN's factor."""

    def scale(
        head_dim: int, query_pre_attn_scalar: float | None = None, yarn_factor: float | None = None
    ) -> float:
        sharper = do.yarn(yarn_factor) if yarn_factor else 1.0
        return float(do.root(do.size(head_dim, query_pre_attn_scalar)) * sharper)

    return scale


def _divided(size: float) -> float:
    return float(size**-0.5)


def _width_of(heads: int) -> Any:
    return lambda d, a: (a or d) * heads


STEPS = Pipeline(
    compose=_compose,
    steps=(
        Step(name="size", right=lambda d, a: a or d, wrong={
            "SCL-HEADDIM": (lambda d, a: d,),
            "SCL-BOTH": (lambda d, a: d * (a or 1), lambda d, a: d + (a or 0)),
            "SCL-DMODEL": (
                *(_width_of(heads) for heads in (8, 12, 16, 32, 64, 96)),
                lambda d, a: 512, lambda d, a: 768),
            # Whoever returns 1/8 took no root: no mistake about one goes with it.
            "SCL-CONST8": (
                Instead(lambda d, a: 64, root=_divided),
                Instead(lambda d, a: 64, root=_divided, yarn=lambda factor: 1.0))}),
        Step(name="root", right=_divided, wrong={
            "SCL-NOROOT": (lambda size: 1 / size,),
            "SCL-INVERSE": (lambda size: size**0.5,)}),
        Step(name="yarn", given="yarn_factor",
             right=lambda factor: (0.1 * math.log(factor) + 1) ** 2, wrong={
            "SCL-YARNONCE": (lambda factor: 0.1 * math.log(factor) + 1,),
            "SCL-YARNLOG": (lambda factor: (0.1 * math.log2(factor) + 1) ** 2,
                            lambda factor: (0.1 * math.log10(factor) + 1) ** 2),
            "SCL-YARNINV": (lambda factor: (0.1 * math.log(factor) + 1) ** -2,),
            "SCL-NOYARN": (lambda factor: 1.0,)}),
    ),
)  # fmt: skip


def _in_logarithms(
    head_dim: int, query_pre_attn_scalar: Any = None, yarn_factor: Any = None
) -> Any:
    a = head_dim if query_pre_attn_scalar is None else query_pre_attn_scalar
    root = torch.rsqrt(torch.tensor(float(a), dtype=torch.float64))
    return root if yarn_factor is None else root * (1 + math.log(yarn_factor) / 10) ** 2


SOFTMAX_SCALE = Exercise(
    name="softmax_scale", slug="scaling", task="scale", title="The scale of released models",
    kind="implement", points=1.5, difficulty=2, importance=2, minutes=15,
    parameters=("head_dim", "query_pre_attn_scalar", "yarn_factor"),
    defaults={"query_pre_attn_scalar": None, "yarn_factor": None},
    outputs=(Output(name="scale", kind="number"),), 
    reference=lambda *arguments: library.softmax_scale(*arguments),
    equation="eq-scale",
    part="course_lib.scaling.softmax_scale",
    next_rung="Look up the head_dim of a model you use, and compute its scale.",
    probes=(
        _probe("head_dim 64 and nothing else", 64, LeftOut(), LeftOut()),
        _probe("head_dim 80, the others None", 80, None, None),
        _probe("Gemma 2 27B: head_dim 128, scalar 144, no yarn_factor", 128, 144, LeftOut()),
        _probe("head_dim 100, scalar 25", 100, 25.0, None),
        _probe("Gemma 3 27B: head_dim 128, scalar 168", 128, 168, None),
        _probe("gpt-oss: head_dim 64, YaRN factor 32", 64, None, 32.0),
        _probe("both: head_dim 128, scalar 144, YaRN factor 8", 128, 144, 8.0),
    ),
    misconceptions=(
        mistake(STEPS, "SCL-HEADDIM", (
            "query_pre_attn_scalar is not used. Where a model names one, it takes the place of "
            "head_dim.")),
        mistake(STEPS, "SCL-BOTH", (
            "head_dim and query_pre_attn_scalar both count. Where a model names the second, it "
            "takes the place of the first.")),
        mistake(STEPS, "SCL-DMODEL", (
            "The width of the whole model is taken for D. A score adds up the D products of one "
            "head.")),
        mistake(STEPS, "SCL-CONST8", "The size is 64, whatever the model's sizes are."),
        mistake(STEPS, "SCL-YARNONCE", (
            "YaRN's 0.1 ln f + 1 enters once. It multiplies the query and the key, so the score "
            "gets its square.")),
        mistake(STEPS, "SCL-YARNLOG", "YaRN's logarithm is the natural one."),
        mistake(STEPS, "SCL-YARNINV", (
            "YaRN's factor divides instead of multiplying. Over longer texts the scores grow, to "
            "keep the softmax sharp.")),
        mistake(STEPS, "SCL-NOYARN", "yarn_factor is not used."),
        mistake(STEPS, "SCL-NOROOT", "The root is missing: the size itself divides."),
        mistake(STEPS, "SCL-INVERSE", (
            "The root multiplies where it has to divide. The function returns the factor that "
            "multiplies the scores.")),
    ),
    steps=STEPS,
    alternatives=(_in_logarithms, STEPS.answer()),
)  # fmt: skip
