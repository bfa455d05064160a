"""The factor on the scores, and two measurements, one random pair at a time."""

import math

import numpy as np
from jaxtyping import Float64, Int

from course_lib.naive.softmax import softmax

__all__ = ["growing_scale", "saturation", "score_variance", "softmax_scale"]


def softmax_scale(
    head_dim: int, query_pre_attn_scalar: float | None = None, yarn_factor: float | None = None
) -> float:
    """One over the root of D (or of the model's own number); YaRN's factor for q and for k."""
    divisor = float(head_dim)
    if query_pre_attn_scalar is not None:
        divisor = float(query_pre_attn_scalar)
    scale = 1.0 / math.sqrt(divisor)
    if yarn_factor is not None:
        on_query = 1.0 + math.log(yarn_factor) / 10.0
        on_key = on_query
        scale = scale * on_query * on_key
    return scale


def growing_scale(
    positions: Int[np.ndarray, " T"], floor: int, factor: float
) -> Float64[np.ndarray, " T"]:
    """Count the whole floors that lie before each query, its own position included."""
    growth = np.ones(len(positions))
    for t, position in enumerate(positions):
        floors, left = 0, int(position) + 1
        while left >= floor:
            floors, left = floors + 1, left - floor
        growth[t] += factor * math.log(1 + floors)
    return growth


def score_variance(D: int, n: int, generator: np.random.Generator, scale: float) -> float:
    """Draw n pairs, one after the other; the sum of squared distances from the mean over n - 1."""
    scores = []
    for _ in range(n):
        query = generator.standard_normal(D)
        key = generator.standard_normal(D)
        score = 0.0
        for d in range(D):
            score += query[d] * key[d]
        scores.append(scale * score)
    mean = sum(scores) / n
    return sum((score - mean) ** 2 for score in scores) / (n - 1)


def saturation(D: int, S: int, scale: float, trials: int, generator: np.random.Generator) -> float:
    """Draw a query and S keys, note the largest weight, and again; then the mean."""
    total = 0.0
    for _ in range(trials):
        query = generator.standard_normal(D)
        scores = np.zeros(S)
        for s in range(S):
            key = generator.standard_normal(D)
            for d in range(D):
                scores[s] += scale * query[d] * key[d]
        total += max(softmax(scores))
    return float(total / trials)
