"""Each expert reads its column, and takes its tokens one after another."""

import numpy as np
from jaxtyping import Float64, Int

from course_lib.naive.experts.router import choose
from course_lib.naive.layers.activations import silu
from course_lib.naive.layers.affine import affine
from course_lib.naive.layers.feed_forward import feed_forward
from course_lib.naive.softmax import softmax

__all__ = ["expert_choice", "expert_choice_forward"]


def expert_choice(
    x: Float64[np.ndarray, "T C"], w_gate: Float64[np.ndarray, "C E"], capacity: int
) -> tuple[Int[np.ndarray, "E _"], Float64[np.ndarray, "E _"]]:
    """Expert by expert."""
    affinities = np.stack([softmax(row) for row in affine(x, w_gate)])
    tokens = np.zeros((w_gate.shape[1], capacity), dtype=np.int64)
    weights = np.zeros(tokens.shape)
    for e in range(len(tokens)):
        tokens[e] = choose(np.ascontiguousarray(affinities[:, e]), capacity)
        for j, t in enumerate(tokens[e]):
            weights[e, j] = affinities[t, e]
    return tokens, weights


def expert_choice_forward(
    x: Float64[np.ndarray, "T C"],
    tokens: Int[np.ndarray, "E _"],
    weights: Float64[np.ndarray, "E _"],
    w_up: Float64[np.ndarray, "E C F"],
    w_down: Float64[np.ndarray, "E F C"],
) -> Float64[np.ndarray, "T C"]:
    """Token by token of each expert."""
    output = np.zeros(x.shape)
    for e in range(len(tokens)):
        for t, weight in zip(tokens[e], weights[e], strict=True):
            output[t] += weight * feed_forward(x[t], w_up[e], None, w_down[e], None, silu)
    return output
