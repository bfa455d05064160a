"""Additive attention: a small network compares a query with a key."""

import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.attention.fitting import require_same_batch
from course_lib.kinds import require_same_dtype
from course_lib.shapes import require_axes, require_projection

__all__ = ["additive_scores"]


def additive_scores(
    query: Float[Tensor, "*batch T C"],
    key: Float[Tensor, "*batch S _"],
    w_q: Float[Tensor, "C D"],
    w_k: Float[Tensor, "_ D"],
    v: Float[Tensor, " D"],
) -> Float[Tensor, "*batch T S"]:
    r"""Compare every query with every key by a small network instead of a product.

    .. math:: z_{ts} = v \cdot \tanh(q_t W_Q + k_s W_K)

    Args:
        query: the decoder's states, one row per position that asks.
        key: the encoder's states, one row per position that can be read; their size may differ
            from the queries'.
        w_q: projection of a query.
        w_k: projection of a key.
        v: the network's last layer: D numbers, which make one score.

    Returns:
        The scores: row t belongs to query t, column s to key s. NaN makes all scores of its query
        or key NaN; an infinite entry saturates tanh.

    Raises:
        ValueError: if a projection's rows are not as many as the vectors' entries, if the two
            projections and v differ in D, or if query and key differ in their leading axes.

    Source: Bahdanau et al. 2014 (arXiv:1409.0473), sec. 3.1 and appendix A.1.2. Their W and U
    stand on the left of column vectors; ours are the transposes.
    Cost: B T S D numbers are held before the last sum, D times those of a dot product.
    """
    require_same_batch(query, key, "key")
    require_projection("query", query, "w_q", w_q)
    require_projection("key", key, "w_k", w_k)
    require_axes("v", v, "D")
    require_same_dtype(w_q=w_q, w_k=w_k, v=v)
    if not w_q.shape[1] == w_k.shape[1] == v.shape[0]:
        raise ValueError(
            "the projections are added and then weighted by v, so all three agree in D; "
            f"w_q has D={w_q.shape[1]}, w_k D={w_k.shape[1]} and v D={v.shape[0]}; "
            f"shapes {tuple(w_q.shape)}, {tuple(w_k.shape)} and {tuple(v.shape)}"
        )
    asked = (query @ w_q).unsqueeze(-2)  # ... T 1 D
    offered = (key @ w_k).unsqueeze(-3)  # ... 1 S D
    return torch.tanh(asked + offered) @ v
