"""The decoder's look at the source, for one example."""

import numpy as np
from jaxtyping import Float64

from course_lib.naive.attention.additive import additive_scores
from course_lib.naive.softmax import softmax

__all__ = ["align_step"]


def align_step(
    state: Float64[np.ndarray, " N"],
    encoded: Float64[np.ndarray, "S _"],
    length: int,
    w_q: Float64[np.ndarray, "N D"],
    w_k: Float64[np.ndarray, "_ D"],
    v: Float64[np.ndarray, " D"],
) -> tuple[Float64[np.ndarray, " _"], Float64[np.ndarray, " S"]]:
    """Only the first ``length`` states exist; their weighted sum is the context."""
    context, weights = np.zeros(encoded.shape[1]), np.zeros(len(encoded))
    if length == 0:
        return context, weights
    scores = additive_scores(state[None, :], encoded[:length], w_q, w_k, v)
    weights[:length] = softmax(scores[0])
    for s in range(length):
        for n in range(encoded.shape[1]):
            context[n] += weights[s] * encoded[s, n]
    return context, weights
