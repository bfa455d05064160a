"""Attention under a mask, and block to block: one query and one key at a time."""

import math

import numpy as np
from jaxtyping import Bool, Float64, Int

from course_lib.naive.softmax import softmax

__all__ = ["block_sparse_attention", "permuted_block_attention"]

Query = Float64[np.ndarray, "H T D"]
Key = Float64[np.ndarray, "G S D"]
Value = Float64[np.ndarray, "G S Dv"]
Output = Float64[np.ndarray, "H T Dv"]


def block_sparse_attention(
    query: Query, key: Key, value: Value, may_attend: Bool[np.ndarray, "T S"], block: int
) -> Output:
    """The blocks change the cost alone, so this one has none."""
    del block
    readable = [[s for s in range(key.shape[1]) if row[s]] for row in may_attend]
    return _attend(query, key, value, readable)


def permuted_block_attention(
    query: Query, key: Key, value: Value, order: Int[np.ndarray, " n"], block: int
) -> Output:
    """Each position finds its block, the block it reads, and that block's positions."""
    positions = range(key.shape[1])
    readable = [[s for s in positions if s // block == order[t // block]] for t in positions]
    return _attend(query, key, value, readable)


def _attend(query: Query, key: Key, value: Value, readable: list[list[int]]) -> Output:
    num_heads, num_queries, size = query.shape
    shared = num_heads // key.shape[0]
    output = np.zeros((num_heads, num_queries, value.shape[2]))
    for h in range(num_heads):
        for t in range(num_queries):
            scores = [
                sum(query[h, t, d] * key[h // shared, s, d] for d in range(size)) / math.sqrt(size)
                for s in readable[t]
            ]
            if scores:
                for s, weight in zip(readable[t], softmax(np.array(scores)), strict=True):
                    output[h, t] += weight * value[h // shared, s]
    return output
