"""The cosines and sines of rotary positions, made once for all layers that turn alike."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from course_lib.shapes import require_axes
from course_lib.sizes import require_number

__all__ = ["RotationTable", "require_frequencies", "rotate_by_table", "rotation_table"]

#: Cosines and sines, one row per position and one column per pair.
RotationTable = tuple[Float[Tensor, "T _"], Float[Tensor, "T _"]]


def rotation_table(
    positions: Int[Tensor, " T"], inv_freq: Float[Tensor, " _"], concentration: float = 1.0
) -> RotationTable:
    r"""Compute by how much each pair of entries turns at each position.

    .. math:: c \cos(t\, \theta_i), \qquad c \sin(t\, \theta_i)

    Args:
        positions: t, any integers.
        inv_freq: θ, radians per position, one per pair.
        concentration: c, the factor on what is turned; YaRN's is above 1.

    Returns:
        The cosines and the sines, in the precision of inv_freq: finite numbers.

    Raises:
        ValueError: if inv_freq has less than float32's precision: bfloat16 cannot tell position
            5000 from 5001; if a frequency is NaN or infinite, or an angle is; if the concentration
            is not positive and finite.

    Source: Su et al. 2021 (arXiv:2104.09864), eq. 34.

    >>> rotation_table(torch.tensor([0, 1]), torch.tensor([torch.pi / 2]))[1]
    tensor([[0.],
            [1.]])
    """
    if torch.promote_types(inv_freq.dtype, torch.float32) != inv_freq.dtype:
        raise ValueError(
            "angles are computed in at least float32, whatever is turned; "
            f"inv_freq is {inv_freq.dtype}; shapes {tuple(inv_freq.shape)} and "
            f"{tuple(positions.shape)} (positions)"
        )
    require_frequencies(inv_freq)
    require_number(concentration=concentration)
    if not 0 < concentration < math.inf:
        raise ValueError(
            "a concentration makes rows longer, so it is positive and finite; "
            f"concentration is {concentration}; shape {tuple(positions.shape)} (positions)"
        )
    angles = positions[:, None] * inv_freq
    if not angles.is_meta and not angles.isfinite().all():
        raise ValueError(
            "a pair turns by a finite angle, position times frequency; "
            f"{int((~angles.isfinite()).sum())} of {angles.numel()} angles are not finite, and the "
            f"largest frequency is {inv_freq.abs().max().item()}; shapes {tuple(positions.shape)} "
            f"(positions) and {tuple(inv_freq.shape)}"
        )
    return concentration * angles.cos(), concentration * angles.sin()


def require_frequencies(inv_freq: Float[Tensor, " _"]) -> None:
    """Refuse frequencies by which nothing can turn.

    Args:
        inv_freq: θ, radians per position, one per pair.

    Returns:
        Nothing, if all are finite.

    Raises:
        ValueError: if one is NaN or infinite.
    """
    wrong = [] if inv_freq.is_meta else inv_freq[~inv_freq.isfinite()].tolist()
    if wrong:
        raise ValueError(
            "a pair turns by a finite number of radians per position; "
            f"{len(wrong)} of {inv_freq.numel()} frequencies are not finite, the first is "
            f"{wrong[0]}; shape {tuple(inv_freq.shape)}"
        )


def rotate_by_table(
    x: Float[Tensor, "*batch T D"], table: RotationTable
) -> Float[Tensor, "*batch T D"]:
    r"""Turn each pair of entries of a query or a key as a table says.

    With n columns in the table, entry i pairs with entry n + i (half-split):

    .. math:: y_i = x_i \cos_{ti} - x_{n+i} \sin_{ti}, \qquad
        y_{n+i} = x_{n+i} \cos_{ti} + x_i \sin_{ti}

    Args:
        x: queries or keys, one row per position; split into heads before.
        table: from ``rotation_table``, for the positions of these rows. If its pairs are fewer than
            D/2, only the first 2n entries turn (partial rotary) and the others stay as they are.

    Returns:
        The turned rows, in the dtype of x; half precision is computed in float32 and rounded once.
        An infinity or NaN leaves neither entry of its pair finite, and no other pair sees it.

    Raises:
        ValueError: if x has no axis of rows, the table not one row for each of them, or 2n is
            more than D.

    Source: Su et al. 2021 (arXiv:2104.09864), eq. 34, half-split as in ``rotate``.
    Cost: 6 n FLOPs a row.
    """
    require_axes("x", x, "*batch T D")
    cosine, sine = table
    rows, half = cosine.shape
    if rows != x.shape[-2] or 2 * half > x.shape[-1]:
        raise ValueError(
            "a table has one row per row of x, and a column turns two of its D entries; "
            f"x has T={x.shape[-2]}, D={x.shape[-1]} and the table {rows} rows, {half} columns; "
            f"shapes {tuple(x.shape)} and {tuple(cosine.shape)}"
        )
    working = torch.promote_types(x.dtype, torch.float32)
    cosine, sine = cosine.to(working), sine.to(working)
    first, second, rest = x[..., :half], x[..., half : 2 * half], x[..., 2 * half :]
    turned = torch.cat([first * cosine - second * sine, second * cosine + first * sine], dim=-1)
    return torch.cat([turned.to(x.dtype), rest], dim=-1)
