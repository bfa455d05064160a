"""Endless text in a bounded cache: the first few tokens, the sinks, and the last W."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from course_lib.attention.fitting import require_groups, require_key_values, require_same_size
from course_lib.attention.grouped import grouped_query_attention
from course_lib.masks import causal_mask, window_mask
from course_lib.positions.rope import rope
from course_lib.precision import at_least_float32
from course_lib.shapes import require_same_positions
from course_lib.sizes import require_count, require_positive

__all__ = ["streaming_keep", "streaming_mask", "streaming_step"]


def streaming_keep(
    num_keys: int, num_sinks: int, window: int
) -> tuple[Int[Tensor, " _"], Int[Tensor, " _"]]:
    r"""Say which tokens a streaming cache keeps, and where it says that they stand.

    .. math:: \text{kept} = \{ s : s < n_{\text{sinks}} \} \cup \{ s : s \ge S - W \}, \qquad
        \text{position of the } i\text{-th} = i

    Args:
        num_keys: S, the tokens of the text so far.
        num_sinks: how many of the first tokens always stay; 4 in the paper.
        window: W, how many of the last tokens stay, the newest included; at least 1.

    Returns:
        The kept tokens, ascending, each once; and their positions in the cache, 0 onwards, which is
        what RoPE is to turn them by. So no position ever exceeds what the model was trained on.

    Raises:
        ValueError: if a count is negative or the window below 1.

    Source: Xiao et al. 2023 (arXiv:2309.17453), sec. 3.2.

    >>> streaming_keep(9, num_sinks=2, window=3)
    (tensor([0, 1, 6, 7, 8]), tensor([0, 1, 2, 3, 4]))
    """
    require_count(num_keys=num_keys, num_sinks=num_sinks)
    require_positive(window=window)
    sinks = min(num_sinks, num_keys)
    recent = torch.arange(max(num_keys - window, sinks), num_keys)
    kept = torch.cat([torch.arange(sinks), recent])
    return kept, torch.arange(len(kept))


def streaming_mask(
    num_queries: int, num_keys: int, num_sinks: int, window: int
) -> Bool[Tensor, "T S"]:
    r"""Let each query read the first tokens and the last W up to its own.

    .. math:: M_{ts} = [\, s \le S - T + t \,] \land
        \big( s < n_{\text{sinks}} \lor (S - T + t) - s < W \big)

    Args:
        num_queries: T, the queries; the last T positions of the sequence.
        num_keys: S, all positions.
        num_sinks: how many of the first tokens every later one may read.
        window: W, the keys within reach, the query's own included; at least 1.

    Returns:
        True where query t may read key s; no sinks is ``window_mask``. Row t has the tokens that
        ``streaming_keep`` names when token t is the newest. The positions for RoPE are another
        matter: in one matrix of scores a token stands in one place.

    Raises:
        ValueError: if a size is negative or the window below 1.

    Source: Xiao et al. 2023 (arXiv:2309.17453), figure 1 (d).

    >>> streaming_mask(2, 5, num_sinks=1, window=2).int()
    tensor([[1, 0, 1, 1, 0],
            [1, 0, 0, 1, 1]], dtype=torch.int32)
    """
    require_count(num_sinks=num_sinks)
    recent = window_mask(num_queries, num_keys, window)
    is_sink = torch.arange(num_keys) < num_sinks
    return recent | (causal_mask(num_queries, num_keys) & is_sink)


def streaming_step(
    query: Float[Tensor, "B H 1 D"],
    key: Float[Tensor, "B G S D"],
    value: Float[Tensor, "B G S Dv"],
    num_sinks: int,
    window: int,
    base: float,
) -> Float[Tensor, "B H 1 Dv"]:
    r"""Let the newest token read what a streaming cache keeps, turned by cache positions.

    .. math:: o = \mathrm{softmax}\Big( \frac{(R_{n-1} q) (R_i k_{\kappa(i)})^\top}{\sqrt{D}}
        \Big)_{i < n} V_\kappa

    κ are the n kept tokens, R the rotation: a sink stands right before the window, however far
    away it is in the text.

    Args:
        query: of the newest token, not rotated.
        key: of all tokens that are still held, the newest last, not rotated; G divides H.
        value: one per key.
        num_sinks: how many of the first tokens stay.
        window: W, how many of the last tokens stay, the newest included; at least 1.
        base: of the rotation's frequencies; D is even.

    Returns:
        One mean of values per head, in the dtype of the query, computed in at least float32. NaN in
        a token that is not kept has no influence.

    Raises:
        ValueError: if there is more than one query, a count is negative, the window below 1, G does
            not divide H, sizes or dtypes differ, D is odd, or there is no key.

    Source: Xiao et al. 2023 (arXiv:2309.17453), sec. 3.2: keys are cached before the rotation.
    Cost: 2 B H n (D + Dv) FLOPs, n = n_sinks + W at most, however long the text is.
    """
    require_groups("query", query, "key", key)
    require_same_positions("key", key, "value", value)
    require_key_values(key, value)
    require_same_size(query, key)
    if query.shape[-2] != 1:
        raise ValueError(
            "a step reads for the newest token alone, so T is 1: each token keeps other tokens; "
            f"T is {query.shape[-2]}; shape {tuple(query.shape)}"
        )
    kept, positions = streaming_keep(key.shape[-2], num_sinks, window)
    kept, positions = kept.to(key.device), positions.to(key.device)
    held, values = (at_least_float32(part.index_select(-2, kept)) for part in (key, value))
    newest = rope(at_least_float32(query), positions[-1:], base)
    keys = rope(held, positions, base)
    return grouped_query_attention(newest, keys, values).to(query.dtype)
