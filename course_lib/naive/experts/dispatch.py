"""Choices are put into a list for each expert, and the lists one behind another."""

import numpy as np
from jaxtyping import Float64, Int

__all__ = ["expert_combine", "expert_dispatch"]


def expert_dispatch(
    experts: Int[np.ndarray, "T A"], E: int, P: int
) -> tuple[Int[np.ndarray, " _"], Int[np.ndarray, " _"]]:
    """One list per expert, filled token by token."""
    num_tokens, choices = experts.shape
    lists: list[list[int]] = [[] for _ in range(E)]
    counts = np.zeros(P, dtype=np.int64)
    for t in range(num_tokens):
        for a in range(choices):
            lists[experts[t, a]].append(t * choices + a)
            counts[experts[t, a] // (E // P)] += 1
    return np.array([i for one in lists for i in one], dtype=np.int64), counts


def expert_combine(
    received: Float64[np.ndarray, "_ C"],
    order: Int[np.ndarray, " _"],
    weights: Float64[np.ndarray, "T A"],
) -> Float64[np.ndarray, "T C"]:
    """Result by result: which choice was it, of which token?"""
    output = np.zeros((len(weights), received.shape[1]))
    for place, i in enumerate(order):
        t, a = divmod(int(i), weights.shape[1])
        for c in range(received.shape[1]):
            output[t, c] += weights[t, a] * received[place, c]
    return output
