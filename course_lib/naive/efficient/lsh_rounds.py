"""Rounds of hashing, one after the other."""

import math

import numpy as np
from jaxtyping import Float64, Int

__all__ = ["combine_rounds", "duplicate_counts"]


def combine_rounds(
    outputs: Float64[np.ndarray, "U T Dv"], lses: Float64[np.ndarray, "U T"]
) -> Float64[np.ndarray, "T Dv"]:
    """Position by position: each round counts by e to its log-sum-exp."""
    result = np.zeros(outputs.shape[1:])
    for t in range(outputs.shape[1]):
        largest = max(lses[:, t])
        if largest > -math.inf:
            shares = [math.exp(lse - largest) for lse in lses[:, t]]
            for u, share in enumerate(shares):
                result[t] += share / sum(shares) * outputs[u, t]
    return result


def duplicate_counts(buckets: Int[np.ndarray, "U T"]) -> Int[np.ndarray, "T T"]:
    """For each pair, round by round."""
    rounds, length = buckets.shape
    counts = np.zeros((length, length), dtype=np.int64)
    for t in range(length):
        for s in range(length):
            for u in range(rounds):
                counts[t, s] += buckets[u, t] == buckets[u, s]
    return counts
