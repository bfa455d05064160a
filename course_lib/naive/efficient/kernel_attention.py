"""Kernel attention, one weight at a time."""

import math

import numpy as np
from jaxtyping import Bool, Float64

__all__ = [
    "causal_kernel_attention",
    "elu_features",
    "kernel_attention",
    "kernel_attention_by_scores",
]

Queries = Float64[np.ndarray, "T D"]
Keys = Float64[np.ndarray, "S D"]
Values = Float64[np.ndarray, "S Dv"]
Output = Float64[np.ndarray, "T Dv"]


def elu_features(x: Queries) -> Queries:
    """Entry by entry: x + 1 above 0, else e^x."""
    result = np.zeros(x.shape)
    for t in range(x.shape[0]):
        for d in range(x.shape[1]):
            result[t, d] = x[t, d] + 1 if x[t, d] > 0 else math.exp(x[t, d])
    return result


def kernel_attention(query_features: Queries, key_features: Keys, value: Values) -> Output:
    """Every weight of every pair."""
    everything = np.ones((len(query_features), len(key_features)), dtype=bool)
    return kernel_attention_by_scores(query_features, key_features, value, everything)


def kernel_attention_by_scores(
    query_features: Queries,
    key_features: Keys,
    value: Values,
    may_attend: Bool[np.ndarray, "T S"] | None = None,
) -> Output:
    """The kernel of each readable pair, divided by their sum."""
    output = np.zeros((len(query_features), value.shape[1]))
    for t in range(len(query_features)):
        kernels = {}
        for s in range(len(key_features)):
            if may_attend is None or may_attend[t, s]:
                kernels[s] = sum(
                    query_features[t, d] * key_features[s, d] for d in range(key_features.shape[1])
                )
        for s, kernel in kernels.items():
            output[t] += kernel / sum(kernels.values()) * value[s]
    return output


def causal_kernel_attention(
    query_features: Queries, key_features: Keys, value: Values, chunk: int
) -> Output:
    """The chunks change the cost alone, so this one has none."""
    del chunk
    size = len(query_features)
    may_attend = np.zeros((size, size), dtype=bool)
    for t in range(size):
        may_attend[t, : t + 1] = True
    return kernel_attention_by_scores(query_features, key_features, value, may_attend)
