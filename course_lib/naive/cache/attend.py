"""A cache as a list that grows by one token at a time."""

import math

import numpy as np
from jaxtyping import Float64

from course_lib.naive.softmax import softmax

__all__ = ["TokenList", "attend_with_cache"]


class TokenList:
    """The keys and values of the tokens so far, one pair a token; with a window, of the last W."""

    def __init__(self, window: int | None = None) -> None:
        self.window = window
        self.pairs: list[tuple[np.ndarray, np.ndarray]] = []

    def append(self, key: np.ndarray, value: np.ndarray) -> None:
        """Add one token, and forget the oldest if they are more than W."""
        self.pairs.append((key, value))
        if self.window is not None and len(self.pairs) > self.window:
            self.pairs.pop(0)


def attend_with_cache(
    query: Float64[np.ndarray, "H T D"],
    key_new: Float64[np.ndarray, "G T D"],
    value_new: Float64[np.ndarray, "G T Dv"],
    cache: TokenList,
) -> Float64[np.ndarray, "H T Dv"]:
    """Token by token: append it, then let its query read the whole list. So no mask is needed."""
    num_heads, num_queries, head_dim = query.shape
    shared = num_heads // len(key_new)
    output = np.zeros((num_heads, num_queries, value_new.shape[2]))
    for t in range(num_queries):
        cache.append(key_new[:, t], value_new[:, t])
        for h in range(num_heads):
            scores = np.zeros(len(cache.pairs))
            for s, (key, _) in enumerate(cache.pairs):
                for d in range(head_dim):
                    scores[s] += query[h, t, d] * key[h // shared, d] / math.sqrt(head_dim)
            for weight, (_, value) in zip(softmax(scores), cache.pairs, strict=True):
                for d in range(value_new.shape[2]):
                    output[h, t, d] += weight * value[h // shared, d]
    return output
