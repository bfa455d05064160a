"""A learnt index: a small scorer says which few keys a query is to read."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from course_lib.attention.fitting import require_groups, require_key_values, require_same_size
from course_lib.kinds import require_floats, require_same_device, require_same_dtype
from course_lib.masks import causal_mask, require_mask
from course_lib.precision import at_least_float32
from course_lib.scaling import softmax_scale
from course_lib.shapes import require_axes, require_same_positions
from course_lib.sizes import require_positive
from course_lib.softmax import log_softmax, masked_softmax

__all__ = ["index_loss", "index_scores", "top_k_attention", "top_k_mask"]


def index_scores(
    query: Float[Tensor, "B T H D"], key: Float[Tensor, "B S D"], weight: Float[Tensor, "B T H"]
) -> Float[Tensor, "B T S"]:
    r"""Score each key for each query with a few small heads that share one key.

    .. math:: I_{ts} = \sum_h w_{th} \, \mathrm{relu}(q_{th} \cdot k_s)

    Args:
        query: the index's own queries; H and D are its heads and their size, smaller than those of
            attention.
        key: the index's own keys, one per position for all heads.
        weight: what each query makes of each head; of any sign.

    Returns:
        One score per pair, unscaled and unmasked, in at least float32: in float16 the largest would
        all be infinite, and equal. NaN or an infinity stays in the row of its query or in the
        column of its key.

    Raises:
        ValueError: if the three differ in B, T, H, D or dtype.

    Source: DeepSeek-V3.2-Exp (2025), technical report, sec. 2.1, whose code also divides by √D and
    by √H: that changes no choice.
    Cost: 2 B H T S D FLOPs; B H T S products are held.
    """
    require_axes("query", query, "B T H D")
    require_axes("key", key, "B S D")
    require_axes("weight", weight, "B T H")
    require_same_dtype(query=query, key=key, weight=weight)
    require_same_size(query, key)
    if weight.shape != query.shape[:-1] or key.shape[0] != query.shape[0]:
        raise ValueError(
            "each query of the index has one weight per head, and keys of the same example; "
            f"query has B, T, H = {tuple(query.shape[:-1])}, weight {tuple(weight.shape)} and key "
            f"B={key.shape[0]}; shapes {tuple(query.shape)}, {tuple(weight.shape)} and "
            f"{tuple(key.shape)}"
        )
    q, k, w = map(at_least_float32, (query, key, weight))
    products = torch.einsum("bthd,bsd->bths", q, k).clamp(min=0.0)
    return torch.einsum("bth,bths->bts", w, products)


def top_k_mask(scores: Float[Tensor, "*batch T S"], k: int) -> Bool[Tensor, "*batch T S"]:
    r"""Allow each query the k keys with the best scores among those up to its own position.

    Args:
        scores: of the index; later keys are left out before anything is chosen.
        k: keys per query, at least 1.

    Returns:
        True where query t may read key s: k of them, or all up to the query where there are fewer.
        Of equal scores the earlier key is taken; NaN counts as the largest. The last query sits at
        the last key.

    Raises:
        ValueError: if k is below 1, or scores do not hold floating-point numbers.

    Source: DeepSeek-V3.2-Exp (2025), technical report, sec. 2.1; k is 2,048 there.

    >>> top_k_mask(torch.tensor([[9.0, 9.0, 9.0], [1.0, 2.0, 9.0], [1.0, 3.0, 2.0]]), 1).int()
    tensor([[1, 0, 0],
            [0, 1, 0],
            [0, 1, 0]], dtype=torch.int32)
    """
    chosen, is_read = _choose(scores, k)
    return torch.zeros_like(scores, dtype=torch.bool).scatter(-1, chosen, is_read)


def top_k_attention(
    query: Float[Tensor, "B H T D"],
    key: Float[Tensor, "B G S D"],
    value: Float[Tensor, "B G S Dv"],
    scores: Float[Tensor, "B T S"],
    k: int,
) -> Float[Tensor, "B H T Dv"]:
    r"""Attend to the k keys that the index chose, and compute no other score.

    .. math:: O_t = \mathrm{softmax}(q_t K_{\mathcal{S}_t}^\top / \sqrt{D})\, V_{\mathcal{S}_t},
        \qquad \mathcal{S}_t = \text{the keys of } \texttt{top\_k\_mask}

    Args:
        query: queries of attention itself.
        key: keys; G divides H.
        value: values, one per key.
        scores: of the index, the same for all heads. They get no gradient: a choice has none.
        k: keys per query, at least 1.

    Returns:
        One mean of values per query, in the dtype of the queries, computed in at least float32;
        k >= S is causal attention. A query before the first key gets zeros. NaN or an infinity in a
        value reaches the queries that chose it, and no other.

    Raises:
        ValueError: if k is below 1, the scores are not B T S, G does not divide H, sizes or dtypes
            differ, or there is no key.

    Source: DeepSeek-V3.2-Exp (2025), technical report, sec. 2.1.
    Cost: 2 B H T k (D + Dv) FLOPs; B G T k (D + Dv) gathered numbers and B H T k scores are held.
    """
    require_groups("query", query, "key", key)
    require_same_positions("key", key, "value", value)
    require_key_values(key, value)
    require_same_size(query, key)
    require_same_device(query=query, scores=scores)
    expected = (query.shape[0], query.shape[-2], key.shape[-2])
    if scores.shape != expected:
        raise ValueError(
            "the index has one score for each query and key of an example, B T S; "
            f"they are {expected} and the scores {tuple(scores.shape)}"
        )
    chosen, is_read = _choose(scores, k)
    keys, values = (_gather(part, chosen, is_read) for part in (key, value))  # B G T k _
    shared = torch.unflatten(at_least_float32(query), 1, (key.shape[1], -1))  # B G R T D
    fits = torch.einsum("bgrtd,bgtkd->bgrtk", shared, keys) * softmax_scale(query.shape[-1])
    weights = masked_softmax(fits, is_read[:, None, None])
    output = torch.einsum("bgrtk,bgtkd->bgrtd", weights, values).flatten(1, 2)
    return output.to(query.dtype)


def index_loss(
    scores: Float[Tensor, "B T S"],
    weights: Float[Tensor, "B H T S"],
    may_attend: Bool[Tensor, "*#mask #T #S"],
) -> Float[Tensor, ""]:
    r"""Measure how far the index is from what attention reads: the loss that trains it.

    .. math:: \mathcal{L} = \frac{1}{n} \sum_{bt} \mathrm{KL}\big( p_t \,\|\,
        \mathrm{softmax}(I_t) \big), \qquad p_{ts} = \frac{\sum_h P_{hts}}{\sum_{h,r} P_{htr}}

    Args:
        scores: I, of the index.
        weights: P, of all heads of attention; they get no gradient.
        may_attend: True where query t may read key s, two axes or three: causal while the index
            warms up, then its own ``top_k_mask``. Both distributions are taken over these keys.

    Returns:
        One number, at least 0, in nats, in at least float32: the mean over the n queries whose p
        has any weight; 0 if there is none.

    Raises:
        ValueError: if scores, weights and mask do not fit.
        TypeError: if may_attend is not of torch.bool.

    Source: DeepSeek-V3.2-Exp (2025), technical report, sec. 2.2, which sums over the queries.
    """
    require_axes("weights", weights, "B H T S")
    require_floats(scores=scores, weights=weights)
    if scores.shape != (weights.shape[0], *weights.shape[2:]):
        raise ValueError(
            "index and attention speak of the same pairs, B T S and B H T S; "
            f"scores has {tuple(scores.shape)} and weights {tuple(weights.shape)}"
        )
    require_mask(may_attend, scores)
    read = at_least_float32(weights.detach()).sum(1).masked_fill(~may_attend, 0.0)
    total = read.sum(-1, keepdim=True)
    counts = (total != 0).squeeze(-1)  # NaN counts, and is seen
    target = read / total.masked_fill(total == 0, 1.0)
    wide = at_least_float32(scores)
    is_open = may_attend.expand_as(wide) | ~counts[..., None]  # a row of nothing has no softmax
    guess = log_softmax(wide.masked_fill(~is_open, -torch.inf))
    guess = guess.masked_fill(target == 0, 0.0)  # 0 · log 0
    entropy: Tensor = torch.special.xlogy(target, target)
    return (entropy - target * guess).sum() / counts.sum().clamp(min=1)


def _choose(scores: Tensor, k: int) -> tuple[Int[Tensor, "*batch T _"], Bool[Tensor, "*batch T _"]]:
    """The k best keys of each query, and which of them it may read."""
    require_axes("scores", scores, "*batch T S")
    require_floats(scores=scores)
    require_positive(k=k)
    may_attend = causal_mask(*scores.shape[-2:], device=scores.device)
    # Stable: of equal scores, and of minus infinities, the earlier key comes first.
    masked = scores.detach().masked_fill(~may_attend, -torch.inf)
    chosen = masked.argsort(dim=-1, descending=True, stable=True)[..., :k]
    return chosen, may_attend.expand_as(scores).gather(-1, chosen)


def _gather(rows: Tensor, chosen: Tensor, is_read: Tensor) -> Tensor:
    """Each query's own keys or values; zeros where it may not read what was left to choose."""
    batch, groups, _, size = rows.shape
    _, num_queries, count = chosen.shape
    where = chosen.reshape(batch, 1, num_queries * count, 1).expand(batch, groups, -1, size)
    gathered = at_least_float32(rows.gather(-2, where))
    own: Tensor = torch.unflatten(gathered, -2, (num_queries, count))
    return own.masked_fill(~is_read[:, None, :, :, None], 0.0)
