"""How much of its state a head keeps at each token: a sigmoid, to a power of the head's own."""

import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.kinds import require_floats
from course_lib.precision import at_least_float32
from course_lib.shapes import require_axes

__all__ = ["forget_gate"]


def forget_gate(
    x: Float[Tensor, "*batch T H"], log_rate: Float[Tensor, " H"], bias: Float[Tensor, " H"]
) -> Float[Tensor, "*batch T H"]:
    r"""Turn one number of each token and head into the factor on the head's state.

    .. math:: \alpha_{th} = \exp\big(-e^{r_h} \ln(1 + e^{x_{th} + b_h})\big)

    .. math:: \phantom{\alpha_{th}} = \sigma(-x_{th} - b_h)^{\,e^{r_h}}

    A large x lets go, a small one keeps. A head of a small rate forgets slowly whatever it reads.

    Args:
        x: one number per token and head, made from the token.
        log_rate: r, the logarithm of each head's rate: any number, so training may move it freely.
        bias: b, what a head forgets without being told.

    Returns:
        α, from 0 to 1, in float32, or in float64 where one of the three is: in half precision
        0.999 would be 1, and a head that forgets slowly would never forget. NaN stays in its head
        of its token.

    Raises:
        ValueError: if there is not one rate and one bias per head, or something is no
            floating-point number.

    Source: Yang et al. 2024 (arXiv:2412.06464), sec. 3.4, after Mamba-2 (arXiv:2405.21060);
    log_rate and bias are A_log and dt_bias in transformers' Qwen3-Next.

    >>> forget_gate(torch.zeros(1, 2), torch.tensor([0.0, 1.0]).log(), torch.zeros(2))
    tensor([[1.0000, 0.5000]])
    """
    require_floats(x=x, log_rate=log_rate, bias=bias)
    require_axes("x", x, "*batch T H")
    for name, part in (("log_rate", log_rate), ("bias", bias)):
        if part.shape != x.shape[-1:]:
            raise ValueError(
                f"each head has one number in {name}; x is of H={x.shape[-1]} heads and {name} has "
                f"{part.numel()}; shapes {tuple(x.shape)} and {tuple(part.shape)}"
            )
    z = at_least_float32(x) + at_least_float32(bias)
    forgotten = torch.logaddexp(z, torch.zeros_like(z))  # ln(1 + exp z), exact where z is large
    return torch.exp(-at_least_float32(log_rate).exp() * forgotten)
