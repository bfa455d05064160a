"""Multi-head latent attention: one small vector a token, from which all heads are made."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from course_lib.attention.fitting import require_key_values, require_same_size
from course_lib.attention.grouped import grouped_mix, grouped_query_attention, grouped_scores
from course_lib.attention.heads import split_heads
from course_lib.attention.latent_parameters import LatentParameters
from course_lib.attention.unread import zero_unread
from course_lib.layers.norms import rms_norm
from course_lib.positions.rotation_table import RotationTable, rotate_by_table
from course_lib.scaling import softmax_scale
from course_lib.shapes import require_axes, require_projection, require_same_positions
from course_lib.softmax import masked_softmax, softmax

__all__ = [
    "compress",
    "latent_attention",
    "latent_attention_absorbed",
    "latent_keys",
    "latent_queries",
]


def compress(
    x: Float[Tensor, "B T C"], w_down: Float[Tensor, "C _"], g: Float[Tensor, " _"], eps: float
) -> Float[Tensor, "B T _"]:
    r"""Project down to few numbers a token, and normalise them.

    .. math:: c_t = \mathrm{RMSNorm}(x_t W_\downarrow)

    Args:
        x: one row per token.
        w_down: W↓, with fewer columns than rows: W^DKV for keys and values, W^DQ for queries.
        g: gain of the norm.
        eps: of the norm; 1e-6 in DeepSeek-V2.

    Returns:
        One latent vector per token. NaN or an infinity makes its token's vector NaN, and no
        other's.

    Raises:
        ValueError: if w_down has not one row for each entry of x, or g not one entry per column.

    Source: DeepSeek-V2 (arXiv:2405.04434), eq. 9 and 12; the norm is named in sec. 3.1.2.
    """
    require_projection("x", x, "w_down", w_down)
    return rms_norm(x @ w_down, g, eps)


def latent_keys(
    x: Float[Tensor, "B T C"],
    parameters: LatentParameters,
    table: RotationTable,
    eps: float,
) -> tuple[Float[Tensor, "B T Dc"], Float[Tensor, "B T Dr"]]:
    r"""Make what a token leaves behind: its latent vector and its rotary key.

    .. math:: c_t = \mathrm{RMSNorm}(x_t W^{DKV}), \qquad k^R_t = \mathrm{RoPE}_t(x_t W^{KR})

    The latent vector is not rotated: a rotation between W^UQ and W^UK would keep the two from being
    multiplied into one matrix, which the absorbed form needs. So positions have a key of their own,
    one for all heads.

    Args:
        x: one row per token.
        parameters: what makes keys and values.
        table: from ``rotation_table``, for where each token stands, with Dr / 2 columns.
        eps: of the latent vector's norm.

    Returns:
        The latent vectors and the rotary keys: Dc + Dr numbers a token, all that a cache keeps. NaN
        or an infinity in a token leaves nothing finite of its own, and no other sees it.

    Raises:
        ValueError: if the sizes do not fit.

    Source: DeepSeek-V2 (arXiv:2405.04434), eq. 9 and 15; half-split rotation.
    """
    require_projection("x", x, "w_kr", parameters.w_kr)
    latent = compress(x, parameters.w_dkv, parameters.g_kv, eps)
    return latent, rotate_by_table(x @ parameters.w_kr, table)


def latent_queries(
    x: Float[Tensor, "B T _"],
    w_q: Float[Tensor, "_ _"],
    w_qr: Float[Tensor, "_ _"],
    num_heads: int,
    table: RotationTable,
) -> tuple[Float[Tensor, "B H T D"], Float[Tensor, "B H T Dr"]]:
    r"""Make each head's two queries: one for what is said, one for where.

    .. math:: q_{ht} = (x_t W^{UQ})_h, \qquad q^R_{ht} = \mathrm{RoPE}_t\big((x_t W^{QR})_h\big)

    Args:
        x: one row per token: its vector as in DeepSeek-V2-Lite, or its latent vector of queries,
            ``compress(x, w_dq, g_q, eps)``, as in DeepSeek-V2 and V3.
        w_q: projection into the queries of all heads, H D columns.
        w_qr: projection into the rotary queries of all heads, H Dr columns.
        num_heads: H of them.
        table: from ``rotation_table``, for where each token stands, with Dr / 2 columns.

    Returns:
        The queries, and the rotary queries, rotated. NaN or an infinity in a token leaves nothing
        finite of its own, and no other sees it.

    Raises:
        ValueError: if the sizes do not fit.

    Source: DeepSeek-V2 (arXiv:2405.04434), eq. 12 to 14; half-split rotation.
    """
    require_projection("x", x, "w_q", w_q)
    require_projection("x", x, "w_qr", w_qr)
    rotary_query = split_heads(x @ w_qr, num_heads)
    return split_heads(x @ w_q, num_heads), rotate_by_table(rotary_query, table)


def latent_attention(
    query: Float[Tensor, "B H T D"],
    rotary_query: Float[Tensor, "B H T Dr"],
    latent: Float[Tensor, "B S Dc"],
    rotary_key: Float[Tensor, "B S Dr"],
    parameters: LatentParameters,
    may_attend: Bool[Tensor, "*#mask #T #S"] | None = None,
) -> Float[Tensor, "B H T Dv"]:
    r"""Attend as written: every head's keys and values are made from the latent vectors.

    .. math:: k_{hs} = (c_s W^{UK})_h, \quad v_{hs} = (c_s W^{UV})_h, \qquad
        z_{hts} = \frac{q_{ht} \cdot k_{hs} + q^R_{ht} \cdot k^R_s}{\sqrt{D + D_r}}, \qquad
        O_h = \mathrm{softmax}(Z_h)\, V_h

    Args:
        query: of each head, from ``latent_queries``.
        rotary_query: of each head, rotated.
        latent: what the tokens that can be read left behind, from ``latent_keys`` or the cache.
        rotary_key: their rotary keys, one for all heads.
        parameters: what makes keys and values.
        may_attend: True where query t may read key s; None allows every pair. It has two axes, T
            and S, or the four of B H T S. A query with no key to read gets zeros, and padding
            may hold NaN: ``zero_unread``.

    Returns:
        One mean of values per head and query; ``merge_heads`` and W^O follow, as in every
        attention of several heads.

    Raises:
        ValueError: if the sizes do not fit.

    Source: DeepSeek-V2 (arXiv:2405.04434), eq. 10, 11 and 16 to 18. Where YaRN changes the scale,
    multiply both queries by its factor (DeepSeek-V2 and V3 do; see ``softmax_scale``).
    Cost: 2 B S Dc H (D + Dv) FLOPs for the keys and values, which are made anew for every call, and
    B H S (D + Dr + Dv) numbers in memory.
    """
    _require_latent(query, rotary_query, latent, rotary_key, parameters)
    num_heads = query.shape[1]
    key = split_heads(latent @ parameters.w_uk, num_heads)
    value = split_heads(latent @ parameters.w_uv, num_heads)
    shared = rotary_key[:, None].expand(-1, num_heads, -1, -1)  # B H S Dr
    return grouped_query_attention(
        torch.cat([query, rotary_query], dim=-1),
        torch.cat([key, shared], dim=-1),
        value,
        may_attend,
    )


def latent_attention_absorbed(
    query: Float[Tensor, "B H T D"],
    rotary_query: Float[Tensor, "B H T Dr"],
    latent: Float[Tensor, "B S Dc"],
    rotary_key: Float[Tensor, "B S Dr"],
    parameters: LatentParameters,
    may_attend: Bool[Tensor, "*#mask #T #S"] | None = None,
) -> Float[Tensor, "B H T Dv"]:
    r"""Attend to the latent vectors themselves: the same output, and no head has keys of its own.

    A product may be bracketed otherwise, so W^UK goes to the query and W^UV to the output:

    .. math:: q_{ht} \cdot (c_s W^{UK}_h) = (q_{ht} W^{UK\top}_h) \cdot c_s, \qquad
        \sum_s p_{hts}\, (c_s W^{UV}_h) = \Big(\sum_s p_{hts}\, c_s\Big) W^{UV}_h

    What remains is multi-query attention: one key and one value, c, for all heads.

    Args:
        query: of each head, from ``latent_queries``.
        rotary_query: of each head, rotated.
        latent: what the tokens that can be read left behind, from ``latent_keys`` or the cache.
        rotary_key: their rotary keys, one for all heads.
        parameters: what makes keys and values.
        may_attend: True where query t may read key s; None allows every pair. It has two axes, T
            and S, or the four of B H T S. A query with no key to read gets zeros, and padding
            may hold NaN: ``zero_unread``.

    Returns:
        One mean of values per head and query.

    Raises:
        ValueError: if the sizes do not fit.

    Source: DeepSeek-V2 (arXiv:2405.04434), sec. 2.1.2, after eq. 11.
    Cost: 2 B H T S (2 Dc + Dr) FLOPs for scores and means, more a pair than ``latent_attention``'s
    D + Dr + Dv; but nothing grows with S and H together except the scores, so decoding reads
    Dc + Dr numbers a token.
    """
    _require_latent(query, rotary_query, latent, rotary_key, parameters)
    num_heads, head_dim = query.shape[1], query.shape[-1]
    w_uk, w_uv = (split_heads(w, num_heads) for w in (parameters.w_uk, parameters.w_uv))
    absorbed = torch.einsum("bhtd,hcd->bhtc", query, w_uk)
    require_key_values(rotary_key, latent)
    shared, rotary = latent[:, None], rotary_key[:, None]  # B 1 S: one key for all heads
    if may_attend is not None:
        rotary, shared = zero_unread(rotary_query, rotary, shared, may_attend)
    scores = grouped_scores(absorbed, shared) + grouped_scores(rotary_query, rotary)
    scores = scores * softmax_scale(head_dim + rotary_query.shape[-1])
    weights = softmax(scores) if may_attend is None else masked_softmax(scores, may_attend)
    return torch.einsum("bhtc,hcd->bhtd", grouped_mix(weights, shared), w_uv)


def _require_latent(
    query: Tensor,
    rotary_query: Tensor,
    latent: Tensor,
    rotary_key: Tensor,
    parameters: LatentParameters,
) -> None:
    require_axes("query", query, "B H T D")
    require_axes("latent", latent, "B S Dc")
    require_same_positions("query", query, "rotary_query", rotary_query)
    require_same_positions("latent", latent, "rotary_key", rotary_key)
    require_same_size(rotary_query, rotary_key)
    require_projection("latent", latent, "w_uk", parameters.w_uk)
    require_projection("latent", latent, "w_uv", parameters.w_uv)
    columns, wanted = parameters.w_uk.shape[-1], query.shape[1] * query.shape[-1]
    if columns != wanted:
        raise ValueError(
            "w_uk makes keys of size D for each of H heads, so it has H · D columns; "
            f"w_uk has {columns} and the queries H · D = {wanted}; "
            f"shapes {tuple(parameters.w_uk.shape)} and {tuple(query.shape)}"
        )
