"""The feed-forward network of one vector, hidden unit by hidden unit."""

import math
from collections.abc import Callable

import numpy as np
from jaxtyping import Float64

from course_lib.naive.layers.activations import gelu, relu, silu
from course_lib.naive.layers.affine import affine

__all__ = [
    "bilinear",
    "feed_forward",
    "gated_feed_forward",
    "geglu",
    "glu",
    "reglu",
    "swiglu",
]

Vector = Float64[np.ndarray, " C"]
Hidden = Float64[np.ndarray, " F"]
Up = Float64[np.ndarray, "C F"]
Down = Float64[np.ndarray, "F C"]
Activation = Callable[[Hidden], Hidden]


def feed_forward(
    x: Vector,
    w_in: Up,
    b_in: Hidden | None,
    w_out: Down,
    b_out: Vector | None,
    activation: Activation,
) -> Vector:
    """Each hidden unit weighs the entries of x; each result weighs the bent hidden units."""
    hidden = activation(affine(x[None], w_in, b_in)[0])
    result: Vector = affine(hidden[None], w_out, b_out)[0]
    return result


def gated_feed_forward(
    x: Vector, w_gate: Up, w_up: Up, w_down: Down, activation: Activation
) -> Vector:
    """Each hidden unit is one sum over x times another one, bent."""
    gate, up = activation(affine(x[None], w_gate)[0]), affine(x[None], w_up)[0]
    hidden = np.array([gate[f] * up[f] for f in range(len(up))])
    result: Vector = affine(hidden[None], w_down)[0]
    return result


def glu(x: Vector, w_gate: Up, w_up: Up, w_down: Down) -> Vector:
    """Gated by 1 / (1 + exp(-z))."""
    return gated_feed_forward(x, w_gate, w_up, w_down, _sigmoid)


def bilinear(x: Vector, w_gate: Up, w_up: Up, w_down: Down) -> Vector:
    """Gated by z itself."""
    return gated_feed_forward(x, w_gate, w_up, w_down, np.copy)


def reglu(x: Vector, w_gate: Up, w_up: Up, w_down: Down) -> Vector:
    """Gated by max(z, 0)."""
    return gated_feed_forward(x, w_gate, w_up, w_down, relu)


def geglu(x: Vector, w_gate: Up, w_up: Up, w_down: Down) -> Vector:
    """Gated by z times the normal distribution function at z."""
    return gated_feed_forward(x, w_gate, w_up, w_down, gelu)


def swiglu(x: Vector, w_gate: Up, w_up: Up, w_down: Down) -> Vector:
    """Gated by z / (1 + exp(-z))."""
    return gated_feed_forward(x, w_gate, w_up, w_down, silu)


def _sigmoid(x: Hidden) -> Hidden:
    return np.array([(1.0 + math.tanh(entry / 2.0)) / 2.0 for entry in x])
