"""softmax_scale: the factor on q · k in released models."""

from __future__ import annotations

import math
from typing import Any

from grading.exercise import Exercise, Inputs, LeftOut, Misconception, Output, Probe
from grading.late import late, torch

__all__ = ["SOFTMAX_SCALE"]

library = late("course_lib.scaling")


def _probe(name: str, head_dim: int, scalar: Any, factor: Any) -> Probe:
    def draw(generator: torch.Generator) -> Inputs:
        return {"head_dim": head_dim, "query_pre_attn_scalar": scalar, "yarn_factor": factor}

    return Probe(name=name, draw=draw, edge=True)


def _scale(
    size: Any = lambda head_dim, scalar: scalar or head_dim,
    power: float = -0.5,
    yarn: Any = lambda factor: (0.1 * math.log(factor) + 1) ** 2,
) -> Any:
    def scale(
        head_dim: int, query_pre_attn_scalar: float | None = None, yarn_factor: float | None = None
    ) -> float:
        sharper = yarn(yarn_factor) if yarn_factor else 1.0
        return float(size(head_dim, query_pre_attn_scalar) ** power * sharper)

    return scale


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
        Misconception(code="SCL-HEADDIM", wrong=_scale(size=lambda d, a: d), also=(
            _scale(size=lambda d, a: d, yarn=lambda factor: 1.0),), sentence=(
            "query_pre_attn_scalar is not used. Where a model names one, it stands under the root "
            "instead of head_dim.")),
        Misconception(code="SCL-BOTH", wrong=_scale(size=lambda d, a: d * (a or 1)), also=(
            _scale(size=lambda d, a: d + (a or 0)),), sentence=(
            "head_dim and query_pre_attn_scalar both stand under the root. Where a model names the "
            "second, it takes the place of the first.")),
        Misconception(code="SCL-DMODEL", wrong=_scale(size=lambda d, a: (a or d) * 8), also=tuple(
            _scale(size=size) for size in (
                *(lambda d, a, h=heads: (a or d) * h for heads in (12, 16, 32, 64, 96)),
                lambda d, a: 512, lambda d, a: 768)), sentence=(
            "The width of the whole model stands under the root. A score adds up the D products of "
            "one head.")),
        Misconception(code="SCL-CONST8", wrong=_scale(size=lambda d, a: 64), also=(
            lambda d, a, f: 1 / 8,), sentence=(
            "The root is that of 64, whatever the model's sizes are.")),
        Misconception(code="SCL-YARNONCE", wrong=_scale(
            yarn=lambda factor: 0.1 * math.log(factor) + 1), sentence=(
            "YaRN's 0.1 ln f + 1 enters once. It multiplies the query and the key, so the score "
            "gets its square.")),
        Misconception(code="SCL-YARNLOG", wrong=_scale(
            yarn=lambda factor: (0.1 * math.log2(factor) + 1) ** 2), also=(
            _scale(yarn=lambda factor: (0.1 * math.log10(factor) + 1) ** 2),), sentence=(
            "YaRN's logarithm is the natural one.")),
        Misconception(code="SCL-YARNINV", wrong=_scale(
            yarn=lambda factor: (0.1 * math.log(factor) + 1) ** -2), sentence=(
            "YaRN's factor divides instead of multiplying. Over longer texts the scores grow, to "
            "keep the softmax sharp.")),
        Misconception(code="SCL-NOYARN", wrong=_scale(yarn=lambda factor: 1.0),
                      sentence="yarn_factor is not used."),
        Misconception(code="SCL-NOROOT", wrong=_scale(power=-1.0), sentence=(
            "The root is missing: this is 1/D.")),
        Misconception(code="SCL-INVERSE", wrong=_scale(power=0.5), sentence=(
            "This is √D, what the scores are divided by. The function returns the factor that "
            "multiplies them.")),
    ),
    alternatives=(_in_logarithms, _scale()),
)  # fmt: skip
