"""Choices queue for their experts, and come in while there is room."""

import numpy as np
from jaxtyping import Float64, Int

__all__ = ["capacity_dispatch", "drop_overflow", "expert_capacity"]


def expert_capacity(T: int, A: int, E: int, factor: float) -> int:
    """One more place, until there are enough."""
    room = 0
    while room * E < factor * T * A - 1e-6:
        room += 1
    return room


def capacity_dispatch(
    experts: Int[np.ndarray, "T A"], E: int, factor: float
) -> Int[np.ndarray, "T A"]:
    """All first choices, then all second ones."""
    num_tokens, choices = experts.shape
    room = expert_capacity(num_tokens, choices, E, factor)
    taken = [0] * E
    slots = np.full(experts.shape, -1)
    for a in range(choices):
        for t in range(num_tokens):
            e = experts[t, a]
            if taken[e] < room:
                slots[t, a] = taken[e]
                taken[e] += 1
    return slots


def drop_overflow(
    weights: Float64[np.ndarray, "T A"], slots: Int[np.ndarray, "T A"]
) -> Float64[np.ndarray, "T A"]:
    """Weight by weight."""
    result = weights.copy()
    for t in range(len(weights)):
        for a in range(weights.shape[1]):
            if slots[t, a] == -1:
                result[t, a] = 0.0
    return result
