"""A short convolution: each entry of a token sees itself in the last few tokens, and no other."""

import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.kinds import require_same_dtype
from course_lib.precision import at_least_float32
from course_lib.shapes import require_axes

__all__ = ["short_convolution"]


def short_convolution(
    x: Float[Tensor, "*batch T C"],
    kernel: Float[Tensor, "W C"],
    before: Float[Tensor, "*batch _ C"] | None = None,
) -> tuple[Float[Tensor, "*batch T C"], Float[Tensor, "*batch _ C"]]:
    r"""Weigh the last W tokens, entry by entry: depthwise, and causal.

    .. math:: y_{tc} = \sum_{w=0}^{W-1} k_{wc}\, x_{t - (W-1) + w,\; c}

    The kernel's last row meets the token itself. Tokens before the first one are zeros. With W = 1
    nothing but a factor on each entry is left.

    Args:
        x: one row per token.
        kernel: k, W weights for each entry.
        before: the W - 1 rows before these, as an earlier call handed them on; None is zeros.

    Returns:
        One row per token, in the dtype of x: half precision is summed in float32 and rounded once.
        And the last W - 1 rows so far, which the next call has before it. NaN reaches its own entry
        of its own token and of the W - 1 that follow.

    Raises:
        ValueError: if the kernel has no row, or not one column per entry; if before has not W - 1
            rows of each sequence; if the dtypes differ.

    Source: Yang et al. 2024 (arXiv:2412.06464), sec. 3.4, for queries, keys and values; before them
    Mamba (arXiv:2312.00752), sec. 3.4.
    Cost: 2 T W C FLOPs; W - 1 rows are kept.

    >>> x, kernel = torch.tensor([[1.0], [2.0], [4.0]]), torch.tensor([[1.0], [3.0]])
    >>> y, after = short_convolution(x, kernel)
    >>> y.T, after  # three times the token, and once the one before
    (tensor([[ 3.,  7., 14.]]), tensor([[4.]]))
    """
    require_axes("x", x, "*batch T C")
    require_axes("kernel", kernel, "W C")
    require_same_dtype(x=x, kernel=kernel)
    width, entries = kernel.shape
    if width < 1 or entries != x.shape[-1]:
        raise ValueError(
            "a kernel has at least one row, and one column for each entry of a token; "
            f"x has {x.shape[-1]} entries, the kernel W={width} rows and {entries} columns; "
            f"shapes {tuple(x.shape)} and {tuple(kernel.shape)}"
        )
    rows = torch.cat([_before(x, before, width - 1), x], dim=-2)
    wide, weights = at_least_float32(rows), at_least_float32(kernel)
    length = x.shape[-2]
    y = torch.zeros_like(wide[..., :length, :])
    for w in range(width):
        y = y + weights[w] * wide[..., w : w + length, :]
    return y.to(x.dtype), rows[..., length:, :]


def _before(x: Tensor, before: Tensor | None, count: int) -> Tensor:
    """The rows before x, or zeros."""
    size = (*x.shape[:-2], count, x.shape[-1])
    if before is None:
        return x.new_zeros(size)
    require_same_dtype(x=x, before=before)
    if before.shape != size:
        raise ValueError(
            f"a kernel of W={count + 1} rows has W - 1 = {count} tokens of each sequence before "
            f"it; before has the shape {tuple(before.shape)} and is to have {size}; "
            f"x has {tuple(x.shape)}"
        )
    return before
