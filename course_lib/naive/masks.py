"""Masks, entry by entry: may query t read key s?"""

import numpy as np
from jaxtyping import Bool, Int

__all__ = ["causal_mask", "combine", "distances", "padding_mask", "window_mask"]


def distances(num_queries: int, num_keys: int) -> Int[np.ndarray, "T S"]:
    """Step from each query's position to each key, one position at a time."""
    result = np.zeros((num_queries, num_keys), dtype=np.int64)
    for t in range(num_queries):
        position = num_keys - num_queries + t
        for s in range(num_keys):
            here = position
            while here > s:
                here, result[t, s] = here - 1, result[t, s] + 1
            while here < s:
                here, result[t, s] = here + 1, result[t, s] - 1
    return result


def causal_mask(num_queries: int, num_keys: int | None = None) -> Bool[np.ndarray, "T S"]:
    """Query t stands at position S - T + t and reads no later key."""
    if num_keys is None:
        num_keys = num_queries
    mask = np.zeros((num_queries, num_keys), dtype=bool)
    for t in range(num_queries):
        position = num_keys - num_queries + t
        for s in range(num_keys):
            if s <= position:
                mask[t, s] = True
    return mask


def padding_mask(length: int, num_keys: int) -> Bool[np.ndarray, "1 S"]:
    """The first ``length`` keys of one sequence are tokens, the others padding."""
    mask = np.zeros((1, num_keys), dtype=bool)
    for s in range(length):
        mask[0, s] = True
    return mask


def window_mask(num_queries: int, num_keys: int, window: int) -> Bool[np.ndarray, "T S"]:
    """Query t reads its own position and the W - 1 before it."""
    mask = np.zeros((num_queries, num_keys), dtype=bool)
    for t in range(num_queries):
        position = num_keys - num_queries + t
        for step in range(window):
            if position - step >= 0:
                mask[t, position - step] = True
    return mask


def combine(*masks: Bool[np.ndarray, "T S"]) -> Bool[np.ndarray, "T S"]:
    """True where no mask says no."""
    result = np.ones(masks[0].shape, dtype=bool)
    for mask in masks:
        for t in range(mask.shape[0]):
            for s in range(mask.shape[1]):
                if not mask[t, s]:
                    result[t, s] = False
    return result
