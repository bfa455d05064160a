"""Linformer: the keys are mixed into a few before anything is compared; and is that enough?"""

import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.attention.dot_product import scaled_dot_product_attention
from course_lib.attention.fitting import require_key_values, require_same_batch, require_same_size
from course_lib.kinds import require_same_dtype
from course_lib.precision import at_least_float32
from course_lib.shapes import require_axes, require_entries
from course_lib.sizes import require_whole

__all__ = ["linformer", "spectrum"]


def linformer(
    query: Float[Tensor, "*batch T D"],
    key: Float[Tensor, "*batch S D"],
    value: Float[Tensor, "*batch S Dv"],
    e: Float[Tensor, "_ S"],
    f: Float[Tensor, "_ S"],
) -> Float[Tensor, "*batch T Dv"]:
    r"""Mix S keys and values into fewer of each, and attend to the mixtures (two-sided).

    .. math:: O = \mathrm{softmax}\big( Q (E K)^\top / \sqrt{D} \big) \, (F V)

    Each mixture holds something of every position, so no mask can make this causal.

    Args:
        query: one row per position that asks.
        key: one row per position that can be read.
        value: one per key.
        e: the learnt projection of positions for the keys; E = F = I is plain attention.
        f: the one for the values, with as many rows.

    Returns:
        One mean of mixed values per query, in the dtype of the queries, computed in at least
        float32; F has any signs, so it need not lie between the values. NaN or an infinity in one
        key or value reaches every query.

    Raises:
        ValueError: if e and f have not the same number of rows, or none, or not S columns, or if
            queries, keys and values do not fit.

    Source: Wang et al. 2020 (arXiv:2006.04768), eq. 7; E and F are learnt for one length S.
    Cost: with K rows 2 K S (D + Dv) + 2 T K (D + Dv) FLOPs; T K scores are held.
    """
    require_same_batch(query, key, "key")
    require_same_batch(query, value, "value")
    require_same_size(query, key)
    require_key_values(key, value)
    require_axes("e", e, "K S")
    require_axes("f", f, "K S")
    require_same_dtype(key=key, e=e, f=f)
    if e.shape != f.shape or e.shape[1] != key.shape[-2] or e.shape[0] == 0:
        raise ValueError(
            "e and f have a row for each mixture and a column for each key, and are alike; "
            f"e is {e.shape[0]} x {e.shape[1]} and f {f.shape[0]} x {f.shape[1]}, and there are "
            f"S={key.shape[-2]} keys; shapes {tuple(e.shape)}, {tuple(f.shape)} and "
            f"{tuple(key.shape)}"
        )
    # A sum of S keys may be more than float16 holds.
    q, k, v, mix_keys, mix_values = map(at_least_float32, (query, key, value, e, f))
    output, _ = scaled_dot_product_attention(q, mix_keys @ k, mix_values @ v)
    return output.to(query.dtype)


def spectrum(weights: Float[Tensor, "*batch T S"], r: int) -> Float[Tensor, "*batch"]:
    r"""Return how much of a matrix its r largest singular values hold.

    .. math:: \frac{\sum_{i \le r} \sigma_i}{\sum_i \sigma_i}

    Near 1, the rows are nearly mixtures of r rows. What random matrices reach is to be compared:
    with a causal mask they are above those without.

    Args:
        weights: P, or any matrix.
        r: how many are counted, from 0; beyond min(T, S) there are no more.

    Returns:
        From 0 to 1, one number per matrix, in the dtype of the weights; NaN for a matrix of zeros,
        and where a weight is NaN or infinite.

    Raises:
        ValueError: if r is negative, or there is no query or no key.

    Source: Wang et al. 2020 (arXiv:2006.04768), figure 1: singular values, not their squares.

    >>> spectrum(torch.diag(torch.tensor([3.0, 1.0])), 1)
    tensor(0.7500)
    """
    require_axes("weights", weights, "*batch T S")
    require_entries(weights, -1, "weights")
    require_entries(weights, -2, "weights")
    require_whole(r=r)
    if r < 0:
        raise ValueError(f"singular values are counted from 0, so r >= 0; r is {r}")
    wide = at_least_float32(weights)
    is_finite = wide.isfinite().all(-1).all(-1)
    values: Tensor = torch.linalg.svdvals(wide.masked_fill(~is_finite[..., None, None], 0.0))
    share = values[..., :r].sum(-1) / values.sum(-1)
    return share.to(weights.dtype)
