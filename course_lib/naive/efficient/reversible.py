"""Two streams that are added to each other's functions, entry by entry."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float64

__all__ = ["couple", "reversible_layers", "uncouple"]

Stream = Float64[np.ndarray, "T C"]
Function = Callable[[np.ndarray], np.ndarray]


def couple(x1: Stream, x2: Stream, f: Function, g: Function) -> tuple[Stream, Stream]:
    """First the one, then, with the new one, the other."""
    y1 = _combine(x1, f(x2), 1)
    return y1, _combine(x2, g(y1), 1)


def uncouple(y1: Stream, y2: Stream, f: Function, g: Function) -> tuple[Stream, Stream]:
    """Back, in the opposite order."""
    x2 = _combine(y2, g(y1), -1)
    return _combine(y1, f(x2), -1), x2


def reversible_layers(
    x1: Stream, x2: Stream, layers: tuple[tuple[Function, Function], ...]
) -> tuple[Stream, Stream]:
    """One layer after the other; each is its two functions."""
    for f, g in layers:
        x1, x2 = couple(x1, x2, f, g)
    return x1, x2


def _combine(stream: Stream, other: Stream, sign: int) -> Stream:
    result = stream.copy()
    for t in range(stream.shape[0]):
        for c in range(stream.shape[1]):
            result[t, c] += sign * other[t, c]
    return result
