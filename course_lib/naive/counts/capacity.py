"""Sequences against states, counted as whole numbers."""

from math import floor

__all__ = ["copy_capacity"]


def copy_capacity(bits_per_unit: float, N: int, vocab: int) -> int:
    """Lengthen the sequence as long as its sequences are no more than the states.

    Twice the bits stand for half bits too: V^(2 T) against 2^(2 b N).
    """
    doubled = floor(2 * bits_per_unit * N)
    assert doubled == 2 * bits_per_unit * N
    length = 0
    while vocab ** (2 * (length + 1)) <= 2**doubled:
        length += 1
    return length
