"""Each token, multiplied by its weight, goes to each of its experts by itself."""

import math

import numpy as np
from jaxtyping import Float64, Int

from course_lib.naive.experts.router import choose
from course_lib.naive.layers.affine import affine
from course_lib.naive.layers.feed_forward import swiglu

__all__ = ["each_its_gate", "input_weighted_moe_forward"]

Tokens = Float64[np.ndarray, "T C"]
Experts = Int[np.ndarray, "T A"]
Weights = Float64[np.ndarray, "T A"]


def each_its_gate(x: Tokens, w_gate: Float64[np.ndarray, "C E"], A: int) -> tuple[Experts, Weights]:
    """The sigmoid of one logit after another."""
    logits = affine(x, w_gate)
    experts = np.zeros((len(x), A), dtype=np.int64)
    weights = np.zeros((len(x), A))
    for t, row in enumerate(logits):
        experts[t] = choose(row, A)
        for a, e in enumerate(experts[t]):
            weights[t, a] = 1.0 / (1.0 + math.exp(-row[e]))
    return experts, weights


def input_weighted_moe_forward(
    x: Tokens,
    experts: Experts,
    weights: Weights,
    w_gate: Float64[np.ndarray, "E C F"],
    w_up: Float64[np.ndarray, "E C F"],
    w_down: Float64[np.ndarray, "E F C"],
) -> Tokens:
    """Expert by expert, each a SwiGLU network of a vector that was multiplied first."""
    output = np.zeros(x.shape)
    for t, row in enumerate(x):
        for e, weight in zip(experts[t], weights[t], strict=True):
            share = np.array([weight * entry for entry in row])
            output[t] += swiglu(share, w_gate[e], w_up[e], w_down[e])
    return output
