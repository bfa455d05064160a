"""Attention with linear biases: the further a key lies back, the lower its score."""

import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.kinds import floating_dtype
from course_lib.masks import distances
from course_lib.sizes import require_whole

__all__ = ["alibi_bias", "alibi_slopes"]


def alibi_slopes(
    num_heads: int, *, dtype: torch.dtype | None = None, device: torch.device | str | None = None
) -> Float[Tensor, " H"]:
    r"""Return what each head subtracts per position of distance.

    .. math:: m_h = 2^{-8 (h + 1) / H}, \qquad h = 0 \dots H - 1

    for a power of two. Any other H takes the slopes of the power of two below it, H', and then
    every second slope of 2H', which lie between them: 12 heads have those of 8, then 4 of 16.

    Args:
        num_heads: H, at least 1.
        dtype: of the slopes; None is PyTorch's default.
        device: where the slopes live; None is PyTorch's default.

    Returns:
        One slope per head, from 2^-8 up to below 1.

    Raises:
        ValueError: if there is no head, or the dtype is one of integers.

    Source: Press et al. 2022 (arXiv:2108.12409), sec. 3; for other H their released code, which
    BLOOM follows.

    >>> alibi_slopes(3)
    tensor([0.0625, 0.0039, 0.2500])
    """
    require_whole(num_heads=num_heads)
    if num_heads < 1:
        raise ValueError(
            f"ALiBi has one slope per head, so num_heads >= 1; num_heads is {num_heads}"
        )
    power = 1 << (int(num_heads).bit_length() - 1)  # the power of two at or below H
    steps = [(head + 1) / power for head in range(power)]
    between = [(2 * head + 1) / (2 * power) for head in range(num_heads - power)]
    slopes = [2.0 ** (-8.0 * step) for step in steps + between]
    return torch.tensor(slopes, dtype=floating_dtype(dtype), device=device)


def alibi_bias(
    num_heads: int,
    num_queries: int,
    num_keys: int,
    *,
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
) -> Float[Tensor, "H T S"]:
    r"""Return what is added to the scores, after they were scaled by 1/√D.

    The last query sits at the last key (bottom-right alignment):

    .. math:: b_{hts} = -m_h \, |(S - T + t) - s|

    Args:
        num_heads: H, at least 1.
        num_queries: T, the queries; the last T positions of the sequence.
        num_keys: S, all positions.
        dtype: of the bias; None is PyTorch's default.
        device: where the bias lives; None is PyTorch's default.

    Returns:
        Zero for a query's own position, and less the further a key lies away. The bias hides
        nothing: a causal model adds its mask. It is finite, but for float16, where a bias below
        -65,504 is minus infinity; a weight of e^-65504 is 0 as well.

    Raises:
        ValueError: if there is no head, a size is negative, or the dtype is one of integers.

    Source: Press et al. 2022 (arXiv:2108.12409), sec. 3, for the keys behind a query; keys ahead,
    which are masked there, get the same bias by distance. BLOOM adds m_h s instead, which differs
    by a number per query and gives the same weights.

    >>> alibi_bias(1, 2, 3)
    tensor([[[-0.0039,  0.0000, -0.0039],
             [-0.0078, -0.0039,  0.0000]]])
    """
    kept = floating_dtype(dtype)
    working = torch.promote_types(kept, torch.float32)  # half precision cannot count to 300
    slopes = alibi_slopes(num_heads, dtype=working, device=device)
    steps = distances(num_queries, num_keys, device=device).abs()
    return (slopes[:, None, None] * -steps).to(kept)
