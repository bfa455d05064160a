"""Attention under a mask, or block to block: no score is made for what nobody near reads."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from course_lib.attention.fitting import require_groups, require_key_values, require_same_size
from course_lib.attention.grouped import grouped_query_attention
from course_lib.kinds import require_integers, require_same_device
from course_lib.masks import require_mask
from course_lib.precision import at_least_float32
from course_lib.shapes import require_axes, require_same_positions
from course_lib.sizes import require_positive

__all__ = ["block_sparse_attention", "permuted_block_attention"]


def block_sparse_attention(
    query: Float[Tensor, "B H T D"],
    key: Float[Tensor, "B G S D"],
    value: Float[Tensor, "B G S Dv"],
    may_attend: Bool[Tensor, "T S"],
    block: int,
) -> Float[Tensor, "B H T Dv"]:
    r"""Attend under a mask, and leave out the keys that no query of a block may read.

    .. math:: O_b = \mathrm{softmax}(Q_b K_u^\top / \sqrt{D}) \, V_u, \qquad
        u = \{ s : M_{ts} = 1 \text{ for a } t \text{ in block } b \}

    Args:
        query: queries.
        key: keys; G divides H.
        value: values, one per key.
        may_attend: True where query t may read key s, the same in all heads and examples.
        block: queries of one block; the last one may be shorter.

    Returns:
        One mean of values per query, equal to ``grouped_query_attention`` under the mask; half
        precision is computed in float32 and rounded once. Zeros where nothing may be read. NaN or
        an infinity in a value reaches the queries of the blocks that read it.

    Raises:
        ValueError: if the block is below 1, may_attend does not fit, G does not divide H, sizes or
            dtypes differ, or there is no key.
        TypeError: if may_attend is not of torch.bool.

    Source: Zaheer et al. 2020 (arXiv:2007.14062), sec. 2, whose blocks of keys are gathered alike;
    here the keys of a block need not lie in blocks.
    Cost: 2 B H T U (D + Dv) FLOPs, U the keys that a block's queries read together, on the average;
    B H block U scores are held at a time. The mask itself has T S entries. Neighbours that read
    different keys (``strided_mask``) save nothing.
    """
    require_positive(block=block)
    _require_heads(query, key, value)
    require_axes("may_attend", may_attend, "T S")
    require_mask(may_attend, query.new_zeros(()).expand(query.shape[-2], key.shape[-2]))
    outputs = []
    for rows, allowed in zip(
        torch.split(query, block, -2), torch.split(may_attend, block), strict=True
    ):
        is_read = allowed.expand(rows.shape[-2], key.shape[-2]).any(0)
        chosen = is_read.nonzero().squeeze(-1)
        outputs.append(_read(rows, key, value, chosen, allowed))
    return torch.cat(outputs, dim=-2)


def permuted_block_attention(
    query: Float[Tensor, "B H T D"],
    key: Float[Tensor, "B G T D"],
    value: Float[Tensor, "B G T Dv"],
    order: Int[Tensor, " _"],
    block: int,
) -> Float[Tensor, "B H T Dv"]:
    r"""Let each block of queries read one block of keys, and nothing else (two-sided).

    .. math:: O_i = \mathrm{softmax}(Q_i K_{\pi(i)}^\top / \sqrt{D}) \, V_{\pi(i)}

    Args:
        query: queries.
        key: keys of the same positions; G divides H.
        value: values, one per key.
        order: π, for each of the n = ⌈T / block⌉ blocks the number of the block that it reads: a
            permutation of 0 … n - 1. The identity reads one's own block; i + 1 mod n is
            ``blockwise_mask``.
        block: the positions of a block; the last one may be shorter.

    Returns:
        One mean of values per query; half precision is computed in float32 and rounded once. NaN or
        an infinity reaches the queries of one block.

    Raises:
        ValueError: if the block is below 1, order is no permutation of the n blocks, queries and
            keys differ in number, G does not divide H, or sizes or dtypes differ.

    Source: Qiu et al. 2019 (arXiv:1911.02972), sec. 3; each of their heads has its own π, and T is
    a multiple of the block.
    Cost: 2 B H T block (D + Dv) FLOPs: 1/n of all pairs; B H block² scores are held at a time.
    """
    require_positive(block=block)
    _require_heads(query, key, value)
    if query.shape[-2] != key.shape[-2]:
        raise ValueError(
            "queries and keys are cut into the same blocks, so there are as many; "
            f"query has T={query.shape[-2]} and key S={key.shape[-2]}; "
            f"shapes {tuple(query.shape)} and {tuple(key.shape)}"
        )
    _require_permutation(order, -(-key.shape[-2] // block), block)
    require_same_device(query=query, order=order)
    keys, values = torch.split(key, block, -2), torch.split(value, block, -2)
    outputs = [
        _attend(rows, keys[number], values[number])
        for rows, number in zip(torch.split(query, block, -2), order.tolist(), strict=True)
    ]
    return torch.cat(outputs, dim=-2)


def _require_heads(query: Tensor, key: Tensor, value: Tensor) -> None:
    require_groups("query", query, "key", key)
    require_same_positions("key", key, "value", value)
    require_key_values(key, value)
    require_same_size(query, key)


def _require_permutation(order: Tensor, count: int, block: int) -> None:
    require_integers(order=order)
    require_axes("order", order, "n")
    if order.sort().values.tolist() != list(range(count)):
        raise ValueError(
            "each block is read once, so order is a permutation of the numbers of the blocks; "
            f"there are {count} blocks of {block} positions and order is {order.tolist()}"
        )


def _read(query: Tensor, key: Tensor, value: Tensor, chosen: Tensor, allowed: Tensor) -> Tensor:
    """Attend to the chosen keys alone, under their columns of the mask."""
    if len(chosen) == 0:
        return value.new_zeros(*query.shape[:-1], value.shape[-1])
    columns = allowed.expand(query.shape[-2], key.shape[-2])[:, chosen]
    key, value = key.index_select(-2, chosen), value.index_select(-2, chosen)
    return _attend(query, key, value, columns)


def _attend(query: Tensor, key: Tensor, value: Tensor, columns: Tensor | None = None) -> Tensor:
    wide_query, wide_key, wide_value = map(at_least_float32, (query, key, value))
    return grouped_query_attention(wide_query, wide_key, wide_value, columns).to(query.dtype)
