"""How many bytes a model's cache takes."""

from collections.abc import Sequence

__all__ = ["kv_cache_bytes"]


def kv_cache_bytes(
    layers: int,
    G: int,
    D: int,
    T: int,
    bytes: int,
    windows: Sequence[int | None] | None = None,
) -> int:
    r"""Count the bytes of a model's cache after T tokens of one sequence.

    .. math:: \sum_{l=1}^{L} 2\, G D \min(T, W_l) \cdot \text{bytes}

    Args:
        layers: L, layers with attention.
        G: key/value heads; the number of query heads does not enter.
        D: size of a key and of a value.
        T: tokens so far.
        bytes: bytes of a number, 2 in bfloat16.
        windows: W of each layer, None where a layer reads everything; None for all means that
            every layer does.

    Returns:
        The bytes.

    Raises:
        ValueError: if a size is below 1, T is negative, or there is not one window per layer.

    Source: Shazeer 2019 (arXiv:1911.02150), sec. 3.1, for the factor 1/R of sharing.

    >>> kv_cache_bytes(24, G=8, D=64, T=131_072, bytes=2, windows=[128, None] * 12)  # gpt-oss-20b
    3224371200
    """
    sizes = {"layers": layers, "G": G, "D": D, "T": T, "bytes": bytes}
    for name, size in sizes.items():
        least = 0 if name == "T" else 1
        if size < least:
            came = ", ".join(f"{other}={number}" for other, number in sizes.items())
            raise ValueError(
                f"a size counts something, so {name} >= {least}; {name} is {size}; {came}"
            )
    reach = [None] * layers if windows is None else list(windows)
    if len(reach) != layers:
        raise ValueError(
            "every layer has one window, or None where it reads everything; "
            f"layers is {layers} and windows has {len(reach)} entries"
        )
    if any(window is not None and window < 1 for window in reach):
        raise ValueError(
            f"a window holds at least the query's own position, so window >= 1; windows are {reach}"
        )
    tokens = sum(T if window is None else min(T, window) for window in reach)
    return 2 * G * D * bytes * tokens
