"""The functions that bend a line: ReLU, GELU in both forms, SiLU."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["gelu", "gelu_tanh", "relu", "silu"]


def relu(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    r"""Keep what is positive; the rest becomes zero.

    .. math:: \mathrm{ReLU}(x) = \max(x, 0)

    Args:
        x: any numbers.

    Returns:
        One number for each; NaN stays NaN. The slope at zero is taken as zero.

    Source: Nair and Hinton 2010; in the Transformer, Vaswani et al. 2017 (arXiv:1706.03762), eq. 2.

    >>> relu(torch.tensor([-2.0, 3.0]))
    tensor([0., 3.])
    """
    return x.masked_fill(x <= 0, 0.0)


def gelu(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    r"""Weigh each number by the probability that a standard normal variable is smaller.

    .. math:: \mathrm{GELU}(x) = x \, \Phi(x) = \frac{x}{2} \, \mathrm{erfc}(-x / \sqrt 2)

    The complement erfc keeps the digits of a small probability, where 1 + erf(x/√2) cancels.

    Args:
        x: any finite numbers.

    Returns:
        One number for each.

    Source: Hendrycks and Gimpel 2016 (arXiv:1606.08415), sec. 2. BERT and Falcon use this form.

    >>> gelu(torch.tensor([-1.0, 0.0, 1.0]))
    tensor([-0.1587,  0.0000,  0.8413])
    """
    return 0.5 * x * torch.erfc(-x / math.sqrt(2.0))


def gelu_tanh(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    r"""Approximate GELU with a hyperbolic tangent, which was cheaper than erf.

    .. math:: \mathrm{GELU}(x) \approx \frac{x}{2} \Big(1 +
        \tanh\big(\sqrt{2/\pi} \, (x + 0.044715 \, x^3)\big)\Big)

    It differs from GELU by at most 4.8e-4, near x = ±2.7. A checkpoint wants the form that it was
    trained with.

    Args:
        x: any finite numbers.

    Returns:
        One number for each.

    Source: Hendrycks and Gimpel 2016 (arXiv:1606.08415), sec. 2. GPT-2 and Gemma use this form.

    >>> gelu_tanh(torch.tensor([-1.0, 0.0, 1.0]))
    tensor([-0.1588,  0.0000,  0.8412])
    """
    return 0.5 * x * (1.0 + torch.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x**3)))


def silu(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    r"""Weigh each number by its own sigmoid; also called Swish with β = 1.

    .. math:: \mathrm{SiLU}(x) = x \, \sigma(x) = \frac{x}{1 + e^{-x}}

    Args:
        x: any finite numbers.

    Returns:
        One number for each.

    Source: Hendrycks and Gimpel 2016 (arXiv:1606.08415), sec. 4, for the name; Ramachandran et al.
    2017 (arXiv:1710.05941) for Swish.

    >>> silu(torch.tensor([-1.0, 0.0, 1.0]))
    tensor([-0.2689,  0.0000,  0.7311])
    """
    return x * torch.sigmoid(x)
