"""Keys that nobody may read: a NaN in the padding must not reach what is read."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from course_lib.masks import require_mask

__all__ = ["zero_unread"]


def zero_unread(
    query: Float[Tensor, "*queries T D"],
    key: Float[Tensor, "*keys S D"],
    value: Float[Tensor, "*keys S Dv"],
    may_attend: Bool[Tensor, "*#mask #T #S"],
) -> tuple[Float[Tensor, "*keys S D"], Float[Tensor, "*keys S Dv"]]:
    r"""Set the keys and values that no query may read to zero.

    Their weights are zero, but 0 · NaN is NaN: a NaN in the padding would reach every query, by the
    weighted sum and by the gradient.

    .. math:: k'_s = r_s k_s, \quad v'_s = r_s v_s, \qquad
        r_s = \max_t M_{ts}, \quad 0 \cdot \text{NaN} = 0

    Args:
        query: only its shape is used: one row per position that asks.
        key: one row per position that can be read; with heads G divides H.
        value: what each of those positions hands over.
        may_attend: True where query t may read key s; broadcasts to the scores.

    Returns:
        The keys and the values. One that some query may read stays as it is, NaN too: then every
        query of those heads gets NaN, as in PyTorch, and the fault is seen.

    Raises:
        ValueError: if may_attend does not broadcast to the scores.
        TypeError: if may_attend is not of torch.bool.

    Cost: one look at the mask; where a key is not read, a copy of the keys and values,
    B G S (D + Dv) numbers.
    """
    scores_shape = (*query.shape[:-1], key.shape[-2])
    require_mask(may_attend, query.new_zeros(()).expand(scores_shape))
    is_read = may_attend.any(-2)
    if is_read.ndim > 1 and is_read.shape[-2] > 1:  # a mask for each head: R of them share a key
        is_read = torch.unflatten(is_read, -2, (key.shape[-3], -1)).any(-2)
    if not is_read.is_meta and is_read.all():
        return key, value  # a step of decoding reads every key, and must not copy them
    unread = ~is_read.unsqueeze(-1)
    return key.masked_fill(unread, 0.0), value.masked_fill(unread, 0.0)
