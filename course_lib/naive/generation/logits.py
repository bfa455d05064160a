"""Logits before the choice, number by number."""

import numpy as np
from jaxtyping import Float64

from course_lib.naive.softmax import softmax

__all__ = ["temperature_logits", "top_k_logits", "top_p_logits"]


Row = Float64[np.ndarray, " V"]


def temperature_logits(logits: Row, temperature: float) -> Row:
    """Each logit over the temperature; its distance from the largest, where that is too large."""
    highest, limit = max(logits), np.finfo(np.float64).max * min(temperature, 1.0)
    finite = [abs(logit) for logit in logits if logit > -np.inf]
    lowered = highest if max(finite) > limit else 0.0
    quotients = []
    for logit in logits:
        below = lowered - logit
        quotients.append(-np.inf if below > limit else -below / temperature)
    return np.array(quotients)


def top_k_logits(logits: Row, k: int) -> Row:
    """Take the largest that is left, k times; the lower id where two are equal."""
    result = np.full(len(logits), -np.inf)
    left = list(range(len(logits)))
    for _ in range(k):
        best = left[0]
        for v in left:
            if logits[v] > logits[best]:
                best = v
        result[best] = logits[best]
        left.remove(best)
    return result


def top_p_logits(logits: Row, p: float) -> Row:
    """Take the heaviest that is left until the weights taken reach p; at 1 take all."""
    weights = softmax(logits)
    result = np.full(len(logits), -np.inf)
    left = list(range(len(logits)))
    taken = 0.0
    while left and (taken < p or p == 1):
        best = left[0]
        for v in left:
            if weights[v] > weights[best]:
                best = v
        result[best] = logits[best]
        taken += weights[best]
        left.remove(best)
    return result
