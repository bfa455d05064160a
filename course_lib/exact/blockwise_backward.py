"""The way back through blockwise attention: each tile of weights is computed a second time."""

import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.exact.reach import Reach
from course_lib.precision import at_least_float32, without_autocast
from course_lib.scaling import softmax_scale
from course_lib.sizes import require_positive

__all__ = ["blockwise_backward"]


@torch.no_grad()
def blockwise_backward(
    qkv: tuple[Float[Tensor, "B H T D"], Float[Tensor, "B G S D"], Float[Tensor, "B G S Dv"]],
    result: tuple[Float[Tensor, "B H T Dv"], Float[Tensor, "B H T"]],
    gradient: tuple[Float[Tensor, "B H T Dv"], Float[Tensor, "B H T"]],
    reach: Reach,
    block_q: int,
    block_k: int,
) -> tuple[Float[Tensor, "B H T D"], Float[Tensor, "B G S D"], Float[Tensor, "B G S Dv"]]:
    r"""Carry gradients from the output and the log-sum-exp back to queries, keys and values.

    No weights were kept: P = exp(Z - lse) rebuilds a tile of them, Z the scaled scores. The sum
    that a softmax's gradient needs is known beforehand, from the output alone:

    .. math:: \delta_t = do_t \cdot o_t - d\,\mathrm{lse}_t, \qquad
        dZ = P \odot (dO\, V^\top - \delta)

    .. math:: dQ = \frac{dZ\, K}{\sqrt D}, \qquad dK = \frac{dZ^\top Q}{\sqrt D}, \qquad
        dV = P^\top dO

    Args:
        qkv: the queries, the keys and the values.
        result: output and log-sum-exp, as ``blockwise_forward`` returned them; those of more keys
            than these will do, for then these keys' part of the gradient comes out.
        gradient: dO and dlse; zeros where the log-sum-exp is not used.
        reach: which keys each query may read.
        block_q: queries of a tile.
        block_k: keys of a tile.

    Returns:
        dQ, dK and dV, in the dtypes of queries, keys and values, computed in at least float32. The
        gradients of the R heads that share a key are added up.

    Raises:
        ValueError: if a block is empty.

    Source: Dao et al. 2022 (arXiv:2205.14135), alg. 4 and appendix B.2, for δ; the term of lse is
    ours: its derivative by a score is P.
    Cost: 2 B H T S (3 D + 2 Dv) FLOPs, half of it if causal; B H block_q block_k scores are held.
    """
    require_positive(block_q=block_q, block_k=block_k)
    query, key, value = qkv
    groups, scale = key.shape[1], softmax_scale(query.shape[-1])
    keys, values = (at_least_float32(x).flatten(0, 1) for x in (key, value))  # BG S D
    queries, output, lse, grad_output, grad_lse = (
        torch.unflatten(at_least_float32(x), 1, (groups, -1)).flatten(0, 1)  # BG R T D
        for x in (query, *result, *gradient)
    )
    grad_query, grad_key, grad_value = (torch.zeros_like(x) for x in (queries, keys, values))
    grad_lse = grad_lse.masked_fill(lse == -torch.inf, 0.0)  # of an empty sum, whatever came
    lse = lse.clamp(min=torch.finfo(lse.dtype).min)  # (-inf) - (-inf) would be NaN
    with without_autocast(query.device):
        for first in range(0, query.shape[2], block_q):
            rows = slice(first, min(first + block_q, query.shape[2]))
            q, do = queries[:, :, rows] * scale, grad_output[:, :, rows]
            delta = (do * output[:, :, rows]).sum(-1) - grad_lse[:, :, rows]
            q, do = (x.flatten(1, 2) for x in (q, do))
            dq = torch.zeros_like(q)
            for start, stop, hidden in reach.tiles(rows.start, rows.stop, block_k, query.device):
                k, v = keys[:, start:stop], values[:, start:stop]
                weights = _weights(torch.bmm(q, k.mT), lse[:, :, rows], hidden)
                grad_value[:, start:stop].baddbmm_(weights.mT, do)
                grad_scores = torch.bmm(do, v.mT).sub_(delta.flatten(1)[..., None]).mul_(weights)
                grad_key[:, start:stop].baddbmm_(grad_scores.mT, q)
                dq.baddbmm_(grad_scores, k)
                del weights, grad_scores  # or their memory would be held while the next are made
            grad_query[:, :, rows] = torch.unflatten(dq.mul_(scale), 1, delta.shape[1:])
    return (
        grad_query.view(query.shape).to(query.dtype),
        grad_key.view(key.shape).to(key.dtype),
        grad_value.view(value.shape).to(value.dtype),
    )


def _weights(scores: Tensor, lse: Tensor, hidden: Tensor | None) -> Tensor:
    by_head = torch.unflatten(scores, 1, lse.shape[1:])  # BG R T S
    if hidden is not None:
        by_head.masked_fill_(hidden, -torch.inf)
    return by_head.sub_(lse[..., None]).exp_().flatten(1, 2)
