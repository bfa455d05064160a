"""A block of queries attends and is fed forward before the next one begins."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from course_lib.attention.fitting import require_groups, require_key_values
from course_lib.exact.blockwise import blockwise_attention
from course_lib.sizes import require_positive

__all__ = ["attend_then_feed"]


def attend_then_feed(
    query: Float[Tensor, "B H T D"],
    key: Float[Tensor, "B G S D"],
    value: Float[Tensor, "B G S Dv"],
    causal: bool,
    feed: Callable[[Tensor], Tensor],
    block: int,
) -> Float[Tensor, "B T _"]:
    r"""Finish a layer for one block of queries after another: attention, then what follows.

    .. math:: y_t = f(\text{heads of } O_t \text{ side by side}), \qquad
        O = \mathrm{attention}(Q, K, V)

    What follows attention in a layer (the output projection, the residual stream, a norm, the
    feed-forward network) knows one position at a time. So it can be done while only a block of
    attention's output exists, and nothing of the size of T positions is kept but the result. The
    way back does each block a second time.

    Args:
        query: one row per head and position that asks; G divides H.
        key: one row per key/value head and position that can be read.
        value: what each of those positions hands over.
        causal: True where no query reads a later position; the last query sits at the last key.
        feed: f, from vectors B t HDv to vectors B t C, position by position, for any number t of
            positions; what it learns gets its gradient.
        block: queries of a block; T need not be a multiple.

    Returns:
        What f gave for each position.

    Raises:
        ValueError: if there is no query, if causal and there are more queries than keys, or as
            ``blockwise_attention``.
        ValueError: on the way back, where a gradient of the gradient is asked for.

    Source: Liu and Abbeel 2023, Blockwise Parallel Transformer (arXiv:2305.19370), alg. 1.
    Cost: as ``blockwise_attention`` and f, each once more on the way back; of f's hidden layer
    B · block · F numbers are held.
    """
    require_groups("query", query, "key", key)
    require_key_values(key, value)
    require_positive(block=block, T=query.shape[2])
    ahead = key.shape[2] - query.shape[2]
    if causal and ahead < 0:
        raise ValueError(
            "every query of a causal layer sits at a key, so T <= S; query has "
            f"T={query.shape[2]} and key S={key.shape[2]}; "
            f"shapes {tuple(query.shape)} and {tuple(key.shape)}"
        )
    results = []
    for start in range(0, query.shape[2], block):
        stop = min(start + block, query.shape[2])
        end = stop + ahead if causal else key.shape[2]  # the block's last query sits at the end
        parts = (query[:, :, start:stop], key[:, :, :end], value[:, :, :end])
        results.append(checkpoint(_finish, *parts, causal, feed, use_reentrant=False))
    return torch.cat(results, dim=1)


def _finish(
    query: Tensor, key: Tensor, value: Tensor, causal: bool, feed: Callable[[Tensor], Tensor]
) -> Tensor:
    output, _ = blockwise_attention(query, key, value, causal)
    return feed(output.transpose(1, 2).flatten(2))
