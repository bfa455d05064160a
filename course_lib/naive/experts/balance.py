"""Loads are counted one choice at a time."""

import math

import numpy as np
from jaxtyping import Bool, Float64, Int

from course_lib.naive.softmax import logsumexp, softmax

__all__ = ["bias_update", "expert_load", "load_balance_loss", "max_violation", "router_z_loss"]


def expert_load(experts: Int[np.ndarray, " _"], E: int) -> Int[np.ndarray, " E"]:
    """One stroke for each choice."""
    load = np.zeros(E, dtype=np.int64)
    for e in experts:
        load[e] += 1
    return load


def load_balance_loss(
    logits: Float64[np.ndarray, "L T E"],
    experts: Int[np.ndarray, "L T A"],
    keep: Bool[np.ndarray, " T"] | None = None,
) -> float:
    """Layer by layer, expert by expert."""
    num_layers, num_tokens, num_experts = logits.shape
    counted = [t for t in range(num_tokens) if keep is None or keep[t]]
    total = 0.0
    for layer in range(num_layers):
        for e in range(num_experts):
            choices, probability = 0, 0.0
            for t in counted:
                choices += sum(int(chosen) == e for chosen in experts[layer, t])
                probability += float(softmax(logits[layer, t])[e])
            total += num_experts * choices / len(counted) * probability / len(counted)
    return float(total / num_layers)


def router_z_loss(logits: Float64[np.ndarray, "T E"]) -> float:
    """The mean of squares."""
    return float(sum(logsumexp(row) ** 2 for row in logits) / len(logits))


def bias_update(
    load: Int[np.ndarray, " E"], bias: Float64[np.ndarray, " E"], rate: float
) -> Float64[np.ndarray, " E"]:
    """Up where the load is below the mean, down where it is above."""
    total = sum(int(count) for count in load)
    result = bias.copy()
    for e, count in enumerate(load):
        if count * len(load) < total:
            result[e] += rate
        elif count * len(load) > total:
            result[e] -= rate
    return result


def max_violation(load: Int[np.ndarray, " E"]) -> float:
    """The largest difference to the mean, in means."""
    mean = sum(int(count) for count in load) / len(load)
    return max((float(count) - mean) / mean for count in load) if mean else math.nan
