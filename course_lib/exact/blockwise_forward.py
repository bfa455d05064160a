"""Attention without the matrix of scores: one tile of it at a time."""

import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.attention.fitting import require_groups, require_key_values, require_same_size
from course_lib.exact.reach import Reach, Tiles
from course_lib.precision import at_least_float32, without_autocast
from course_lib.scaling import softmax_scale
from course_lib.shapes import require_same_positions
from course_lib.sizes import require_positive

__all__ = ["blockwise_forward", "flash_forward"]


def flash_forward(
    query: Float[Tensor, "B H T D"],
    key: Float[Tensor, "B G S D"],
    value: Float[Tensor, "B G S Dv"],
    block_q: int,
    block_k: int,
    causal: bool,
) -> tuple[Float[Tensor, "B H T Dv"], Float[Tensor, "B H T"]]:
    r"""Attend block by block, and say how large the softmax's denominators were.

    .. math:: O = \mathrm{softmax}(Q K^\top / \sqrt D)\, V, \qquad
        \mathrm{lse}_t = \log \sum_s e^{q_t \cdot k_s / \sqrt D}

    ``blockwise_forward`` says how. This one has no way back; ``blockwise_attention`` has.

    Args:
        query: one row per head and position that asks; G divides H.
        key: one row per key/value head and position that can be read.
        value: what each of those positions hands over.
        block_q: queries of a tile; T need not be a multiple.
        block_k: keys of a tile; S need not be a multiple.
        causal: True where no query reads a later position; the last query sits at the last key.

    Returns:
        The output, zeros where there is nothing to read, in the dtype of the queries, and the
        log-sum-exp of each query's scaled scores, in at least float32, minus infinity there.

    Raises:
        ValueError: if G does not divide H, if sizes or dtypes differ, if there is no key, or if a
            block is empty.

    Source: Dao et al. 2022 (arXiv:2205.14135), alg. 1, with the division at the end of Dao 2023
    (arXiv:2307.08691), sec. 3.1; Rabe and Staats 2021 (arXiv:2112.05682).
    Cost: 2 B H T S (D + Dv) FLOPs, half of it if causal; B H block_q block_k scores are held.
    """
    require_groups("query", query, "key", key)
    reach = Reach(num_queries=query.shape[2], num_keys=key.shape[2], causal=causal)
    return blockwise_forward(query, key, value, reach, block_q, block_k)


@torch.no_grad()
def blockwise_forward(
    query: Float[Tensor, "B H T D"],
    key: Float[Tensor, "B G S D"],
    value: Float[Tensor, "B G S Dv"],
    reach: Reach,
    block_q: int,
    block_k: int,
) -> tuple[Float[Tensor, "B H T Dv"], Float[Tensor, "B H T"]]:
    r"""Walk over the scores tile by tile; keep a maximum, a sum and a weighted sum per query.

    For each tile Z of scaled scores, with the values V of its keys:

    .. math:: m' = \max(m, \max_s z_s), \quad P = e^{Z - m'}, \quad
        \ell' = e^{m - m'} \ell + \sum_s p_s, \quad A' = e^{m - m'} A + P V

    At the end O = A / l and lse = m + log l. The R heads that share keys stand below each other in
    one matrix, so no key is copied for them.

    Args:
        query: one row per head and position that asks; G divides H.
        key: one row per key/value head and position that can be read.
        value: what each of those positions hands over.
        reach: which keys each query may read.
        block_q: queries of a tile.
        block_k: keys of a tile.

    Returns:
        Output and log-sum-exp as in ``flash_forward``. Half precision is widened at the door, so
        scores have float32 and the output is rounded once. A key that no query of a block reads has
        no influence on it, NaN or not; one that some query reads makes NaN in the whole block.

    Raises:
        ValueError: as ``flash_forward``.

    Source: Milakov and Gimelshein 2018 (arXiv:1805.02867), alg. 3, for the sum; Dao 2023
    (arXiv:2307.08691), alg. 1. Tiles in which nobody reads are left out; those in which everybody
    reads everything need no mask.
    Cost: as ``flash_forward``; with a window 2 B H T (W + block_q) (D + Dv) FLOPs.
    """
    require_groups("query", query, "key", key)
    require_same_size(query, key)
    require_same_positions("key", key, "value", value)
    require_key_values(key, value)
    require_positive(block_q=block_q, block_k=block_k)
    keys, values = (at_least_float32(x).flatten(0, 1) for x in (key, value))  # BG S D
    shared = torch.unflatten(query, 1, (key.shape[1], -1)).flatten(0, 1)  # BG R T D
    output = keys.new_empty(*shared.shape[:3], value.shape[-1])
    lse = keys.new_empty(shared.shape[:3])
    with without_autocast(query.device):
        for first in range(0, query.shape[2], block_q):
            rows = slice(first, min(first + block_q, query.shape[2]))
            scaled = at_least_float32(shared[:, :, rows]) * softmax_scale(query.shape[-1])
            tiles = reach.tiles(rows.start, rows.stop, block_k, query.device)
            output[:, :, rows], lse[:, :, rows] = _attend(scaled, keys, values, tiles)
    shape = query.shape[:3]
    return output.view(*shape, value.shape[-1]).to(query.dtype), lse.view(shape)


def _attend(scaled: Tensor, keys: Tensor, values: Tensor, tiles: Tiles) -> tuple[Tensor, Tensor]:
    heads_and_rows = scaled.shape[1:3]
    queries = scaled.flatten(1, 2)  # BG RT D
    # Not minus infinity: (-inf) - (-inf) would be NaN.
    maximum = queries.new_full((*queries.shape[:2], 1), torch.finfo(queries.dtype).min)
    total = torch.zeros_like(maximum)
    mixed = queries.new_zeros(*queries.shape[:2], values.shape[-1])
    for start, stop, hidden in tiles:
        scores = torch.bmm(queries, keys[:, start:stop].mT)  # @ would copy the keys
        if hidden is not None:
            torch.unflatten(scores, 1, heads_and_rows).masked_fill_(hidden, -torch.inf)
        largest = torch.maximum(maximum, scores.amax(-1, keepdim=True))
        weights = scores.sub_(largest).exp_()
        rescaled = maximum.sub_(largest).exp_()
        total = total.mul_(rescaled).add_(weights.sum(-1, keepdim=True))
        mixed = mixed.mul_(rescaled).baddbmm_(weights, values[:, start:stop])
        maximum = largest
        del scores, weights  # or two tiles would be held while the next one is made
    lse = (maximum + total.log()).squeeze(-1)  # nothing to read: the sum is 0
    total.clamp_(min=1.0)  # else one of its terms is exp(0)
    output = torch.unflatten(mixed.div_(total), 1, heads_and_rows)
    return output, torch.unflatten(lse, 1, heads_and_rows)
