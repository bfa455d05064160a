"""Experts are chosen one after another, each time the best of those that are left."""

import math

import numpy as np
from jaxtyping import Float64, Int

from course_lib.naive.layers.affine import affine

__all__ = ["choose", "grouped_sigmoid_router", "limit_groups", "sigmoid_router", "topk_router"]

Choices = tuple[Int[np.ndarray, "T A"], Float64[np.ndarray, "T A"]]


def choose(priorities: Float64[np.ndarray, " E"], A: int) -> Int[np.ndarray, " A"]:
    """The best of those that are left; of equals the first."""
    chosen: list[int] = []
    for _ in range(A):
        left = [e for e in range(len(priorities)) if e not in chosen]
        best = left[0]
        for e in left:
            if priorities[e] > priorities[best]:
                best = e
        chosen.append(best)
    return np.array(chosen)


def topk_router(
    x: Float64[np.ndarray, "T C"],
    w_gate: Float64[np.ndarray, "C E"],
    A: int,
    bias: Float64[np.ndarray, " E"] | None = None,
) -> Choices:
    """A softmax over all experts, whose chosen weights are divided by their sum."""
    logits = affine(x, w_gate)
    experts = np.zeros((len(x), A), dtype=np.int64)
    weights = np.zeros((len(x), A))
    for t, row in enumerate(logits):
        experts[t] = choose(row if bias is None else row + bias, A)
        every = [math.exp(z - max(row)) for z in row]
        for a, e in enumerate(experts[t]):
            weights[t, a] = every[e] / sum(every)
        weights[t] /= sum(weights[t])
    return experts, weights


def sigmoid_router(
    x: Float64[np.ndarray, "T C"],
    w_gate: Float64[np.ndarray, "C E"],
    A: int,
    bias: Float64[np.ndarray, " E"] | None = None,
) -> Choices:
    """One group of all experts."""
    none = np.zeros(w_gate.shape[1]) if bias is None else bias
    return grouped_sigmoid_router(x, w_gate, A, none, 1, 1)


def grouped_sigmoid_router(
    x: Float64[np.ndarray, "T C"],
    w_gate: Float64[np.ndarray, "C E"],
    A: int,
    bias: Float64[np.ndarray, " E"],
    num_groups: int,
    groups_kept: int,
) -> Choices:
    """An affinity for each expert; the bias chooses, the affinities weigh."""
    logits = affine(x, w_gate)
    experts = np.zeros((len(x), A), dtype=np.int64)
    weights = np.zeros((len(x), A))
    for t, row in enumerate(logits):
        affinities = np.array([1.0 / (1.0 + math.exp(-z)) for z in row])
        experts[t] = choose(limit_groups(affinities + bias, num_groups, groups_kept), A)
        total = sum(affinities[e] for e in experts[t])
        for a, e in enumerate(experts[t]):
            weights[t, a] = affinities[e] / total
    return experts, weights


def limit_groups(
    priorities: Float64[np.ndarray, " E"], num_groups: int, groups_kept: int
) -> Float64[np.ndarray, " E"]:
    """The sum of a group's two best experts says how good it is."""
    size = len(priorities) // num_groups
    quality = np.zeros(num_groups)
    for group in range(num_groups):
        members = sorted(priorities[group * size : (group + 1) * size])
        quality[group] = sum(members[-2:])
    kept = choose(quality, groups_kept)
    result = np.full(len(priorities), -math.inf)
    for e in range(len(priorities)):
        if e // size in kept:
            result[e] = priorities[e]
    return result
