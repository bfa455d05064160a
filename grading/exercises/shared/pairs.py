"""The pair (values, indices) that `x.max(axis)` returns, used as if it were a tensor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from grading.exercise import Answer, Misconception
from grading.observation.seen import Error

__all__ = ["pair_of"]


def _speaks_of_a_pair(seen: Mapping[str, Any], truth: Mapping[str, Any]) -> bool:
    """Recognise an error about such a pair on each probe, whatever was done with it."""
    return all(isinstance(one, Error) and "return_types.m" in one.text for one in seen.values())


def pair_of(prefix: str, wrong: Answer) -> Misconception:
    """Return the mistake; it raises wherever it is made.

    Args:
        prefix: of the code, "SM".
        wrong: a function that subtracts the pair.
    """
    return Misconception(
        code=f"{prefix}-PAIR",
        wrong=wrong,
        recognise=_speaks_of_a_pair,
        sentence=(
            "max along an axis returns a pair: the largest values, and the indices where they "
            "stand. Take its first part, or use amax."
        ),
    )
