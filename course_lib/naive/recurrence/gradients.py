"""Jacobians through time, one number at a time; singular values by turning columns apart."""

import math

import numpy as np
from jaxtyping import Float64

__all__ = ["product_norms", "state_jacobian_norms", "step_jacobians"]

Matrix = Float64[np.ndarray, "N N"]


def step_jacobians(w_h: Matrix, hs: Float64[np.ndarray, "T N"]) -> Float64[np.ndarray, "T N N"]:
    """Unit i of the new state hears unit j of the old one by w_h[j, i], times the tanh's slope."""
    num_steps, num_units = hs.shape
    jacobians = np.zeros((num_steps, num_units, num_units))
    for t in range(num_steps):
        for i in range(num_units):
            slope = 1 - hs[t, i] ** 2
            for j in range(num_units):
                jacobians[t, i, j] = slope * w_h[j, i]
    return jacobians


def product_norms(jacobians: Float64[np.ndarray, "T N N"]) -> Float64[np.ndarray, " T"]:
    """For each step the whole product anew: the later steps in time order, each on the left."""
    num_steps, num_units = jacobians.shape[:2]
    norms = np.zeros(num_steps)
    for t in range(num_steps):
        product = np.zeros((num_units, num_units))
        for n in range(num_units):
            product[n, n] = 1.0
        for later in range(t + 1, num_steps):
            product = _times(jacobians[later], product)
        norms[t] = _largest_singular_value(product)
    return norms


def state_jacobian_norms(w_h: Matrix, hs: Float64[np.ndarray, "T N"]) -> Float64[np.ndarray, " T"]:
    """The norms of the products of the steps' Jacobians."""
    return product_norms(step_jacobians(w_h, hs))


def _times(left: Matrix, right: Matrix) -> Matrix:
    size = len(left)
    result = np.zeros((size, size))
    for i in range(size):
        for j in range(size):
            for k in range(size):
                result[i, j] += left[i, k] * right[k, j]
    return result


def _largest_singular_value(matrix: Matrix) -> float:
    """Turn pairs of columns until all are orthogonal: their lengths are the singular values."""
    columns = [list(column) for column in matrix.T]
    for _ in range(12):  # each sweep squares what is left to do
        for p in range(len(columns)):
            for q in range(p + 1, len(columns)):
                _make_orthogonal(columns[p], columns[q])
    return max(math.hypot(*column) for column in columns)


def _make_orthogonal(a: list[float], b: list[float]) -> None:
    overlap, difference = 0.0, 0.0
    for i in range(len(a)):
        overlap += a[i] * b[i]
        difference += a[i] ** 2 - b[i] ** 2
    angle = math.atan2(2 * overlap, difference) / 2
    for i in range(len(a)):
        a[i], b[i] = (
            math.cos(angle) * a[i] + math.sin(angle) * b[i],
            math.cos(angle) * b[i] - math.sin(angle) * a[i],
        )
