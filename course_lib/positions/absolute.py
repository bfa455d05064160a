"""A vector for each position, added to the token's: sinusoids, or a learnt table."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from course_lib.kinds import floating_dtype, require_floats, require_integers, require_same_device
from course_lib.shapes import require_axes
from course_lib.sizes import is_above_zero, require_number, require_whole

__all__ = ["learned", "sinusoidal"]


def sinusoidal(
    num_positions: int,
    d_model: int,
    base: float = 10000.0,
    *,
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
) -> Float[Tensor, "T C"]:
    r"""Describe each position by waves, from fast to slow; sine and cosine alternate.

    .. math:: p_{t, 2i} = \sin(t / b^{2i/C}), \qquad p_{t, 2i+1} = \cos(t / b^{2i/C})

    A step of k positions turns each pair by a fixed angle, whatever t is.

    Args:
        num_positions: T, positions 0 to T - 1.
        d_model: C, entries of each vector; if odd, the last wave has no cosine.
        base: b, above 0; the slowest wave is almost 2πb positions long.
        dtype: of the table; None is PyTorch's default.
        device: where the table lives; None is PyTorch's default.

    Returns:
        One row per position, from -1 to 1: never NaN. The waves are computed in float64 and rounded
        once, to the dtype.

    Raises:
        ValueError: if a size is negative, the base not positive and finite, in float32 too, or the
            dtype one of integers.

    Source: Vaswani et al. 2017 (arXiv:1706.03762), sec. 3.5. Marian puts all sines before all
    cosines: the same columns in another order. The authors' own code, tensor2tensor's
    ``get_timing_signal_1d``, does so too, but spreads other waves, :math:`b^{-i / (C/2 - 1)}`: the
    slowest is 1/b itself, at C = 8 1e-4 where the paper's is 1e-3.

    >>> sinusoidal(2, 4)
    tensor([[0.0000, 1.0000, 0.0000, 1.0000],
            [0.8415, 0.5403, 0.0100, 0.9999]])
    """
    require_whole(num_positions=num_positions, d_model=d_model)
    require_number(base=base)
    if num_positions < 0 or d_model < 0 or not is_above_zero(base):
        raise ValueError(
            "a table of sinusoids has num_positions, d_model >= 0, "
            "and a base that is positive and finite, in float32 too; "
            f"num_positions is {num_positions}, d_model is {d_model}, base is {base}"
        )
    kept = floating_dtype(dtype)
    column = torch.arange(d_model, device=device)
    wave = 2 * (column // 2)  # 2i, for the sine and its cosine alike
    positions = torch.arange(num_positions, dtype=torch.float64, device=device)
    angles = positions[:, None] / base ** (wave.double() / d_model)
    table = torch.where(column % 2 == 0, angles.sin(), angles.cos())
    return table.to(kept)


def learned(
    table: Float[Tensor, "S C"], positions: Int[Tensor, "*batch T"]
) -> Float[Tensor, "*batch T C"]:
    r"""Look each position up in a table of parameters, as a token is looked up in another.

    .. math:: p_t = E_{t}

    Args:
        table: E, one row for each position that training has seen.
        positions: where each token stands; from 0.

    Returns:
        One row of the table per position, NaN and infinity as they stand there.

    Raises:
        ValueError: if a position is no integer, negative, or beyond the table.

    Source: Gehring et al. 2017 (arXiv:1705.03122), sec. 3.1; GPT-2 and BERT. A learnt table ends:
    nothing is known of position S.

    >>> learned(torch.tensor([[1.0], [2.0], [3.0]]), torch.tensor([2, 0]))
    tensor([[3.],
            [1.]])
    """
    require_integers(positions=positions)
    require_floats(table=table)
    require_same_device(positions=positions, table=table)
    require_axes("positions", positions, "*batch T")
    require_axes("table", table, "S C")
    outside = (positions < 0) | (positions >= table.shape[0])
    if outside.any():
        raise ValueError(
            f"the table has rows for positions 0 to {table.shape[0] - 1}; "
            f"position {positions[outside][0].item()} came; "
            f"shapes {tuple(table.shape)} and {tuple(positions.shape)}"
        )
    return table[positions.long()]
