"""rms_norm and layer_norm: each vector on one size, along its last axis."""

from __future__ import annotations

from typing import Any

from grading.exercise import Exercise, Inputs, Output, Probe, Tolerance
from grading.exercises.shared.drawing import normal
from grading.exercises.shared.single import single
from grading.exercises.shared.stepwise import mistake
from grading.exercises.transformer_block.forbidden import NORMS
from grading.exercises.transformer_block.norm_steps import LAYER_STEPS, RMS_STEPS
from grading.late import Tensor, late, torch

__all__ = ["LAYER_NORM", "RMS_NORM"]

library = late("course_lib.layers.norms")
#: What one or two roundings to float16 cost.
ROUNDED = Tolerance(rtol=5e-3, atol=2e-3)


def _drawn(
    shape: tuple[int, ...], eps: float, *, size: float = 1.0, shift: bool = False,
    zero: bool = False, half: bool = False,
) -> Any:  # fmt: skip
    """Draw vectors whose entries are not around 0, a gain, and for layer norm a shift."""

    def draw(generator: torch.Generator) -> Inputs:
        x = size * (normal(generator, *shape) + 0.7)
        if zero:
            x[..., 0, :] = 0.0
        parameters = {"g": normal(generator, shape[-1]) + 1.5}
        if shift:
            parameters["b"] = normal(generator, shape[-1])
        tensors = {"x": x, **parameters}
        if half:
            tensors = {name: one.half() for name, one in tensors.items()}
        return {**tensors, "eps": eps}

    return draw


def _probes(*, shift: bool) -> tuple[Probe, ...]:
    def drawn(shape: tuple[int, ...], eps: float, **more: Any) -> Any:
        return _drawn(shape, eps, shift=shift, **more)

    return (
        Probe(name="a batch of sequences, eps = 0.001", draw=drawn((2, 3, 5), 1e-3),
              gradient=True, single=True, half=True, sizes={"B": 2, "T": 3, "C": 5}),
        Probe(name="one sequence, eps = 0.1", draw=drawn((4, 3), 0.1), gradient=True,
              sizes={"T": 4, "C": 3}),
        Probe(name="two leading axes", draw=drawn((3, 2, 4, 6), 1e-5),
              sizes={"B": 3, "H": 2, "T": 4, "C": 6}),
        Probe(name="one short vector, eps = 0.05", draw=drawn((7,), 0.05, size=0.02),
              sizes={"C": 7}),
        Probe(name="entries near 0.001, eps = 0.000001", draw=drawn((3, 8), 1e-6, size=1e-3),
              sizes={"T": 3, "C": 8}),
        Probe(name="a row of zeros", draw=drawn((3, 4), 1e-4, zero=True), control=True,
              gradient=True, sizes={"T": 3, "C": 4}),
        Probe(name="some hundreds in float16", draw=drawn((2, 6), 1e-5, size=400.0, half=True),
              control=True, tolerance=ROUNDED, sizes={"T": 2, "C": 6}),
        Probe(name="vectors of two numbers", draw=drawn((2, 2), 0.5), edge=True),
    )  # fmt: skip


def _rms_with(**ways: Any) -> Any:
    return RMS_STEPS.answer(ways)


def _layer_with(**ways: Any) -> Any:
    return LAYER_STEPS.answer(ways)


def _rms_by_length(x: Tensor, g: Tensor, eps: float) -> Any:
    """Take the length of (x, √(C·eps)), which is the root of the sum of both."""
    wide = x if x.dtype == torch.float64 else x.float()
    C = x.shape[-1]
    column = torch.full_like(wide[..., :1], (C * eps) ** 0.5)
    length = torch.cat([wide, column], -1).norm(dim=-1, keepdim=True)
    return (wide / length * C**0.5 * g).to(x.dtype)


def _rms_by_einsum(x: Tensor, g: Tensor, eps: float) -> Any:
    wide = x.double()
    squares = torch.einsum("...c,...c->...", wide, wide) / x.shape[-1]
    return torch.einsum("...c,c,...->...c", wide, g.double(), (squares + eps) ** -0.5).to(x.dtype)


def _rms_row_by_row(x: Tensor, g: Tensor, eps: float) -> Any:
    rows = [
        row * g / torch.sqrt(row.double().dot(row.double()) / len(row) + eps)
        for row in x.reshape(-1, x.shape[-1])
    ]
    return torch.stack(rows).reshape(x.shape).to(x.dtype)


def _layer_by_squares(x: Tensor, g: Tensor, b: Tensor, eps: float) -> Any:
    """Take the variance as the mean of the squares less the square of the mean."""
    wide = x.double()
    mean, squares = wide.mean(-1, keepdim=True), wide.square().mean(-1, keepdim=True)
    return ((wide - mean) / (squares - mean**2 + eps).sqrt() * g + b).to(x.dtype)


def _layer_by_var(x: Tensor, g: Tensor, b: Tensor, eps: float) -> Any:
    wide = x if x.dtype == torch.float64 else x.float()
    variance, mean = torch.var_mean(wide, -1, correction=0, keepdim=True)
    return torch.addcmul(b.to(wide.dtype), (wide - mean) * torch.rsqrt(variance + eps),
                         g.to(wide.dtype)).to(x.dtype)  # fmt: skip


def _layer_by_a_matrix(x: Tensor, g: Tensor, b: Tensor, eps: float) -> Any:
    """Centre with the matrix I − 1/C, and take the length of what is left."""
    wide, C = x.double(), x.shape[-1]
    centred = wide @ (torch.eye(C, dtype=torch.float64) - 1 / C)
    length = (centred.square().sum(-1, keepdim=True) + C * eps).sqrt()
    return (centred / length * C**0.5 * g + b).to(x.dtype)


RMS_NORM = Exercise(
    name="rms_norm", slug="transformer-block", task="rms", title="RMS norm", kind="implement",
    points=0.75, difficulty=2, importance=3, minutes=15, parameters=("x", "g", "eps"),
    outputs=(Output(name="y", axes="... C"),), axes={"x": "... C", "g": "C"},
    reference=lambda x, g, eps: library.rms_norm(x, g, eps), equation="eq-rms-norm",
    part="course_lib.layers.norms.rms_norm", forbidden=NORMS,
    next_rung="Multiply x by 10: with a small eps nothing changes. The size of x is forgotten.",
    probes=_probes(shift=False),
    misconceptions=(
        mistake(RMS_STEPS, "RMS-MEAN", (
            "The mean is subtracted, as in layer norm. RMS norm only changes the size of a vector "
            "and leaves its mean where it is.")),
        mistake(RMS_STEPS, "RMS-SUM", (
            "The squares are added up and not averaged, so every vector comes out too short by the "
            "root of C. The mean square divides the sum by C."),
            lambda x, g, eps: x / x.norm(dim=-1, keepdim=True).clamp(min=1e-12) * g,
            lambda x, g, eps: x / (x.norm(dim=-1, keepdim=True) + eps) * g),
        mistake(RMS_STEPS, "RMS-AXIS", (
            "The mean of the squares runs along another axis than the last, or along several. "
            "Every vector is brought to one size by itself, so no vector may change another."),
            lambda x, g, eps: x * (x.square().mean(-2, keepdim=True) + eps).rsqrt() * g,
            lambda x, g, eps: x * (x.square().mean() + eps).rsqrt() * g),
        single("RMS-VAR", (
            "x is divided by its standard deviation, which is measured from the mean. The root of "
            "the mean square is measured from 0: the two differ wherever the mean is not 0."),
            _rms_with(square=lambda x: x.var(-1, correction=0, keepdim=True)),
            lambda x, g, eps: x / (x.var(-1, keepdim=True) + eps).sqrt() * g,
            lambda x, g, eps: x / (x.std(-1, keepdim=True) + eps) * g),
        single("RMS-ABS", (
            "The size of a vector is taken as the mean of |x|. The root of the mean square gives "
            "large entries more say."),
            _rms_with(square=lambda x: x.abs().mean(-1, keepdim=True).square())),
        mistake(RMS_STEPS, "RMS-EPSOUT", (
            "eps is added to the root and not under it. For ordinary vectors that is nearly the "
            "same; where the mean square is as small as eps, it is something else entirely.")),
        mistake(RMS_STEPS, "RMS-NOEPS", (
            "eps is not added under the root, and small vectors come out too large. There it also "
            "keeps a vector of zeros from a division by 0."),
            lambda x, g, eps: x / x.square().mean(-1, keepdim=True).sqrt().clamp(min=1e-12) * g),
        single("RMS-EPSFIXED", (
            "Whatever eps is handed over, one and the same number stands under the root. Models "
            "differ in it: eps is an argument."),
            _rms_with(divide=lambda x, square, eps: x * (square + 1e-6).rsqrt()),
            _rms_with(divide=lambda x, square, eps: x * (square + 1e-5).rsqrt())),
        single("RMS-CLAMP", (
            "eps is a floor under the size, which counts only where a vector is smaller. It has to "
            "be added to the mean square, whatever that is."),
            _rms_with(divide=lambda x, square, eps: x / square.clamp(min=eps).sqrt()),
            lambda x, g, eps: x / x.square().mean(-1, keepdim=True).sqrt().clamp(min=eps) * g),
        single("RMS-NOROOT", (
            "x is divided by the mean square itself. Without the root, a vector twice as long "
            "comes out half as long."),
            _rms_with(divide=lambda x, square, eps: x / (square + eps))),
        single("RMS-TIMES", (
            "x is multiplied by its size where it has to be divided by it, so large vectors grow. "
            "torch.rsqrt is one over the root already: multiply by it, or divide by torch.sqrt."),
            _rms_with(divide=lambda x, square, eps: x * (square + eps).sqrt())),
        mistake(RMS_STEPS, "RMS-NOGAIN", "g is not used."),
        mistake(RMS_STEPS, "RMS-UNIT", (
            "The result is multiplied by 1 + g. Gemma stores its gains so, less 1; here g is the "
            "gain itself.")),
        mistake(RMS_STEPS, "RMS-DTYPE", (
            "The squares are computed in the narrow dtype of x. In float16 the square of 300 is "
            "infinite, and the vector is divided by infinity: zeros. Widen to float32 first, and "
            "round what comes out.")),
    ),
    steps=RMS_STEPS,
    alternatives=(_rms_by_length, _rms_by_einsum, _rms_row_by_row),
)  # fmt: skip

LAYER_NORM = Exercise(
    name="layer_norm", slug="transformer-block", task="layer", title="Layer norm",
    kind="implement", points=0.75, difficulty=2, importance=3, minutes=15,
    parameters=("x", "g", "b", "eps"), outputs=(Output(name="y", axes="... C"),),
    axes={"x": "... C", "g": "C", "b": "C"},
    reference=lambda x, g, b, eps: library.layer_norm(x, g, b, eps), equation="eq-layer-norm",
    part="course_lib.layers.norms.layer_norm", forbidden=NORMS,
    next_rung="With a mean of 0 and b = 0 it is RMS norm.",
    probes=_probes(shift=True),
    misconceptions=(
        mistake(LAYER_STEPS, "LN-NOCENTRE", (
            "The mean is not subtracted from what comes out: x is divided by its standard "
            "deviation, and its mean is still in it.")),
        single("LN-RMS", (
            "x is divided by the root of its mean square, which still holds the mean. The variance "
            "is the mean of the squared distances from the mean."),
            _layer_with(variance=lambda x, mean: x.square().mean(-1, keepdim=True))),
        mistake(LAYER_STEPS, "LN-UNBIASED", (
            "The variance divides by C − 1. Layer norm divides by C: nothing is estimated from a "
            "sample here. `x.var` and `x.std` take C − 1 unless they are told `correction=0`.")),
        mistake(LAYER_STEPS, "LN-AXIS", (
            "Mean and variance run along another axis than the last, or along several, as in batch "
            "norm. Every vector is normalised by itself."),
            lambda x, g, b, eps: (x - x.mean(-2, keepdim=True))
            * (x.var(-2, correction=0, keepdim=True) + eps).rsqrt() * g + b,
            lambda x, g, b, eps: (x - x.mean()) * (x.var(correction=0) + eps).rsqrt() * g + b),
        mistake(LAYER_STEPS, "LN-EPSOUT", (
            "eps is added to the standard deviation and not to the variance under the root. For "
            "ordinary vectors that is nearly the same; for small ones it is not.")),
        single("LN-NOEPS", (
            "eps is not added under the root, and vectors whose entries hardly differ come out too "
            "large. There it also keeps equal entries from a division by 0."),
            _layer_with(divide=lambda x, square, eps: x / square.sqrt())),
        single("LN-EPSFIXED", (
            "Whatever eps is handed over, one and the same number stands under the root. Models "
            "differ in it: eps is an argument."),
            _layer_with(divide=lambda x, square, eps: x * (square + 1e-6).rsqrt()),
            _layer_with(divide=lambda x, square, eps: x * (square + 1e-5).rsqrt())),
        single("LN-NOROOT", (
            "x is divided by its variance. The root of it, the standard deviation, brings the "
            "variance to 1."), _layer_with(divide=lambda x, square, eps: x / (square + eps))),
        mistake(LAYER_STEPS, "LN-NOSHIFT", "b is not used: nothing is added at the end."),
        single("LN-BARE", "g and b are not used: this is the norm alone.",
               _layer_with(affine=lambda x, g, b: x)),
        single("LN-NOGAIN", "g is not used.", _layer_with(affine=lambda x, g, b: x + b)),
        single("LN-SHIFTFIRST", (
            "b is added before the gain and so multiplied by g. It stands behind the gain."),
            _layer_with(affine=lambda x, g, b: (x + b) * g)),
        single("LN-EXCHANGED", (
            "g and b are exchanged: b multiplies, g is added."),
            _layer_with(affine=lambda x, g, b: x * b + g)),
        mistake(LAYER_STEPS, "LN-DTYPE", (
            "Mean and squares are computed in the narrow dtype of x. In float16 the square of 300 "
            "is infinite, and what is left is b alone. Widen to float32 first, and round what "
            "comes out.")),
    ),
    steps=LAYER_STEPS,
    alternatives=(_layer_by_squares, _layer_by_var, _layer_by_a_matrix),
)  # fmt: skip
