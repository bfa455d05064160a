"""The bytes of a cache, token by token."""

__all__ = ["kv_cache_bytes"]


def kv_cache_bytes(
    layers: int, G: int, D: int, T: int, bytes: int, windows: list[int | None] | None = None
) -> int:
    """Layer by layer and token by token: a key and a value for each head, if still in reach."""
    total = 0
    for layer in range(layers):
        window = None if windows is None else windows[layer]
        for t in range(T):
            age = T - t  # of the newest token 1
            if window is None or age <= window:
                for _ in range(G):
                    total += D * bytes  # the key
                    total += D * bytes  # the value
    return total
