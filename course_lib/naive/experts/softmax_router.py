"""One share after another; then the groups, best first; then the experts, best first."""

import math

import numpy as np
from jaxtyping import Float64, Int

from course_lib.naive.experts.router import choose
from course_lib.naive.layers.affine import affine

__all__ = ["grouped_softmax_router"]


def grouped_softmax_router(
    x: Float64[np.ndarray, "T C"],
    w_gate: Float64[np.ndarray, "C E"],
    A: int,
    num_groups: int,
    groups_kept: int,
) -> tuple[Int[np.ndarray, "T A"], Float64[np.ndarray, "T A"]]:
    """An expert of a group that is not kept counts as worse than any other."""
    logits = affine(x, w_gate)
    experts = np.zeros((len(x), A), dtype=np.int64)
    weights = np.zeros((len(x), A))
    size = logits.shape[1] // num_groups
    for t, row in enumerate(logits):
        every = [math.exp(z - max(row)) for z in row]
        shares = [one / sum(every) for one in every]
        best = [max(shares[j * size : (j + 1) * size]) for j in range(num_groups)]
        kept = choose(np.array(best), groups_kept)
        priorities = [p if e // size in kept else -1.0 for e, p in enumerate(shares)]
        experts[t] = choose(np.array(priorities), A)
        weights[t] = [shares[e] for e in experts[t]]
    return experts, weights
