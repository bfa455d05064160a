"""The best row of labels: every row there is, one after another."""

import numpy as np
from jaxtyping import Float64, Int64

__all__ = ["best_path"]

Rules = tuple[np.ndarray, np.ndarray, np.ndarray]


def best_path(scores: Float64[np.ndarray, "T _"], rules: Rules) -> Int64[np.ndarray, " T"]:
    """Return the row of labels whose sum is the largest.

    Args:
        scores: how well each label fits each token.
        rules: what a path gains by its first label, by each step, and by its last label.

    Returns:
        The labels.
    """
    first, steps, last = rules
    num_tokens, num_labels = scores.shape
    best, best_sum = np.zeros(num_tokens, dtype=np.int64), -np.inf
    for path in np.ndindex((num_labels,) * num_tokens):
        total = 0.0
        for token, label in enumerate(path):
            total += float(scores[token, label])
            total += float(first[label] if token == 0 else steps[path[token - 1], label])
        if num_tokens:
            total += float(last[path[-1]])
        if total > best_sum:
            best, best_sum = np.array(path, dtype=np.int64), total
    return best
