"""The entropy of single tokens, counted one by one."""

import math

import numpy as np
from jaxtyping import Int64

__all__ = ["unigram_entropy"]


def unigram_entropy(ids: Int64[np.ndarray, " _"], vocab_size: int) -> float:
    """Count each token of the vocabulary; its share times minus the share's logarithm."""
    total = 0.0
    for v in range(vocab_size):
        count = 0
        for token in ids:
            if token == v:
                count += 1
        if count > 0:
            share = count / len(ids)
            total -= share * math.log(share)
    return total
