"""Linear attention as sums, number by number."""

import numpy as np
from jaxtyping import Float64

from course_lib.naive.efficient.kernel_attention import elu_features, kernel_attention_by_scores

__all__ = ["linear_attention", "linear_attention_step"]

Vector = Float64[np.ndarray, " D"]
Values = Float64[np.ndarray, " Dv"]
State = Float64[np.ndarray, "D Dv"]


def linear_attention(
    query: Float64[np.ndarray, "T D"],
    key: Float64[np.ndarray, "S D"],
    value: Float64[np.ndarray, "S Dv"],
    causal: bool,
) -> Float64[np.ndarray, "T Dv"]:
    """Every kernel of every pair that may be read."""
    may_attend = np.ones((len(query), len(key)), dtype=bool)
    for t in range(len(query)):
        for s in range(len(key)):
            if causal and s > t:
                may_attend[t, s] = False
    return kernel_attention_by_scores(elu_features(query), elu_features(key), value, may_attend)


def linear_attention_step(
    query: Vector, key: Vector, value: Values, state: State, normaliser: Vector
) -> tuple[Values, State, Vector]:
    """Entry by entry: write, then read."""
    asked, written = elu_features(np.array([query, key]))
    state, normaliser = state.copy(), normaliser.copy()
    output, total = np.zeros(len(value)), 0.0
    for d in range(len(key)):
        normaliser[d] += written[d]
        total += asked[d] * normaliser[d]
        for j in range(len(value)):
            state[d, j] += written[d] * value[j]
            output[j] += asked[d] * state[d, j]
    return output / total, state, normaliser
