"""How widely the weights of one row are spread, number by number."""

import math

import numpy as np
from jaxtyping import Float64

from course_lib.naive.softmax import softmax

__all__ = ["entropy", "weight_entropy"]


Row = Float64[np.ndarray, " S"]


def entropy(weights: Row) -> float:
    """Minus the sum of p_i log p_i in nats, over the weights that are not zero."""
    total = 0.0
    for weight in weights:
        if weight > 0.0:
            total -= weight * math.log(weight)
    return total


def weight_entropy(scores: Row) -> float:
    """Entropy of the softmax of one row of scores, in nats."""
    return entropy(softmax(scores))
