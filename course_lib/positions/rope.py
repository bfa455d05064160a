"""Rotary positions: a query and a key are turned by their positions, and the difference counts."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from course_lib.kinds import require_floats, require_integers, require_same_device
from course_lib.positions.rotation_table import rotate_by_table, rotation_table
from course_lib.shapes import require_axes
from course_lib.sizes import is_above_zero, require_number, require_whole

__all__ = ["halves_to_interleaved", "interleaved_to_halves", "rope", "rope_inv_freq", "rotate"]


def rope_inv_freq(
    rotary_dim: int, base: float, *, device: torch.device | str | None = None
) -> Float[Tensor, " _"]:
    r"""Return how far each pair of entries turns per position.

    .. math:: \theta_i = b^{-2i/D}, \qquad i = 0 \dots D/2 - 1

    Args:
        rotary_dim: D, the entries of a head that turn; even. Less than the head's size is partial
            rotary.
        base: b, above 0, "rope_theta" in configuration files; 10,000 in the paper.
        device: where the frequencies live; None is PyTorch's default.

    Returns:
        Radians per position, one finite number per pair, from 1 down; float64.

    Raises:
        ValueError: if rotary_dim is odd or below 2, or the base not positive and finite, in float32
            too.

    Source: Su et al. 2021 (arXiv:2104.09864), sec. 3.2.2, which counts i from 1.

    >>> rope_inv_freq(4, 10000.0)
    tensor([1.0000, 0.0100], dtype=torch.float64)
    """
    require_whole(rotary_dim=rotary_dim)
    require_number(base=base)
    if rotary_dim < 2 or rotary_dim % 2 or not is_above_zero(base):
        raise ValueError(
            "RoPE turns pairs of entries, so rotary_dim is even and at least 2, "
            "and its base is positive and finite, in float32 too; "
            f"rotary_dim is {rotary_dim} and base is {base}"
        )
    exponents = torch.arange(0, rotary_dim, 2, dtype=torch.float64, device=device) / rotary_dim
    return float(base) ** -exponents


def rotate(
    x: Float[Tensor, "*batch T D"],
    positions: Int[Tensor, " T"],
    inv_freq: Float[Tensor, " _"],
    concentration: float = 1.0,
) -> Float[Tensor, "*batch T D"]:
    r"""Turn each pair of entries of a query or a key by an angle that grows with its position.

    With n frequencies, entry i pairs with entry n + i (half-split):

    .. math:: \begin{pmatrix} y_i \\ y_{n+i} \end{pmatrix} = c
        \begin{pmatrix} \cos t\theta_i & -\sin t\theta_i \\ \sin t\theta_i & \cos t\theta_i
        \end{pmatrix} \begin{pmatrix} x_i \\ x_{n+i} \end{pmatrix}

    The product of a query at t and a key at s depends on t - s alone. Values are not turned.

    Args:
        x: queries or keys, one row per position; split into heads before.
        positions: t, where each row stands in the sequence; any integers.
        inv_freq: θ, radians per position, one per pair. If they are fewer than D/2, only the first
            2n entries turn (partial rotary) and the others stay as they are.
        concentration: c, the factor on what is turned; YaRN's is above 1. It enters the scores
            squared, once by the query and once by the key.

    Returns:
        The turned rows, in the dtype of x. Angles have the precision of inv_freq; half precision
        is computed in float32 and rounded once. An infinity or NaN leaves neither entry of its pair
        finite, and no other pair sees it.

    Raises:
        ValueError: if x has no axis of rows, if there is not one position per row, if 2n exceeds D,
            if x holds no floating-point numbers (integers would be cut off) or positions no
            integers, if a frequency is NaN, infinite or so large that an angle is, if the
            concentration is not positive and finite, or if inv_freq has less than float32's
            precision: bfloat16 cannot tell position 5000 from 5001.

    Source: Su et al. 2021 (arXiv:2104.09864), eq. 15, where entry 2i pairs with 2i + 1: the same up
    to the order of the columns, see ``interleaved_to_halves``. Half-split as in GPT-NeoX and Llama
    in transformers, which compute angles in float32: wrong by up to 0.004 at position 131,071.
    Cost: 6 n FLOPs a row.

    >>> eighth = torch.tensor([torch.pi / 4])
    >>> rotate(torch.tensor([[1.0, 0.0, 5.0]]), torch.tensor([1]), eighth)
    tensor([[0.7071, 0.7071, 5.0000]])
    """
    _require_rotation(x, positions, inv_freq)
    return rotate_by_table(x, rotation_table(positions, inv_freq, concentration))


def rope(
    x: Float[Tensor, "*batch T D"], positions: Int[Tensor, " T"], base: float = 10000.0
) -> Float[Tensor, "*batch T D"]:
    r"""Turn the whole of each query or key by its position.

    Args:
        x: queries or keys, one row per position; D is even.
        positions: where each row stands in the sequence; any integers.
        base: b, of the frequencies b^(-2i/D); 10,000 in the paper.

    Returns:
        The turned rows; infinity and NaN as in ``rotate``.

    Raises:
        ValueError: if x has no axis of rows, D is odd, there is not one position per row, or the
            base is not positive and finite.

    Source: Su et al. 2021 (arXiv:2104.09864), eq. 15; half-split, see ``rotate``.

    >>> rope(torch.tensor([[1.0, 0.0]]), torch.tensor([1]), 10000.0)  # cos 1, sin 1
    tensor([[0.5403, 0.8415]])
    """
    require_axes("x", x, "*batch T D")
    return rotate(x, positions, rope_inv_freq(x.shape[-1], base, device=x.device))


def interleaved_to_halves(
    w: Float[Tensor, "*rows _"], head_dim: int, rotary_dim: int | None = None
) -> Float[Tensor, "*rows _"]:
    r"""Reorder a projection so that half-split rotation does what interleaved rotation did.

    Within each head, column 2i goes to i, and column 2i + 1 to n + i. Queries and keys are
    reordered alike, so their products stay the same; values and the output are not touched.

    Args:
        w: W_Q or W_K, its columns those of all heads, one head after the other; or their bias; or
            queries or keys themselves.
        head_dim: D, columns of one head.
        rotary_dim: 2n, the first columns of a head, which turn; None means all D.

    Returns:
        The same columns, reordered, NaN and infinity with them.

    Raises:
        ValueError: if the columns are no whole number of heads, or rotary_dim is odd or above D.

    Source: Su et al. 2021 (arXiv:2104.09864), eq. 15, and Meta's Llama weights are interleaved;
    transformers' are half-split.

    >>> interleaved_to_halves(torch.tensor([0.0, 1.0, 2.0, 3.0]), 4)
    tensor([0., 2., 1., 3.])
    """
    rotary_dim = _require_heads(w, head_dim, rotary_dim)
    heads = torch.unflatten(w, -1, (w.shape[-1] // head_dim, head_dim))
    turned, rest = heads[..., :rotary_dim], heads[..., rotary_dim:]
    return torch.cat([turned[..., 0::2], turned[..., 1::2], rest], dim=-1).flatten(-2)


def halves_to_interleaved(
    w: Float[Tensor, "*rows _"], head_dim: int, rotary_dim: int | None = None
) -> Float[Tensor, "*rows _"]:
    r"""Undo ``interleaved_to_halves``.

    Within each head, column i goes to 2i, and column n + i to 2i + 1.

    Args:
        w: W_Q or W_K, its columns those of all heads, one head after the other; or their bias; or
            queries or keys themselves.
        head_dim: D, columns of one head.
        rotary_dim: 2n, the first columns of a head, which turn; None means all D.

    Returns:
        The same columns, reordered, NaN and infinity with them.

    Raises:
        ValueError: if the columns are no whole number of heads, or rotary_dim is odd or above D.

    >>> halves_to_interleaved(torch.tensor([0.0, 2.0, 1.0, 3.0]), 4)
    tensor([0., 1., 2., 3.])
    """
    rotary_dim = _require_heads(w, head_dim, rotary_dim)
    heads = torch.unflatten(w, -1, (w.shape[-1] // head_dim, head_dim))
    half = rotary_dim // 2
    first, second, rest = heads[..., :half], heads[..., half:rotary_dim], heads[..., rotary_dim:]
    pairs = torch.stack([first, second], dim=-1).flatten(-2)
    return torch.cat([pairs, rest], dim=-1).flatten(-2)


def _require_rotation(x: Tensor, positions: Tensor, inv_freq: Tensor) -> None:
    require_axes("x", x, "*batch T D")
    require_axes("inv_freq", inv_freq, "D/2")
    require_floats(x=x, inv_freq=inv_freq)
    require_integers(positions=positions)
    require_same_device(x=x, positions=positions)
    if positions.shape != x.shape[-2:-1]:
        raise ValueError(
            "rotate needs one position per row of x; "
            f"x has T={x.shape[-2]} rows and positions {positions.numel()} entries; "
            f"shapes {tuple(x.shape)} and {tuple(positions.shape)}"
        )
    if 2 * inv_freq.numel() > x.shape[-1]:
        raise ValueError(
            "a frequency turns two entries of a head; "
            f"inv_freq has {inv_freq.numel()} frequencies and x has D={x.shape[-1]} entries; "
            f"shapes {tuple(inv_freq.shape)} and {tuple(x.shape)}"
        )
    if torch.promote_types(inv_freq.dtype, torch.float32) != inv_freq.dtype:
        raise ValueError(
            "angles are computed in at least float32, whatever the dtype of x; "
            f"inv_freq is {inv_freq.dtype} and x is {x.dtype}; "
            f"shapes {tuple(inv_freq.shape)} and {tuple(x.shape)}"
        )


def _require_heads(w: Tensor, head_dim: int, rotary_dim: int | None) -> int:
    require_axes("w", w, "*rows _")
    turned = head_dim if rotary_dim is None else rotary_dim
    require_whole(head_dim=head_dim, rotary_dim=turned)
    if head_dim < 1 or w.shape[-1] % head_dim:
        raise ValueError(
            "the columns of w are those of whole heads, head_dim each; "
            f"w has {w.shape[-1]} columns and head_dim is {head_dim}; its shape is {tuple(w.shape)}"
        )
    if turned % 2 or not 0 <= turned <= head_dim:
        raise ValueError(
            "pairs of a head's columns turn, so rotary_dim is even and at most head_dim; "
            f"rotary_dim is {turned} and head_dim is {head_dim}; the shape of w is {tuple(w.shape)}"
        )
    return turned
