"""A norm brings each vector to one size: layer norm, RMS norm in two conventions, length one."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.kinds import require_floats
from course_lib.precision import at_least_float32
from course_lib.shapes import require_axes
from course_lib.sizes import require_eps

__all__ = ["layer_norm", "rms_norm", "rms_norm_unit_offset", "unit_length"]


def layer_norm(
    x: Float[Tensor, "*batch C"], g: Float[Tensor, " C"], b: Float[Tensor, " C"], eps: float
) -> Float[Tensor, "*batch C"]:
    r"""Give each vector mean zero and variance one, then a gain and a shift per entry.

    .. math:: y_i = g_i \, \frac{x_i - \mu}{\sqrt{\sigma^2 + \epsilon}} + b_i, \qquad
        \mu = \frac{1}{C} \sum_j x_j, \quad \sigma^2 = \frac{1}{C} \sum_j (x_j - \mu)^2

    Args:
        x: vectors; each is normalised on its own, over its last axis.
        g: gain of each entry; starts at 1.
        b: shift of each entry; starts at 0.
        eps: added to the variance inside the root; 1e-5 in GPT-2. At 0 equal entries give NaN.

    Returns:
        The vectors, in the dtype of x. Half precision is computed in float32 and rounded once. No
        finite entry is too large; NaN or an infinity makes its vector NaN.

    Raises:
        ValueError: if g or b do not have one number per entry of a vector.

    Source: Ba, Kiros and Hinton 2016 (arXiv:1607.06450), eq. 3 and 4; eps is left out. The variance
    divides by C, not by C - 1.

    >>> layer_norm(torch.tensor([1.0, 3.0]), torch.ones(2), torch.zeros(2), eps=0.0)
    tensor([-1.,  1.])
    """
    _require_entries(x, "g", g)
    _require_entries(x, "b", b)
    scaled, scaled_eps = _in_range(x, eps)
    centred = scaled - scaled.mean(-1, keepdim=True)
    variance = centred.square().mean(-1, keepdim=True)
    return (centred * (variance + scaled_eps).rsqrt() * g + b).to(x.dtype)


def rms_norm(
    x: Float[Tensor, "*batch C"], g: Float[Tensor, " C"], eps: float
) -> Float[Tensor, "*batch C"]:
    r"""Divide each vector by the root of its mean square, then multiply by a gain per entry.

    .. math:: y_i = g_i \, \frac{x_i}{\sqrt{\frac{1}{C} \sum_j x_j^2 + \epsilon}}

    The mean stays where it is: no subtraction, no shift.

    Args:
        x: vectors; each is normalised on its own, over its last axis.
        g: gain of each entry; starts at 1.
        eps: added to the mean square inside the root; 1e-6 or 1e-5 in released models. At 0 a
            vector of zeros gives NaN.

    Returns:
        The vectors, in the dtype of x. Half precision is normalised in float32, rounded, and then
        multiplied by g, as in Llama: the result is rounded twice. No finite entry is too large; NaN
        or an infinity makes its vector NaN.

    Raises:
        ValueError: if g does not have one number per entry of a vector.

    Source: Zhang and Sennrich 2019 (arXiv:1910.07467), eq. 4; eps is left out there.

    >>> rms_norm(torch.tensor([1.0, 7.0]), torch.ones(2), eps=0.0)
    tensor([0.2000, 1.4000])
    """
    _require_entries(x, "g", g)
    return (_normalise(x, eps).to(x.dtype) * g).to(x.dtype)


def rms_norm_unit_offset(
    x: Float[Tensor, "*batch C"], g: Float[Tensor, " C"], eps: float
) -> Float[Tensor, "*batch C"]:
    r"""Normalise as RMS norm does, with a gain of one plus a learnt number.

    .. math:: y_i = (1 + g_i) \, \frac{x_i}{\sqrt{\frac{1}{C} \sum_j x_j^2 + \epsilon}}

    So weight decay, which pulls g to 0, pulls the gain to 1.

    Args:
        x: vectors; each is normalised on its own, over its last axis.
        g: what is added to a gain of one; starts at 0.
        eps: added to the mean square inside the root; 1e-6 in Gemma. At 0 a vector of zeros gives
            NaN.

    Returns:
        The vectors, in the dtype of x. Half precision is computed in float32, the gain included,
        and rounded once. No finite entry is too large; NaN or an infinity makes its vector NaN.

    Raises:
        ValueError: if g does not have one number per entry of a vector.

    Source: Gemma 2 (arXiv:2408.00118), sec. 2, for RMS norm; its released code for 1 + g.

    >>> rms_norm_unit_offset(torch.tensor([1.0, 7.0]), torch.zeros(2), eps=0.0)
    tensor([0.2000, 1.4000])
    """
    _require_entries(x, "g", g)
    return (_normalise(x, eps) * (1.0 + at_least_float32(g))).to(x.dtype)


def unit_length(x: Float[Tensor, "*batch C"], eps: float) -> Float[Tensor, "*batch C"]:
    r"""Divide each vector by its length: RMS norm without a gain, shorter by the root of C.

    .. math:: y_i = \frac{x_i}{\sqrt{\sum_j x_j^2 + \epsilon}}

    Args:
        x: vectors; each is normalised on its own, over its last axis.
        eps: added to the square of the length inside the root, not to a mean; 1e-6 in Qwen3-Next.
            At 0 a vector of zeros gives NaN.

    Returns:
        The vectors, in the dtype of x. Half precision is computed in float32 and rounded once. No
        finite entry is too large; NaN or an infinity makes its vector NaN.

    Raises:
        ValueError: if x holds no floating-point numbers, or eps is negative, infinite or NaN.

    Source: Yang et al. 2024 (arXiv:2412.06464), sec. 3.4: queries and keys of the delta rule.

    >>> unit_length(torch.tensor([3.0, 4.0]), eps=0.0)
    tensor([0.6000, 0.8000])
    """
    require_floats(x=x)
    require_axes("x", x, "*batch C")
    require_eps(eps)
    size = max(1, x.shape[-1])
    return (_normalise(x, eps / size) / math.sqrt(size)).to(x.dtype)


def _normalise(x: Tensor, eps: float) -> Tensor:
    scaled, scaled_eps = _in_range(x, eps)
    return scaled * (scaled.square().mean(-1, keepdim=True) + scaled_eps).rsqrt()


def _in_range(x: Tensor, eps: float) -> tuple[Tensor, Tensor | float]:
    """Divide x by a power of two and eps by its square: the same quotient, and no square overflows.

    Squares of float32 end at 1.8e19, and a power of two changes no digit. Numbers whose squares are
    far from both ends stay as they are: in ordinary models, all. To look waits for a GPU, once a
    call, and stops ``torch.func.vmap``; to divide always takes up to twice as long.
    """
    require_eps(eps)
    wide = at_least_float32(x)
    limits = torch.finfo(wide.dtype)
    if eps > math.sqrt(limits.tiny) and not wide.is_meta:  # beside eps, what vanishes is nothing
        length = torch.linalg.vector_norm(wide.detach()).item()
        if length < limits.max**0.25:  # the gradient has the quotient's third power
            return wide, eps
    least = math.sqrt(max(eps, limits.tiny))  # so that eps / power² is at most 4
    size = wide.detach().abs().amax(-1, keepdim=True).clamp(min=least)
    power = size / (2 * size.frexp().mantissa)  # size = mantissa · 2 · power, 1/2 <= mantissa < 1
    return wide / power, eps / power / power


def _require_entries(x: Tensor, name: str, parameter: Tensor) -> None:
    require_floats(**{"x": x, name: parameter})
    require_axes("x", x, "*batch C")
    if parameter.shape != x.shape[-1:]:
        raise ValueError(
            f"a norm has one number in {name} per entry of a vector; the vectors have "
            f"{x.shape[-1]} entries and {name} has {parameter.numel()}; "
            f"shapes {tuple(x.shape)} and {tuple(parameter.shape)}"
        )
