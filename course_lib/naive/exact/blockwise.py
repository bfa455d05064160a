"""One query meets one key after another, and keeps a maximum, a sum and a weighted sum."""

import math

import numpy as np
from jaxtyping import Float64

__all__ = ["blockwise_attention"]


def blockwise_attention(
    query: Float64[np.ndarray, "H T D"],
    key: Float64[np.ndarray, "G S D"],
    value: Float64[np.ndarray, "G S Dv"],
    causal: bool,
    window: int | None = None,
    block: int = 1,
) -> tuple[Float64[np.ndarray, "H T Dv"], Float64[np.ndarray, "H T"]]:
    """Blocks of one key each, whatever the block is: the result does not depend on it."""
    num_heads, num_queries, head_dim = query.shape
    num_keys, shared = key.shape[1], num_heads // len(key)
    output = np.zeros((num_heads, num_queries, value.shape[2]))
    lse = np.full((num_heads, num_queries), -math.inf)
    for h in range(num_heads):
        for t in range(num_queries):
            position, maximum, total = num_keys - num_queries + t, -math.inf, 0.0
            for s in range(num_keys):
                ahead = s > position
                behind = window is not None and position - s >= window
                if causal and (ahead or behind):
                    continue
                score = 0.0
                for d in range(head_dim):
                    score += query[h, t, d] * key[h // shared, s, d] / math.sqrt(head_dim)
                larger = max(maximum, score)
                rescale, weight = math.exp(maximum - larger), math.exp(score - larger)
                maximum, total = larger, rescale * total + weight
                for d in range(value.shape[2]):
                    output[h, t, d] = rescale * output[h, t, d] + weight * value[h // shared, s, d]
            if total > 0:
                output[h, t] /= total
                lse[h, t] = maximum + math.log(total)
    return output, lse
