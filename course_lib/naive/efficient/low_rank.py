"""Linformer, number by number; singular values by turning columns until they are orthogonal."""

import math

import numpy as np
from jaxtyping import Float64

from course_lib.naive.attention.dot_product import scaled_dot_product_attention
from course_lib.naive.layers.affine import affine

__all__ = ["linformer", "spectrum"]


def linformer(
    query: Float64[np.ndarray, "T D"],
    key: Float64[np.ndarray, "S D"],
    value: Float64[np.ndarray, "S Dv"],
    e: Float64[np.ndarray, "K S"],
    f: Float64[np.ndarray, "K S"],
) -> Float64[np.ndarray, "T Dv"]:
    """Mix keys, mix values, attend."""
    return scaled_dot_product_attention(query, affine(e, key), affine(f, value))[0]


def spectrum(weights: Float64[np.ndarray, "T S"], r: int) -> float:
    """One-sided Jacobi: turn pairs of columns; the lengths that remain are the singular values."""
    columns = [list(column) for column in weights.T]
    for _ in range(60):
        for i in range(len(columns)):
            for j in range(i):
                columns[i], columns[j] = _apart(columns[i], columns[j])
    lengths = sorted((math.sqrt(sum(x * x for x in column)) for column in columns), reverse=True)
    return sum(lengths[:r]) / sum(lengths)


def _apart(one: list[float], other: list[float]) -> tuple[list[float], list[float]]:
    """Turn two columns within their plane until their product is 0."""
    product = sum(x * y for x, y in zip(one, other, strict=True))
    if product == 0:
        return one, other
    gap = sum(x * x for x in one) - sum(y * y for y in other)
    angle = 0.5 * math.atan2(2 * product, gap)
    c, s = math.cos(angle), math.sin(angle)
    first = [c * x + s * y for x, y in zip(one, other, strict=True)]
    second = [c * y - s * x for x, y in zip(one, other, strict=True)]
    return first, second
