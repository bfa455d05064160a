"""What a function did to the arguments that it was given."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from grading.observation.values import Array, LeftOut
from grading.witness.conversion import plain

__all__ = ["changed", "equal", "states"]


def states(given: Sequence[Any]) -> list[bytes]:
    """Return where each generator stands; nothing for anything else."""
    return [
        value.get_state().numpy().tobytes() if isinstance(value, torch.Generator) else b""
        for value in given
    ]


def changed(inputs: Mapping[str, Any], given: list[Any]) -> tuple[str, ...]:
    """Return the names of the tensors, arrays and containers that are not what they were."""
    kinds = (Array, list, dict)
    handed = [pair for pair in inputs.items() if not isinstance(pair[1], LeftOut)]
    pairs = zip(handed, given, strict=True)
    return tuple(
        name
        for (name, before), after in pairs
        if isinstance(before, kinds) and not equal(before, plain(after))
    )


def equal(before: Any, after: Any) -> bool:
    """Return whether a value is, as plain data, what it was."""
    if isinstance(before, Array):
        if not isinstance(after, Array) or before.numbers is None or after.numbers is None:
            return False
        nan = before.numbers.dtype.kind in "fc"
        return before.dtype == after.dtype and np.array_equal(
            before.numbers, after.numbers, equal_nan=nan
        )
    if isinstance(before, list | tuple):
        if type(before) is not type(after) or len(before) != len(after):
            return False
        return all(equal(one, other) for one, other in zip(before, after, strict=True))
    if isinstance(before, dict):
        if not isinstance(after, dict) or list(before) != list(after):
            return False
        return all(equal(before[name], after[name]) for name in before)
    return type(before) is type(after) and bool(before == after)
