"""Inputs that were cut down and rounded, made to obey a contract again."""

from typing import Any

import numpy as np

from grading.observation.values import Array

__all__ = ["shares"]


def shares(value: Array, axis: int) -> Array:
    """Return numbers as hundredths that sum to 1 along an axis, as weights do."""
    assert value.numbers is not None
    held: Any = np.abs(value.numbers)
    total = held.sum(axis, keepdims=True)
    parts = np.where(total > 0, held, 1.0) / np.where(total > 0, total, held.shape[axis])
    hundredths = (100 * parts).round()
    largest = np.expand_dims(hundredths.argmax(axis), axis)
    rest = np.take_along_axis(hundredths, largest, axis)
    rest = rest + 100 - hundredths.sum(axis, keepdims=True)
    np.put_along_axis(hundredths, largest, rest, axis)
    return value.holding(hundredths / 100)
