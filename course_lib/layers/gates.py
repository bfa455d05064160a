"""The gate of gpt-oss: a SwiGLU between bounds, open where what it gates is zero."""

import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.kinds import require_floats
from course_lib.precision import at_least_float32
from course_lib.sizes import require_above_zero

__all__ = ["oai_swiglu"]


def oai_swiglu(
    x: Float[Tensor, "*batch _"], alpha: float = 1.702, limit: float = 7.0
) -> Float[Tensor, "*batch F"]:
    r"""Let every second entry gate the one behind it.

    .. math:: y_i = g\, \sigma(\alpha g)\, (u + 1), \qquad
        g = \min(x_{2i}, l), \quad u = \max(-l, \min(x_{2i+1}, l))

    A gate is cut off above only: far below zero its sigmoid is zero anyway. The 1 lets the gate
    through where u is 0. With α = 1.702 the product g σ(α g) is near GELU.

    Args:
        x: gates at the even places, what they gate at the odd ones: 2 F entries.
        alpha: α, how steep the gate is.
        limit: l, the bound; above 0.

    Returns:
        F numbers for each vector, in the dtype of x; half precision is computed in float32 and
        rounded once. NaN stays in its pair.

    Raises:
        ValueError: if x has an odd number of entries, holds no floating-point numbers, or alpha or
            limit is not above 0.

    Source: gpt-oss (arXiv:2508.10925), sec. 2.2 and ``torch/model.py``. Most other models keep the
    gates and what they gate in two halves, without a bound and without the 1.

    >>> oai_swiglu(torch.tensor([1.0, 0.0, 9.0, -9.0]))
    tensor([  0.8458, -41.9997])
    """
    require_floats(x=x)
    require_above_zero("alpha", alpha, "the gate's steepness")
    require_above_zero("limit", limit, "the bound on a gate")
    if x.ndim == 0 or x.shape[-1] % 2:
        raise ValueError(
            "each gate stands before what it gates, so the entries are even in number; "
            f"x has {x.shape[-1] if x.ndim else 1} of them; shape {tuple(x.shape)}"
        )
    wide = at_least_float32(x)
    gate = wide[..., ::2].clamp(max=limit)
    up = wide[..., 1::2].clamp(-limit, limit)
    return (gate * torch.sigmoid(alpha * gate) * (up + 1)).to(x.dtype)
