"""Normalised queries and keys, one vector at a time."""

import math

import numpy as np
from jaxtyping import Float64

from course_lib.naive.layers.norms import rms_norm

__all__ = ["cosine_scores", "normalise_heads", "normalise_projections"]

Gain = Float64[np.ndarray, " _"]


def normalise_heads(
    query: Float64[np.ndarray, "H T D"],
    key: Float64[np.ndarray, "G S D"],
    g_q: Gain,
    g_k: Gain,
    eps: float,
) -> tuple[Float64[np.ndarray, "H T D"], Float64[np.ndarray, "G S D"]]:
    """Each head's rows by themselves."""
    query = np.array([_normalise(head, g_q, eps) for head in query])
    key = np.array([_normalise(head, g_k, eps) for head in key])
    return query, key


def normalise_projections(
    query: Float64[np.ndarray, "T _"],
    key: Float64[np.ndarray, "S _"],
    g_q: Gain,
    g_k: Gain,
    eps: float,
) -> tuple[Float64[np.ndarray, "T _"], Float64[np.ndarray, "S _"]]:
    """Whole rows, all heads of a position together."""
    return _normalise(query, g_q, eps), _normalise(key, g_k, eps)


def cosine_scores(
    query: Float64[np.ndarray, "T D"], key: Float64[np.ndarray, "S D"], scale: float
) -> Float64[np.ndarray, "T S"]:
    """The scale times the cosine of the angle between query t and key s."""
    scores = np.zeros((len(query), len(key)))
    for t in range(len(query)):
        for s in range(len(key)):
            product = query_square = key_square = 0.0
            for d in range(query.shape[1]):
                product += query[t, d] * key[s, d]
                query_square += query[t, d] ** 2
                key_square += key[s, d] ** 2
            if query_square > 0 and key_square > 0:
                scores[t, s] = scale * product / math.sqrt(query_square * key_square)
    return scores


def _normalise(
    vectors: Float64[np.ndarray, "T M"], gain: Gain, eps: float
) -> Float64[np.ndarray, "T M"]:
    return np.array([rms_norm(vector, gain, eps) for vector in vectors])
