"""H query heads share G key/value heads, and no key is copied for the sharing."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from course_lib.attention.fitting import require_groups, require_key_values, require_same_size
from course_lib.attention.unread import zero_unread
from course_lib.kinds import require_floats
from course_lib.scaling import softmax_scale
from course_lib.shapes import require_axes, require_same_positions
from course_lib.sizes import require_whole
from course_lib.softmax import masked_softmax, softmax

__all__ = ["grouped_mix", "grouped_query_attention", "grouped_scores", "mha_to_gqa"]


def grouped_scores(
    query: Float[Tensor, "B H T D"], key: Float[Tensor, "B G S D"]
) -> Float[Tensor, "B H T S"]:
    r"""Compare each query with the keys of its head's group, unscaled.

    .. math:: z_{hts} = q_{ht} \cdot k_{gs}, \qquad g = \lfloor h / R \rfloor, \quad R = H / G

    Neighbouring query heads share a key head: h = 0 … R - 1 read g = 0.

    Args:
        query: one row per head and position that asks.
        key: one row per key/value head and position that can be read; G divides H.

    Returns:
        The scores, in the dtype of query and key: row t belongs to query t, column s to key s. NaN
        or an infinity leaves no score of its query or key finite, and no other sees it.

    Raises:
        ValueError: if G does not divide H, or query and key differ in B or D.

    Source: Ainslie et al. 2023 (arXiv:2305.13245), sec. 2.2; one group is Shazeer 2019
    (arXiv:1911.02150).
    Cost: 2 B H T S D FLOPs; B H T S scores are held in memory, and no copy of the keys for each
    query head: ``query @ key.repeat_interleave(R, 1).mT`` would hold R of them.
    """
    require_groups("query", query, "key", key)
    require_same_size(query, key)
    shared = torch.unflatten(query, 1, (key.shape[1], -1))  # B G R T D
    return torch.einsum("bgrtd,bgsd->bgrts", shared, key).flatten(1, 2)


def grouped_mix(
    weights: Float[Tensor, "B H T S"], value: Float[Tensor, "B G S Dv"]
) -> Float[Tensor, "B H T Dv"]:
    r"""Sum, for each query, the values of its head's group by their weights.

    .. math:: o_{ht} = \sum_s p_{hts}\, v_{gs}, \qquad g = \lfloor h / R \rfloor, \quad R = H / G

    Args:
        weights: one row per head and query; column s is the share of value s.
        value: one row per key/value head and position; G divides H.

    Returns:
        One mixed value per head and query. NaN or an infinity in a value reaches every query of its
        heads: 0 · NaN is NaN.

    Raises:
        ValueError: if G does not divide H, or weights and value differ in B or S.

    Source: Ainslie et al. 2023 (arXiv:2305.13245), sec. 2.2.
    Cost: 2 B H T S Dv FLOPs; no copy of the values for each query head.
    """
    require_groups("weights", weights, "value", value)
    if weights.shape[-1] != value.shape[-2]:
        raise ValueError(
            "every value has one weight per query, so both have the same number of positions S; "
            f"the weights have S={weights.shape[-1]} and the values S={value.shape[-2]}; "
            f"shapes {tuple(weights.shape)} and {tuple(value.shape)}"
        )
    shared = torch.unflatten(weights, 1, (value.shape[1], -1))  # B G R T S
    return torch.einsum("bgrts,bgsd->bgrtd", shared, value).flatten(1, 2)


def grouped_query_attention(
    query: Float[Tensor, "B H T D"],
    key: Float[Tensor, "B G S D"],
    value: Float[Tensor, "B G S Dv"],
    may_attend: Bool[Tensor, "*#mask #T #S"] | None = None,
) -> Float[Tensor, "B H T Dv"]:
    r"""Attend with H query heads to G key/value heads; R = H / G queries share one.

    .. math:: O_h = \mathrm{softmax}(Q_h K_g^\top / \sqrt{D}) \, V_g, \qquad
        g = \lfloor h / R \rfloor

    Args:
        query: queries, already rotated if the model uses RoPE.
        key: keys; G divides H. G = H is multi-head, G = 1 is multi-query attention.
        value: values, one per key.
        may_attend: True where query t may read key s; None allows every pair. It has two axes, T
            and S, or the four of B H T S, each of that size or 1. A query with no key to read gets
            zeros, never NaN.
            A key that no query may read has no influence, even if it or its value is NaN.

    Returns:
        One mean of values per query, in the query's order of heads.

    Raises:
        ValueError: if G does not divide H, if sizes or dtypes differ, if may_attend does not fit
            the scores, or if there is no key.

    Source: Ainslie et al. 2023 (arXiv:2305.13245), sec. 2.2; the scale is that of Vaswani et al.
    2017 (arXiv:1706.03762), eq. 1.
    Cost: 2 B H T S (D + Dv) FLOPs; B H T S scores are held in memory, the keys and values only
    once for each group.
    """
    require_groups("query", query, "key", key)
    require_same_positions("key", key, "value", value)
    require_key_values(key, value)
    if may_attend is not None:
        key, value = zero_unread(query, key, value, may_attend)
    scores = grouped_scores(query * softmax_scale(query.shape[-1]), key)
    weights = softmax(scores) if may_attend is None else masked_softmax(scores, may_attend)
    return grouped_mix(weights, value)


def mha_to_gqa(w_k: Float[Tensor, "C _"], G: int, H: int) -> Float[Tensor, "C _"]:
    r"""Make the projection of G key heads from that of H: the mean of each group.

    .. math:: W'_g = \frac{1}{R} \sum_{r=0}^{R-1} W_{gR + r}, \qquad R = H / G

    Values are converted alike. The model then needs some more training.

    Args:
        w_k: the projection into H heads, side by side in the columns.
        G: heads afterwards; divides H.
        H: heads before.

    Returns:
        The projection into G heads. NaN or an infinity stays in its row and its group.

    Raises:
        ValueError: if G does not divide H, or H does not divide the columns.

    Source: Ainslie et al. 2023 (arXiv:2305.13245), sec. 2.1 and figure 1.

    >>> mha_to_gqa(torch.tensor([[1.0, 10.0, 3.0, 30.0]]), G=1, H=2)
    tensor([[ 2., 20.]])
    """
    require_axes("w_k", w_k, "*rows _")
    require_floats(w_k=w_k)
    require_whole(G=G, H=H)
    if G < 1 or H < 1 or H % G:
        raise ValueError(
            "every group has the same number of heads, so G divides H; "
            f"G is {G} and H is {H}; shape {tuple(w_k.shape)}"
        )
    if w_k.shape[-1] % H:
        raise ValueError(
            "every head has the same number of columns, so H divides them; "
            f"w_k has {w_k.shape[-1]} columns and H is {H}; shape {tuple(w_k.shape)}"
        )
    heads = torch.unflatten(w_k, -1, (G, H // G, w_k.shape[-1] // H))  # C G R D
    return heads.mean(-2).flatten(-2)
