"""The choice of one token, number by number."""

import numpy as np
from jaxtyping import Float64

from course_lib.naive.softmax import softmax

__all__ = ["greedy", "pick", "sample"]


Row = Float64[np.ndarray, " V"]


def greedy(logits: Row) -> int:
    """The first token that no other beats."""
    best = 0
    for v in range(len(logits)):
        if logits[v] > logits[best]:
            best = v
    return best


def pick(logits: Row, uniform: float) -> int:
    """Walk over the weights until the point is behind; tokens of no weight are stepped over."""
    weights = softmax(logits)
    end = 0.0
    chosen = 0
    for v in range(len(logits)):
        if weights[v] > 0:
            chosen = v
            end += weights[v]
            if end > uniform:
                break
    return chosen


def sample(logits: Row, generator: np.random.Generator) -> int:
    """Draw the point, then pick."""
    return pick(logits, generator.random())
