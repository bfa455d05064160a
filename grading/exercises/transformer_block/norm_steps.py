"""The steps of both norms, and under which code each is done wrongly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from grading.late import Tensor, torch
from grading.steps import Instead, Pipeline, Step

__all__ = ["LAYER_STEPS", "RMS_STEPS"]

Way = Callable[..., Any]


def _rms(do: Any) -> Way:
    """Put the steps of RMS norm in a row."""

    def norm(x: Tensor, g: Tensor, eps: float) -> Any:
        centred = do.centre(do.widen(x))
        return do.gain(do.divide(centred, do.square(centred), eps), g).to(x.dtype)

    return norm


def _layer(do: Any) -> Way:
    """Put the steps of layer norm in a row."""

    def norm(x: Tensor, g: Tensor, b: Tensor, eps: float) -> Any:
        wide = do.widen(x)
        mean = do.mean(wide)
        divided = do.divide(do.centre(wide, mean), do.variance(wide, mean), eps)
        return do.affine(divided, g, b).to(x.dtype)

    return norm


def _wide(x: Tensor) -> Tensor:
    return x if x.dtype == torch.float64 else x.float()


def _same(x: Tensor) -> Tensor:
    return x


def _mean(x: Tensor) -> Tensor:
    return x.mean(-1, keepdim=True)


def _inside(x: Tensor, square: Tensor, eps: float) -> Tensor:
    return x * (square + eps).rsqrt()


def _outside(x: Tensor, square: Tensor, eps: float) -> Tensor:
    return x / (square.sqrt() + eps)


def _without(x: Tensor, square: Tensor, eps: float) -> Tensor:
    return x / square.sqrt()


RMS_STEPS = Pipeline(
    compose=_rms,
    steps=(
        Step(name="widen", right=_wide, wrong={"RMS-DTYPE": (_same,)}),
        Step(name="centre", right=_same, wrong={"RMS-MEAN": (lambda x: x - _mean(x),)}),
        Step(name="square", right=lambda x: _mean(x.square()), wrong={
            "RMS-SUM": (lambda x: x.square().sum(-1, keepdim=True),),
            "RMS-AXIS": (lambda x: x.square().mean(0, keepdim=True),),
        }),
        Step(name="divide", right=_inside, wrong={
            "RMS-EPSOUT": (_outside,), "RMS-NOEPS": (_without,),
        }),
        Step(name="gain", right=lambda x, g: x * g, wrong={
            "RMS-NOGAIN": (lambda x, g: x,),
            "RMS-UNIT": (lambda x, g: x * (1 + g),),
        }),
    ),
)  # fmt: skip


def _variance(x: Tensor, mean: Tensor) -> Tensor:
    return _mean((x - mean).square())


LAYER_STEPS = Pipeline(
    compose=_layer,
    steps=(
        Step(name="widen", right=_wide, wrong={"LN-DTYPE": (_same,)}),
        Step(name="mean", right=_mean, wrong={
            "LN-AXIS": (Instead(
                lambda x: x.mean(0, keepdim=True),
                variance=lambda x, mean: (x - mean).square().mean(0, keepdim=True)),),
        }),
        Step(name="centre", right=lambda x, mean: x - mean, wrong={
            "LN-NOCENTRE": (lambda x, mean: x,),
        }),
        Step(name="variance", right=_variance, wrong={
            "LN-UNBIASED": (lambda x, mean: x.var(-1, keepdim=True),),
        }),
        Step(name="divide", right=_inside, wrong={"LN-EPSOUT": (_outside,)}),
        Step(name="affine", right=lambda x, g, b: x * g + b, wrong={
            "LN-NOSHIFT": (lambda x, g, b: x * g,),
        }),
    ),
)  # fmt: skip
