"""The bytes of a cache, token by token."""

__all__ = ["kv_cache_bytes"]


def kv_cache_bytes(
    num_layers: int,
    num_kv_heads: int,
    head_dim: int,
    num_tokens: int,
    bytes_per_element: int,
    windows: list[int | None] | None = None,
) -> int:
    """Layer by layer and token by token: a key and a value for each head, if still in reach."""
    total = 0
    for layer in range(num_layers):
        window = None if windows is None else windows[layer]
        for t in range(num_tokens):
            age = num_tokens - t  # of the newest token 1
            if window is None or age <= window:
                for _ in range(num_kv_heads):
                    total += head_dim * bytes_per_element  # the key
                    total += head_dim * bytes_per_element  # the value
    return total
