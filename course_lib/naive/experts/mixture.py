"""Each token goes to each of its experts by itself."""

import numpy as np
from jaxtyping import Float64, Int

from course_lib.naive.layers.activations import silu
from course_lib.naive.layers.affine import affine
from course_lib.naive.layers.feed_forward import feed_forward, swiglu

__all__ = ["gated_moe_forward", "grouped_matmul", "moe_forward", "shared_experts"]

Tokens = Float64[np.ndarray, "T C"]
Experts = Int[np.ndarray, "T A"]
Weights = Float64[np.ndarray, "T A"]
Up = Float64[np.ndarray, "E C F"]
Down = Float64[np.ndarray, "E F C"]


def grouped_matmul(
    rows: Float64[np.ndarray, "_ C"], counts: Int[np.ndarray, " E"], weights: Up
) -> Float64[np.ndarray, "_ F"]:
    """Each row with the matrix of the expert whose turn it is."""
    results = np.zeros((len(rows), weights.shape[2]))
    expert, left = 0, int(counts[0])
    for i, row in enumerate(rows):
        while left == 0:
            expert += 1
            left = int(counts[expert])
        results[i] = affine(row[None], weights[expert])[0]
        left -= 1
    return results


def moe_forward(x: Tokens, experts: Experts, weights: Weights, w_up: Up, w_down: Down) -> Tokens:
    """Expert by expert, each a feed-forward network of one vector."""
    output = np.zeros(x.shape)
    for t, row in enumerate(x):
        for e, weight in zip(experts[t], weights[t], strict=True):
            output[t] += weight * feed_forward(row, w_up[e], None, w_down[e], None, silu)
    return output


def gated_moe_forward(
    x: Tokens, experts: Experts, weights: Weights, w_gate: Up, w_up: Up, w_down: Down
) -> Tokens:
    """Expert by expert, each a SwiGLU network of one vector."""
    output = np.zeros(x.shape)
    for t, row in enumerate(x):
        for e, weight in zip(experts[t], weights[t], strict=True):
            output[t] += weight * swiglu(row, w_gate[e], w_up[e], w_down[e])
    return output


def shared_experts(x: Tokens, w_gate: Up, w_up: Up, w_down: Down) -> Tokens:
    """The sum of all of them."""
    output = np.zeros(x.shape)
    for t, row in enumerate(x):
        for e in range(len(w_up)):
            output[t] += swiglu(row, w_gate[e], w_up[e], w_down[e])
    return output
