"""Each token goes to each of its experts by itself."""

import numpy as np
from jaxtyping import Float64, Int

from course_lib.naive.layers.affine import affine
from course_lib.naive.layers.gates import oai_swiglu

__all__ = ["clamped_moe_forward"]

#: Up and down, each a matrix and a bias for each expert.
Parameters = tuple[
    Float64[np.ndarray, "E C _"],
    Float64[np.ndarray, "E _"],
    Float64[np.ndarray, "E F C"],
    Float64[np.ndarray, "E C"],
]


def clamped_moe_forward(
    x: Float64[np.ndarray, "T C"],
    experts: Int[np.ndarray, "T A"],
    weights: Float64[np.ndarray, "T A"],
    parameters: Parameters,
) -> Float64[np.ndarray, "T C"]:
    """Expert by expert, one vector at a time."""
    w_gate_up, b_gate_up, w_down, b_down = parameters
    output = np.zeros(x.shape)
    for t, row in enumerate(x):
        for e, weight in zip(experts[t], weights[t], strict=True):
            opened = affine(row[None], w_gate_up[e], b_gate_up[e])
            output[t] += weight * affine(oai_swiglu(opened), w_down[e], b_down[e])[0]
    return output
