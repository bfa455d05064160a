"""The best logits one after another, and their exponentials over the sum."""

import math

import numpy as np
from jaxtyping import Float64, Int

from course_lib.naive.experts.router import choose
from course_lib.naive.layers.affine import affine

__all__ = ["affine_topk_router"]


def affine_topk_router(
    x: Float64[np.ndarray, "T C"],
    w_gate: Float64[np.ndarray, "C E"],
    b_gate: Float64[np.ndarray, " E"],
    A: int,
) -> tuple[Int[np.ndarray, "T A"], Float64[np.ndarray, "T A"]]:
    """Token by token."""
    logits = affine(x, w_gate)
    experts, weights = np.zeros((len(x), A), dtype=np.int64), np.zeros((len(x), A))
    for t, row in enumerate(logits):
        biased = row + b_gate
        experts[t] = choose(biased, A)
        shares = [math.exp(biased[e] - max(biased)) for e in experts[t]]
        for a, share in enumerate(shares):
            weights[t, a] = share / sum(shares)
    return experts, weights
