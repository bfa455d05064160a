"""A learnt index, pair by pair."""

import math

import numpy as np
from jaxtyping import Bool, Float64

from course_lib.naive.softmax import log_softmax, softmax

__all__ = ["index_loss", "index_scores", "top_k_attention", "top_k_mask"]

Scores = Float64[np.ndarray, "T S"]
Mask = Bool[np.ndarray, "T S"]


def index_scores(
    query: Float64[np.ndarray, "T H D"],
    key: Float64[np.ndarray, "S D"],
    weight: Float64[np.ndarray, "T H"],
) -> Scores:
    """Head by head: the product if it is positive, times the head's weight."""
    scores = np.zeros((len(query), len(key)))
    for t in range(len(query)):
        for s in range(len(key)):
            for h in range(query.shape[1]):
                product = sum(query[t, h, d] * key[s, d] for d in range(key.shape[1]))
                if product > 0:
                    scores[t, s] += weight[t, h] * product
    return scores


def top_k_mask(scores: Scores, k: int) -> Mask:
    """Again and again the best key that is left; a later one must be better to be taken."""
    mask = np.zeros(scores.shape, dtype=bool)
    for t in range(scores.shape[0]):
        left = list(range(max(scores.shape[1] - scores.shape[0] + t + 1, 0)))
        for _ in range(min(k, len(left))):
            best = left[0]
            for s in left:
                if scores[t, s] > scores[t, best]:
                    best = s
            mask[t, best] = True
            left.remove(best)
    return mask


def top_k_attention(
    query: Float64[np.ndarray, "H T D"],
    key: Float64[np.ndarray, "G S D"],
    value: Float64[np.ndarray, "G S Dv"],
    scores: Scores,
    k: int,
) -> Float64[np.ndarray, "H T Dv"]:
    """Each head reads what the index chose."""
    num_heads, num_queries, size = query.shape
    shared = num_heads // key.shape[0]
    chosen = top_k_mask(scores, k)
    output = np.zeros((num_heads, num_queries, value.shape[2]))
    for h in range(num_heads):
        for t in range(num_queries):
            keys = [s for s in range(key.shape[1]) if chosen[t, s]]
            fits = [
                sum(query[h, t, d] * key[h // shared, s, d] for d in range(size)) / math.sqrt(size)
                for s in keys
            ]
            if keys:
                for s, weight in zip(keys, softmax(np.array(fits)), strict=True):
                    output[h, t] += weight * value[h // shared, s]
    return output


def index_loss(scores: Scores, weights: Float64[np.ndarray, "H T S"], may_attend: Mask) -> float:
    """The mean of sum p (log p - log q) over the queries that read something."""
    divergences = []
    for t in range(scores.shape[0]):
        keys = [s for s in range(scores.shape[1]) if may_attend[t, s]]
        read = [sum(head[t, s] for head in weights) for s in keys]
        if sum(read) > 0:
            guess = log_softmax(scores[t, keys])
            shares = [share / sum(read) for share in read]
            divergences.append(
                sum(p * (math.log(p) - q) for p, q in zip(shares, guess, strict=True) if p > 0)
            )
    return float(sum(divergences)) / max(len(divergences), 1)
