"""How many bytes a model's cache takes."""

from collections.abc import Sequence

from course_lib.sizes import require_positive, require_whole

__all__ = ["kv_cache_bytes"]


def kv_cache_bytes(
    num_layers: int,
    num_kv_heads: int,
    head_dim: int,
    num_tokens: int,
    bytes_per_element: int,
    windows: Sequence[int | None] | None = None,
) -> int:
    r"""Count the bytes of a model's cache after T tokens of one sequence.

    .. math:: \sum_{l=1}^{L} 2\, G D \min(T, W_l) \cdot b

    Args:
        num_layers: L, layers with attention.
        num_kv_heads: G, key/value heads; the number of query heads does not enter.
        head_dim: D, size of a key and of a value.
        num_tokens: T, tokens so far.
        bytes_per_element: b, bytes of a number, 2 in bfloat16.
        windows: W of each layer, None where a layer reads everything; None for all means that
            every layer does.

    Returns:
        The bytes.

    Raises:
        ValueError: if a size is below 1, T is negative, or there is not one window per layer.

    Source: Shazeer 2019 (arXiv:1911.02150), sec. 3.1, for the factor 1/R of sharing.

    >>> kv_cache_bytes(24, 8, 64, 131_072, 2, windows=[128, None] * 12)  # gpt-oss-20b
    3224371200
    """
    require_positive(
        num_layers=num_layers,
        num_kv_heads=num_kv_heads,
        head_dim=head_dim,
        bytes_per_element=bytes_per_element,
    )
    require_whole(num_tokens=num_tokens)
    if num_tokens < 0:
        raise ValueError(
            "a cache holds the tokens so far, so num_tokens >= 0; "
            f"num_tokens is {num_tokens}, with num_layers = {num_layers}"
        )
    reach = [None] * num_layers if windows is None else list(windows)
    if len(reach) != num_layers:
        raise ValueError(
            "every layer has one window, or None where it reads everything; "
            f"num_layers is {num_layers} and windows has {len(reach)} entries"
        )
    require_whole(**{f"window {i}": window for i, window in enumerate(reach) if window is not None})
    if any(window is not None and window < 1 for window in reach):
        raise ValueError(
            f"a window holds at least the query's own position, so window >= 1; windows are {reach}"
        )
    kept = sum(num_tokens if window is None else min(num_tokens, window) for window in reach)
    return 2 * num_kv_heads * head_dim * bytes_per_element * kept
