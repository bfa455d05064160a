"""Random features, one at a time."""

import math

import numpy as np
from jaxtyping import Float64

from course_lib.naive.efficient.kernel_attention import kernel_attention_by_scores

__all__ = ["performer_attention", "performer_features"]


def performer_features(
    x: Float64[np.ndarray, "T D"], w: Float64[np.ndarray, "M D"]
) -> Float64[np.ndarray, "T M"]:
    """For each row of w: exp(w · y) times exp(-y · y / 2), over the root of M."""
    size = x.shape[1]
    result = np.zeros((len(x), len(w)))
    for t in range(len(x)):
        y = [entry / math.sqrt(math.sqrt(size)) for entry in x[t]]
        square = sum(entry * entry for entry in y)
        for m in range(len(w)):
            product = sum(w[m, d] * y[d] for d in range(size))
            result[t, m] = math.exp(product) * math.exp(-square / 2) / math.sqrt(len(w))
    return result


def performer_attention(
    query: Float64[np.ndarray, "T D"],
    key: Float64[np.ndarray, "S D"],
    value: Float64[np.ndarray, "S Dv"],
    w: Float64[np.ndarray, "M D"],
    causal: bool,
) -> Float64[np.ndarray, "T Dv"]:
    """Features, then the kernel of every pair that may be read."""
    may_attend = np.ones((len(query), len(key)), dtype=bool)
    for t in range(len(query)):
        for s in range(len(key)):
            may_attend[t, s] = not causal or s <= t
    features = performer_features(query, w), performer_features(key, w)
    return kernel_attention_by_scores(*features, value, may_attend)
