"""Attention, one query, one key, one number at a time."""

import math

import numpy as np
from jaxtyping import Bool, Float64

from course_lib.naive.layers.affine import affine
from course_lib.naive.softmax import masked_softmax

__all__ = ["attention_scores", "project_qkv", "scaled_dot_product_attention"]


def project_qkv(
    x: Float64[np.ndarray, "T C"],
    w_q: Float64[np.ndarray, "C D"],
    w_k: Float64[np.ndarray, "C D"],
    w_v: Float64[np.ndarray, "C Dv"],
    context: Float64[np.ndarray, "S C"] | None = None,
) -> tuple[Float64[np.ndarray, "T D"], Float64[np.ndarray, "S D"], Float64[np.ndarray, "S Dv"]]:
    """Queries from x; keys and values from the context, or from x where there is none."""
    source = x if context is None else context
    return affine(x, w_q), affine(source, w_k), affine(source, w_v)


def attention_scores(
    query: Float64[np.ndarray, "T D"], key: Float64[np.ndarray, "S D"]
) -> Float64[np.ndarray, "T S"]:
    """The dot product of every query with every key."""
    scores = np.zeros((len(query), len(key)))
    for t in range(len(query)):
        for s in range(len(key)):
            for d in range(query.shape[1]):
                scores[t, s] += query[t, d] * key[s, d]
    return scores


def scaled_dot_product_attention(
    query: Float64[np.ndarray, "T D"],
    key: Float64[np.ndarray, "S D"],
    value: Float64[np.ndarray, "S Dv"],
    may_attend: Bool[np.ndarray, "T S"] | None = None,
) -> tuple[Float64[np.ndarray, "T Dv"], Float64[np.ndarray, "T S"]]:
    """Scores over the root of D, softmax over the keys, weighted sum of the values."""
    scores = attention_scores(query, key) / math.sqrt(query.shape[1])
    if may_attend is None:
        may_attend = np.ones(scores.shape, dtype=bool)
    weights = masked_softmax(scores, may_attend)
    output = np.zeros((len(query), value.shape[1]))
    for t in range(len(query)):
        for s in range(len(key)):
            for d in range(value.shape[1]):
                output[t, d] += weights[t, s] * value[s, d]
    return output, weights
