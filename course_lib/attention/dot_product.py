"""Every query reads a weighted mean of the values, by how well it fits their keys."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from course_lib.attention.fitting import (
    require_key_values,
    require_same_batch,
    require_same_size,
)
from course_lib.attention.unread import zero_unread
from course_lib.scaling import softmax_scale
from course_lib.shapes import require_projection
from course_lib.softmax import masked_softmax, softmax

__all__ = ["attention_scores", "project_qkv", "scaled_dot_product_attention"]


def project_qkv(
    x: Float[Tensor, "*batch T C"],
    w_q: Float[Tensor, "C D"],
    w_k: Float[Tensor, "C D"],
    w_v: Float[Tensor, "C Dv"],
    context: Float[Tensor, "*batch S C"] | None = None,
) -> tuple[Float[Tensor, "*batch T D"], Float[Tensor, "*batch S D"], Float[Tensor, "*batch S Dv"]]:
    r"""Make queries from x, and keys and values from what is read.

    .. math:: Q = X W_Q, \qquad K = X' W_K, \qquad V = X' W_V

    Self-attention reads its own sequence, X' = X; cross-attention reads another one.

    Args:
        x: the vectors that ask, one row per position.
        w_q: projection into queries.
        w_k: projection into keys.
        w_v: projection into values.
        context: X', the vectors that are read; None means x itself.

    Returns:
        query, key and value. NaN or an infinity in a vector leaves nothing finite in its own rows,
        and no other sees it.

    Raises:
        ValueError: if a projection's rows are not as many as the vectors' entries, if queries and
            keys would differ in size, or if x and context differ in their leading axes.

    Source: Vaswani et al. 2017 (arXiv:1706.03762), sec. 3.2.2 and 3.2.3, for one head; without
    biases.
    """
    source, read = (x, "x") if context is None else (context, "context")
    require_projection("x", x, "w_q", w_q)
    require_projection(read, source, "w_k", w_k)
    require_projection(read, source, "w_v", w_v)
    if source.shape[:-2] != x.shape[:-2]:
        raise ValueError(
            "x and context are read example by example, so their leading axes agree; "
            f"x has {tuple(x.shape[:-2])} and context {tuple(source.shape[:-2])}; "
            f"shapes {tuple(x.shape)} and {tuple(source.shape)}"
        )
    if w_q.shape[1] != w_k.shape[1]:
        raise ValueError(
            "queries and keys are compared, so w_q and w_k have the same number of columns D; "
            f"w_q has {w_q.shape[1]} and w_k {w_k.shape[1]}; "
            f"shapes {tuple(w_q.shape)} and {tuple(w_k.shape)}"
        )
    return x @ w_q, source @ w_k, source @ w_v


def attention_scores(
    query: Float[Tensor, "*batch T D"], key: Float[Tensor, "*batch S D"]
) -> Float[Tensor, "*batch T S"]:
    r"""Compare every query with every key, unscaled.

    .. math:: Z = Q K^\top, \qquad z_{ts} = q_t \cdot k_s

    Args:
        query: one row per position that asks.
        key: one row per position that can be read.

    Returns:
        The scores, in the dtype of query and key: row t belongs to query t, column s to key s. A
        float16 product beyond 65,504 is infinite before any scale makes it smaller.

    Raises:
        ValueError: if query and key differ in D or in their leading axes.

    Source: Vaswani et al. 2017 (arXiv:1706.03762), eq. 1, without 1/√D.
    Cost: 2 B H T S D FLOPs; B H T S scores are held in memory.

    >>> attention_scores(torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 0.0], [1.0, 1.0]]))
    tensor([[3., 3.]])
    """
    require_same_batch(query, key, "key")
    require_same_size(query, key)
    return torch.einsum("...td,...sd->...ts", query, key)


def scaled_dot_product_attention(
    query: Float[Tensor, "*batch T D"],
    key: Float[Tensor, "*batch S D"],
    value: Float[Tensor, "*batch S Dv"],
    may_attend: Bool[Tensor, "*#batch #T #S"] | None = None,
) -> tuple[Float[Tensor, "*batch T Dv"], Float[Tensor, "*batch T S"]]:
    r"""Read, for each query, the mean of the values, weighted by how well it fits their keys.

    .. math:: P = \mathrm{softmax}(Q K^\top / \sqrt{D}), \qquad O = P V

    The softmax runs over the keys, so each row of P sums to one. In half precision scores, weights
    and output are rounded to the dtype of the inputs, as in the plain code of released models; the
    softmax between them is computed in float32.

    Args:
        query: one row per position that asks.
        key: one row per position that can be read.
        value: what each of those positions hands over.
        may_attend: True where query t may read key s; None allows every pair. It has two axes, T
            and S, or all axes of the scores, each of their size or 1: a padding mask for heads is
            B 1 1 S. A query with no key to read gets zeros, never NaN.
            A key that no query may read has no influence, even if it or its value is NaN.

    Returns:
        The output, one averaged value per query, and the weights. NaN in a query or a key makes NaN
        where it is read. NaN or an infinity in a value that one query may read makes NaN for all
        queries whose weight of it is zero: 0 · NaN.

    Raises:
        ValueError: if query and key differ in D, key and value in S, any two in their leading
            axes or in dtype, if may_attend does not fit the scores, or if there is no key.

    Source: Vaswani et al. 2017 (arXiv:1706.03762), eq. 1.
    Cost: 2 B H T S (D + Dv) FLOPs; B H T S scores are held in memory.

    >>> query, key = torch.zeros(1, 4), torch.ones(2, 4)
    >>> scaled_dot_product_attention(query, key, torch.tensor([[1.0], [3.0]]))
    (tensor([[2.]]), tensor([[0.5000, 0.5000]]))
    """
    require_same_batch(query, value, "value")
    require_key_values(key, value)
    if may_attend is not None:
        key, value = zero_unread(query, key, value, may_attend)
    scores = attention_scores(query * softmax_scale(query.shape[-1]), key)
    weights = softmax(scores) if may_attend is None else masked_softmax(scores, may_attend)
    return weights @ value, weights
