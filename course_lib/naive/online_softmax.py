"""The softmax's denominator, score by score."""

import math

import numpy as np
from jaxtyping import Float64

__all__ = ["online_softmax_update"]


Row = Float64[np.ndarray, " S"]


def online_softmax_update(
    maximum: float, normaliser: float, scores_block: Row
) -> tuple[float, float]:
    """Take the scores one at a time: rescale the sum whenever a larger one comes."""
    for score in scores_block:
        if score > maximum:
            normaliser *= math.exp(maximum - score)
            maximum = float(score)
        if score > -math.inf:
            normaliser += math.exp(score - maximum)
    return maximum, normaliser
