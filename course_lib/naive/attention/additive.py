"""Additive attention, one hidden unit at a time."""

import math

import numpy as np
from jaxtyping import Float64

__all__ = ["additive_scores"]


def additive_scores(
    query: Float64[np.ndarray, "T C"],
    key: Float64[np.ndarray, "S _"],
    w_q: Float64[np.ndarray, "C D"],
    w_k: Float64[np.ndarray, "_ D"],
    v: Float64[np.ndarray, " D"],
) -> Float64[np.ndarray, "T S"]:
    """For every pair a hidden layer of D tanh units, whose sum weighted by v is the score."""
    scores = np.zeros((len(query), len(key)))
    for t in range(len(query)):
        for s in range(len(key)):
            for d in range(len(v)):
                unit = 0.0
                for c in range(query.shape[1]):
                    unit += query[t, c] * w_q[c, d]
                for c in range(key.shape[1]):
                    unit += key[s, c] * w_k[c, d]
                scores[t, s] += v[d] * math.tanh(unit)
    return scores
