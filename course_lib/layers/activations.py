"""The functions that bend a line: ReLU, GELU in both forms, SiLU."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.kinds import require_floats
from course_lib.precision import at_least_float32

__all__ = ["gelu", "gelu_tanh", "relu", "silu"]


def relu(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    r"""Keep what is positive; the rest becomes zero.

    .. math:: \mathrm{ReLU}(x) = \max(x, 0)

    Args:
        x: any numbers.

    Returns:
        One number for each; NaN and plus infinity stay, minus infinity gives 0. The slope at zero
        is taken as zero.

    Raises:
        ValueError: if x holds no floating-point numbers: integers would be cut off.

    Source: Nair and Hinton 2010; in the Transformer, Vaswani et al. 2017 (arXiv:1706.03762), eq. 2.

    >>> relu(torch.tensor([-2.0, 3.0]))
    tensor([0., 3.])
    """
    require_floats(x=x)
    return x.masked_fill(x <= 0, 0.0)


def gelu(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    r"""Weigh each number by the probability that a standard normal variable is smaller.

    .. math:: \mathrm{GELU}(x) = x \, \Phi(x) = \frac{x}{2} \, \mathrm{erfc}(-x / \sqrt 2)

    The complement erfc keeps the digits of a small probability, where 1 + erf(x/√2) cancels.

    Args:
        x: any numbers.

    Returns:
        One number for each, in the dtype of x; half precision is computed in float32 and rounded
        once. Plus infinity stays; minus infinity, times a probability of 0, is NaN, as in PyTorch.

    Raises:
        ValueError: if x holds no floating-point numbers: integers would be cut off.

    Source: Hendrycks and Gimpel 2016 (arXiv:1606.08415), sec. 2. BERT and Falcon use this form.

    >>> gelu(torch.tensor([-1.0, 0.0, 1.0]))
    tensor([-0.1587,  0.0000,  0.8413])
    """
    require_floats(x=x)
    wide = at_least_float32(x)
    return (0.5 * wide * torch.erfc(-wide / math.sqrt(2.0))).to(x.dtype)


def gelu_tanh(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    r"""Approximate GELU with a hyperbolic tangent, which was cheaper than erf.

    .. math:: \mathrm{GELU}(x) \approx \frac{x}{2} (1 + \tanh u) = x \, \sigma(2u), \qquad
        u = \sqrt{2/\pi} \, (x + 0.044715 \, x^3)

    The sigmoid keeps the digits of a small probability, where 1 + tanh u cancels. It differs from
    GELU by at most 4.8e-4, near x = ±2.7. A checkpoint wants the form that it was trained with.

    Args:
        x: any numbers.

    Returns:
        One number for each, in the dtype of x; half precision is computed in float32 and rounded
        once. Plus infinity stays; minus infinity, times a probability of 0, is NaN, as in PyTorch.

    Raises:
        ValueError: if x holds no floating-point numbers: integers would be cut off.

    Source: Hendrycks and Gimpel 2016 (arXiv:1606.08415), sec. 2. GPT-2 and Gemma use this form.

    >>> gelu_tanh(torch.tensor([-1.0, 0.0, 1.0]))
    tensor([-0.1588,  0.0000,  0.8412])
    """
    require_floats(x=x)
    wide = at_least_float32(x)
    near = wide.clamp(-100.0, 100.0)  # beyond, the sigmoid is 0 or 1; a cube would overflow
    u = math.sqrt(2.0 / math.pi) * (near + 0.044715 * near**3)
    return (wide * torch.sigmoid(2.0 * u)).to(x.dtype)


def silu(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    r"""Weigh each number by its own sigmoid; also called Swish with β = 1.

    .. math:: \mathrm{SiLU}(x) = x \, \sigma(x) = \frac{x}{1 + e^{-x}}

    Args:
        x: any numbers.

    Returns:
        One number for each, in the dtype of x; half precision is computed in float32 and rounded
        once. Plus infinity stays; minus infinity, times a sigmoid of 0, is NaN, as in PyTorch.

    Raises:
        ValueError: if x holds no floating-point numbers: integers would be cut off.

    Source: Hendrycks and Gimpel 2016 (arXiv:1606.08415), sec. 4, for the name; Ramachandran et al.
    2017 (arXiv:1710.05941) for Swish.

    >>> silu(torch.tensor([-1.0, 0.0, 1.0]))
    tensor([-0.2689,  0.0000,  0.7311])
    """
    require_floats(x=x)
    wide = at_least_float32(x)
    return (wide * torch.sigmoid(wide)).to(x.dtype)
