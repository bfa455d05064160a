"""Gates: a sigmoid on what passes, and gpt-oss's SwiGLU, open where what it gates is zero."""

import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.kinds import require_floats
from course_lib.precision import at_least_float32
from course_lib.shapes import require_axes
from course_lib.sizes import require_above_zero

__all__ = ["oai_swiglu", "sigmoid_gate"]


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


def sigmoid_gate(
    x: Float[Tensor, "*batch _"], gate: Float[Tensor, "*batch _"]
) -> Float[Tensor, "*batch _"]:
    r"""Let through a part of each number, from nothing to all of it.

    .. math:: y_i = \sigma(g_i)\, x_i

    or, with one gate g for all entries of a vector, σ(g) in each place.

    Qwen3-Next has such gates on what attention gives, one for each entry, and on what the shared
    expert gives, one for each token. A head whose softmax must weigh something can be shut so.

    Args:
        x: what passes.
        gate: g, before the sigmoid: one number for each entry of x, or one for all of a vector.

    Returns:
        One number for each of x, in its dtype; half precision is computed in float32 and rounded
        once. A gate of minus infinity gives 0, of plus infinity x. NaN in a gate reaches what it
        gates.

    Raises:
        ValueError: if x or gate holds no floating-point numbers, or there is neither one gate for
            each entry nor one for all.

    Source: Qiu et al. 2025 (arXiv:2505.06708), sec. 2, for attention; transformers' Qwen2-MoE for
    the shared expert.

    >>> sigmoid_gate(torch.tensor([2.0, 2.0, 2.0]), torch.tensor([-torch.inf, 0.0, torch.inf]))
    tensor([0., 1., 2.])
    """
    require_floats(x=x, gate=gate)
    require_axes("x", x, "*batch entries")
    if gate.shape not in (x.shape, (*x.shape[:-1], 1)):
        raise ValueError(
            "a vector has one gate for each of its entries, or one for all; "
            f"x has {x.shape[-1]} entries; shapes {tuple(x.shape)} and {tuple(gate.shape)}"
        )
    opened = torch.sigmoid(at_least_float32(gate))
    return (opened * at_least_float32(x)).to(x.dtype)
