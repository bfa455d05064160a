"""Grouped-query attention, one query head, one key at a time."""

import math

import numpy as np
from jaxtyping import Bool, Float64

from course_lib.naive.softmax import masked_softmax

__all__ = ["grouped_mix", "grouped_query_attention", "grouped_scores", "mha_to_gqa"]


def grouped_scores(
    query: Float64[np.ndarray, "H T D"], key: Float64[np.ndarray, "G S D"]
) -> Float64[np.ndarray, "H T S"]:
    """Query head h is compared with key head h // R."""
    num_heads, num_queries, head_dim = query.shape
    shared = num_heads // key.shape[0]
    scores = np.zeros((num_heads, num_queries, key.shape[1]))
    for h in range(num_heads):
        for t in range(num_queries):
            for s in range(key.shape[1]):
                for d in range(head_dim):
                    scores[h, t, s] += query[h, t, d] * key[h // shared, s, d]
    return scores


def grouped_mix(
    weights: Float64[np.ndarray, "H T S"], value: Float64[np.ndarray, "G S Dv"]
) -> Float64[np.ndarray, "H T Dv"]:
    """Query head h mixes the values of value head h // R."""
    num_heads, num_queries, num_keys = weights.shape
    shared = num_heads // value.shape[0]
    output = np.zeros((num_heads, num_queries, value.shape[2]))
    for h in range(num_heads):
        for t in range(num_queries):
            for s in range(num_keys):
                for d in range(value.shape[2]):
                    output[h, t, d] += weights[h, t, s] * value[h // shared, s, d]
    return output


def grouped_query_attention(
    query: Float64[np.ndarray, "H T D"],
    key: Float64[np.ndarray, "G S D"],
    value: Float64[np.ndarray, "G S Dv"],
    may_attend: Bool[np.ndarray, "H T S"] | None = None,
) -> Float64[np.ndarray, "H T Dv"]:
    """Scores over the root of D, softmax over the keys, weighted sum of the values."""
    weights = grouped_scores(query, key) / math.sqrt(query.shape[2])
    if may_attend is None:
        may_attend = np.ones(weights.shape, dtype=bool)
    for h in range(len(weights)):
        weights[h] = masked_softmax(weights[h], may_attend[h])
    return grouped_mix(weights, value)


def mha_to_gqa(w_k: Float64[np.ndarray, "C _"], G: int, H: int) -> Float64[np.ndarray, "C _"]:
    """Column d of group g is the mean of column d of the heads g R to g R + R - 1."""
    shared, size = H // G, w_k.shape[1] // H
    result = np.zeros((w_k.shape[0], G * size))
    for c in range(w_k.shape[0]):
        for h in range(H):
            for d in range(size):
                result[c, (h // shared) * size + d] += w_k[c, h * size + d] / shared
    return result
