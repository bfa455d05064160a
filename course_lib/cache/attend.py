"""New tokens read themselves and what a cache has kept."""

from jaxtyping import Float
from torch import Tensor

from course_lib.attention.fitting import require_groups, require_same_size
from course_lib.attention.grouped import grouped_query_attention
from course_lib.cache.growing import KVCache
from course_lib.cache.rolling import RollingKVCache
from course_lib.shapes import require_axes

__all__ = ["attend_with_cache"]


def attend_with_cache(
    query: Float[Tensor, "B H T D"],
    key_new: Float[Tensor, "B G T D"],
    value_new: Float[Tensor, "B G T Dv"],
    cache: KVCache | RollingKVCache,
) -> Float[Tensor, "B H T Dv"]:
    r"""Let T new tokens read themselves and what the cache has kept.

    .. math:: O_t = \mathrm{softmax}(q_t K_{\le t}^\top / \sqrt{D})\, V_{\le t}, \qquad
        K_{\le t}: \text{ the keys up to position } t, \text{ or the last } W \text{ of them}

    One call with all tokens (prefill), one call a chunk, or one call a token (decoding): the
    outputs are the same.

    Args:
        query: queries of the new tokens, rotated to their positions, ``cache.length`` onwards.
        key_new: keys of the new tokens, rotated alike.
        value_new: values of the new tokens.
        cache: what came before; this call appends the new tokens to it.

    Returns:
        One mean of values per new query. NaN in a key reaches the queries that read it; NaN or an
        infinity in a value reaches every query of this call, earlier ones too: 0 · NaN.

    Raises:
        ValueError: if the axes are not those named, if there is not one query per new key, if G
            does not divide H, or if the new tokens do not fit the cache.

    Source: Shazeer 2019 (arXiv:1911.02150), sec. 2.4; the window: Mistral 7B (arXiv:2310.06825),
    sec. 2.
    Cost: 4 B H T S D FLOPs, S the keys within reach; decoding n tokens without a cache costs n
    times as many projections.
    """
    require_axes("query", query, "B H T D")
    require_axes("key_new", key_new, "B G T D")
    if query.shape[-2] != key_new.shape[-2]:
        raise ValueError(
            "every new token asks and can be read, so there is one query per new key; "
            f"query has T={query.shape[-2]} and key_new T={key_new.shape[-2]}; "
            f"shapes {tuple(query.shape)} and {tuple(key_new.shape)}"
        )
    require_groups("query", query, "key_new", key_new)  # before the cache changes
    require_same_size(query, key_new)
    key, value = cache.extend(key_new, value_new)
    may_attend = cache.may_attend(query.shape[-2], key.shape[-2], query.device)
    return grouped_query_attention(query, key, value, may_attend)
