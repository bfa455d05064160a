"""Ways to arrange the two halves of a block that are not pre-norm's.

Each gets the stream, the two norms and the two halves as functions of the rows that they read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from grading.late import Tensor

__all__ = [
    "attention_alone", "attention_doubled", "final_norm", "first_from_the_normed",
    "first_sum_missing", "inner", "network_alone", "network_first", "network_first_own_norms",
    "no_first_norm", "no_norms", "no_second_norm", "no_sums", "normed_after_the_attention",
    "parallel", "parallel_one_norm", "queries_only", "second_from_the_normed",
    "second_sum_missing",
]  # fmt: skip

Way = Callable[..., Any]


def no_sums(x: Tensor, norm_1: Way, attend: Way, norm_2: Way, think: Way) -> Any:
    """Add nothing at all."""
    return think(norm_2(attend(norm_1(x))))


def parallel(x: Tensor, norm_1: Way, attend: Way, norm_2: Way, think: Way) -> Any:
    """Let both halves read the block's input."""
    return x + attend(norm_1(x)) + think(norm_2(x))


def first_sum_missing(x: Tensor, norm_1: Way, attend: Way, norm_2: Way, think: Way) -> Any:
    """Let what the attention finds take the stream's place."""
    h = attend(norm_1(x))
    return h + think(norm_2(h))


def second_sum_missing(x: Tensor, norm_1: Way, attend: Way, norm_2: Way, think: Way) -> Any:
    """Let what the network gives take the stream's place."""
    return think(norm_2(x + attend(norm_1(x))))


def first_from_the_normed(x: Tensor, norm_1: Way, attend: Way, norm_2: Way, think: Way) -> Any:
    """Add what the attention finds to the normed vector."""
    n = norm_1(x)
    h = n + attend(n)
    return h + think(norm_2(h))


def second_from_the_normed(x: Tensor, norm_1: Way, attend: Way, norm_2: Way, think: Way) -> Any:
    """Add what the network gives to the normed vector."""
    m = norm_2(x + attend(norm_1(x)))
    return m + think(m)


def normed_after_the_attention(x: Tensor, norm_1: Way, attend: Way, norm_2: Way, think: Way) -> Any:
    """Norm the first sum, and leave the second half as it is."""
    h = norm_1(x + attend(x))
    return h + think(norm_2(h))


def inner(x: Tensor, norm_1: Way, attend: Way, norm_2: Way, think: Way) -> Any:
    """Norm what each half writes."""
    h = x + norm_1(attend(x))
    return h + norm_2(think(h))


def no_norms(x: Tensor, norm_1: Way, attend: Way, norm_2: Way, think: Way) -> Any:
    """Norm nothing."""
    h = x + attend(x)
    return h + think(h)


def no_second_norm(x: Tensor, norm_1: Way, attend: Way, norm_2: Way, think: Way) -> Any:
    """Let the network read the stream as it is."""
    h = x + attend(norm_1(x))
    return h + think(h)


def no_first_norm(x: Tensor, norm_1: Way, attend: Way, norm_2: Way, think: Way) -> Any:
    """Let the attention read the stream as it is."""
    h = x + attend(x)
    return h + think(norm_2(h))


def parallel_one_norm(x: Tensor, norm_1: Way, attend: Way, norm_2: Way, think: Way) -> Any:
    """Let both halves read the block's input through one norm."""
    n = norm_1(x)
    return x + attend(n) + think(n)


def network_first(x: Tensor, norm_1: Way, attend: Way, norm_2: Way, think: Way) -> Any:
    """Put the network first, with the first gain."""
    h = x + think(norm_1(x))
    return h + attend(norm_2(h))


def network_first_own_norms(x: Tensor, norm_1: Way, attend: Way, norm_2: Way, think: Way) -> Any:
    """Put the network first, with its own gain."""
    h = x + think(norm_2(x))
    return h + attend(norm_1(h))


def queries_only(x: Tensor, norm_1: Way, attend: Way, norm_2: Way, think: Way) -> Any:
    """Norm the queries' rows alone."""
    h = x + attend(norm_1(x), x)
    return h + think(norm_2(h))


def final_norm(x: Tensor, norm_1: Way, attend: Way, norm_2: Way, think: Way) -> Any:
    """Norm the block's result once more."""
    h = x + attend(norm_1(x))
    return norm_2(h + think(norm_2(h)))


def attention_alone(x: Tensor, norm_1: Way, attend: Way, norm_2: Way, think: Way) -> Any:
    """Leave the network out."""
    return x + attend(norm_1(x))


def network_alone(x: Tensor, norm_1: Way, attend: Way, norm_2: Way, think: Way) -> Any:
    """Leave the attention out."""
    return x + think(norm_2(x))


def attention_doubled(x: Tensor, norm_1: Way, attend: Way, norm_2: Way, think: Way) -> Any:
    """Add what the attention finds to itself."""
    a = attend(norm_1(x))
    return a + a + think(norm_2(a + a))
