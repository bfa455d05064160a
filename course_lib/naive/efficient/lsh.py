"""Hashing and sorted reading, one position at a time."""

import math

import numpy as np
from jaxtyping import Float64, Int

from course_lib.naive.softmax import logsumexp, softmax

__all__ = ["lsh_attention", "lsh_hash", "multi_round_lsh_attention"]

Heads = Float64[np.ndarray, "H T _"]


def lsh_hash(
    x: Float64[np.ndarray, "T D"], r: Float64[np.ndarray, "U D half"]
) -> Int[np.ndarray, "U T"]:
    """The axis, or the opposite of an axis, with the largest product; the first of equals."""
    rounds, size, half = r.shape
    buckets = np.zeros((rounds, len(x)), dtype=np.int64)
    for u in range(rounds):
        for t in range(len(x)):
            best, largest = 0, -math.inf
            for bucket in range(2 * half):
                sign = 1 if bucket < half else -1
                product = sign * sum(x[t, d] * r[u, d, bucket % half] for d in range(size))
                if product > largest:
                    best, largest = bucket, product
            buckets[u, t] = best
    return buckets


def lsh_attention(
    qk: Float64[np.ndarray, "H T D"],
    value: Float64[np.ndarray, "H T Dv"],
    buckets: Int[np.ndarray, "H T"],
    chunk: int,
    causal: bool,
) -> tuple[Float64[np.ndarray, "H T Dv"], Float64[np.ndarray, "H T"]]:
    """Put the positions into a queue, bucket after bucket; then each looks around in it."""
    num_heads, length, size = qk.shape
    output, lse = np.zeros(value.shape), np.zeros((num_heads, length))
    for h in range(num_heads):
        queue, number = _queue(buckets[h], chunk)
        for i in range(length):
            near = _others(i, queue, number, buckets[h], causal) or [i]
            scores = []
            for j in near:
                norm = math.sqrt(sum(entry * entry for entry in qk[h, j])) or 1.0
                product = sum(qk[h, i, d] * qk[h, j, d] for d in range(size))
                scores.append(product / norm / math.sqrt(size))
            for j, weight in zip(near, softmax(np.array(scores)), strict=True):
                output[h, i] += weight * value[h, j]
            lse[h, i] = logsumexp(np.array(scores))
    return output, lse


def multi_round_lsh_attention(
    qk: Heads, value: Heads, buckets: Int[np.ndarray, "U H T"], chunk: int, causal: bool
) -> Heads:
    """Each position takes the mean of the rounds in which it found somebody, by their sums."""
    rounds = [lsh_attention(qk, value, row, chunk, causal) for row in buckets]
    result = np.zeros(value.shape)
    for h in range(qk.shape[0]):
        for i in range(qk.shape[1]):
            found = []
            for u, row in enumerate(buckets):
                if _others(i, *_queue(row[h], chunk), row[h], causal):
                    found.append(u)
            shares = [math.exp(rounds[u][1][h, i]) for u in found]
            for u, share in zip(found, shares, strict=True):
                result[h, i] += share / sum(shares) * rounds[u][0][h, i]
            if not found:
                result[h, i] = value[h, i]
    return result


def _queue(buckets: Int[np.ndarray, " T"], chunk: int) -> tuple[list[int], dict[int, int]]:
    """The positions, bucket after bucket, and the number of each one's chunk."""
    queue = sorted(range(len(buckets)), key=lambda t: (buckets[t], t))
    return queue, {t: place // chunk for place, t in enumerate(queue)}


def _others(
    i: int, queue: list[int], number: dict[int, int], buckets: Int[np.ndarray, " T"], causal: bool
) -> list[int]:
    """Whom position i may read, itself left out."""
    return [
        j
        for j in queue
        if number[j] in (number[i], number[i] - 1)
        and buckets[j] == buckets[i]
        and j != i
        and (j < i or not causal)
    ]
