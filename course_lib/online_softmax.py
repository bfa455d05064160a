"""The softmax's denominator, one block of scores after another."""

import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.kinds import require_floats
from course_lib.precision import at_least_float32
from course_lib.shapes import require_entries

__all__ = ["online_softmax_update"]


def online_softmax_update(
    maximum: Float[Tensor, "*rows"],
    normaliser: Float[Tensor, "*rows"],
    scores_block: Float[Tensor, "*rows S"],
) -> tuple[Float[Tensor, "*rows"], Float[Tensor, "*rows"]]:
    r"""Take one more block of scores into a running softmax denominator.

    .. math:: m' = \max(m, \max_s z_s), \qquad
        \ell' = e^{m - m'} \ell + \sum_s e^{z_s - m'}

    Start with m = minus infinity and l = 0. After the last block, in whatever order they came,
    m + log l is the log-sum-exp of all scores.

    Args:
        maximum: m, the largest score so far.
        normaliser: l, the sum so far of exp(score - maximum); in float32 or more, whatever the
            dtype of the scores: rounded to bfloat16 between the blocks, it would stop at 256.
        scores_block: the next scores of each row; minus infinity where a key is not read.

    Returns:
        The new maximum and the new normaliser, in the dtypes of the old ones, computed in at least
        float32. While no score was above minus infinity they stay minus infinity and zero. A plus
        infinity makes both plus infinity, and NaN both NaN.

    Raises:
        ValueError: if the rows of the three differ, or the block is empty.

    Source: Milakov and Gimelshein 2018 (arXiv:1805.02867), alg. 3.

    >>> state = torch.tensor(-torch.inf), torch.tensor(0.0)
    >>> state = online_softmax_update(*state, torch.tensor([0.0, 2.0]))
    >>> online_softmax_update(*state, torch.tensor([2.0]))
    (tensor(2.), tensor(2.1353))
    """
    require_floats(maximum=maximum, normaliser=normaliser, scores_block=scores_block)
    if not maximum.shape == normaliser.shape == scores_block.shape[:-1]:
        raise ValueError(
            "online_softmax_update needs one maximum and one normaliser per row of the block; "
            f"the block has {scores_block.shape[:-1].numel()} rows, maximum {maximum.numel()}, "
            f"normaliser {normaliser.numel()}; shapes {tuple(scores_block.shape)}, "
            f"{tuple(maximum.shape)} and {tuple(normaliser.shape)}"
        )
    require_entries(scores_block, -1)
    m, z = at_least_float32(maximum), at_least_float32(scores_block)
    new_m = torch.maximum(m, z.amax(-1))
    shift = new_m.masked_fill(new_m.isinf(), 0.0)  # inf - inf would be NaN
    added = (z - shift[..., None]).exp().sum(-1)
    total = at_least_float32(normaliser) * (m - shift).exp() + added
    return new_m.to(maximum.dtype), total.to(normaliser.dtype)
