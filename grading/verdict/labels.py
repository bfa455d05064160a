"""What inputs are, in words made from themselves: their sizes, their mask, their large numbers."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from grading.observation.values import Array, Inputs

__all__ = ["label"]

#: From here on a number is worth a word: its exponential is no longer an ordinary one.
LARGE = 100


def label(axes: Mapping[str, str], inputs: Inputs) -> str:
    """Return what inputs are: "T = 1, S = 2, D = 1; some keys may not be read"."""
    sizes = [f"{letter} = {size}" for letter, size in _sizes(axes, inputs).items()]
    before = max(
        (_leading(axes[name], inputs[name]) for name in axes if name in inputs), key=len, default=()
    )
    sizes += [f"in front of them axes of {' and '.join(map(str, before))}"] if before else []
    return "; ".join(part for part in (", ".join(sizes), *_masks(inputs), *_large(inputs)) if part)


def _leading(names: str, value: Any) -> tuple[int, ...]:
    if "..." not in names or not isinstance(value, Array):
        return ()
    return value.shape[: value.ndim - len(names.split()) + 1]


def _sizes(axes: Mapping[str, str], inputs: Inputs) -> dict[str, int]:
    """Return what each letter is. Where an axis of 1 is broadcast, the larger size counts."""
    sizes: dict[str, int] = {}
    for name, names in axes.items():
        value = inputs.get(name)
        if not isinstance(value, Array):
            continue
        letters = [letter for letter in names.split() if letter != "..."]
        for letter, size in zip(reversed(letters), reversed(value.shape), strict=False):
            sizes[letter] = max(size, sizes.get(letter, 0))
    order = [letter for names in axes.values() for letter in names.split()]
    return {letter: sizes[letter] for letter in dict.fromkeys(order) if letter in sizes}


def _masks(inputs: Inputs) -> Iterator[str]:
    for name, value in inputs.items():
        if not isinstance(value, Array) or value.numbers is None or value.dtype != "bool":
            continue
        rows = np.atleast_1d(value.numbers)
        if rows.all():
            yield f"{name} is True everywhere"
        elif not rows.any(-1).all():
            yield f"a row of {name} is False everywhere"
        else:
            yield f"{name} is False in {int((~rows).sum())} of {rows.size} places"


def _large(inputs: Inputs) -> Iterator[str]:
    floats = [
        value.numbers.reshape(-1).astype(np.float64)
        for value in inputs.values()
        if isinstance(value, Array)
        and value.numbers is not None
        and value.numbers.dtype.kind == "f"
    ]
    held: Any = np.concatenate([np.zeros(0), *floats])
    if np.isinf(held).any():
        yield "with an infinity"
    finite = held[np.isfinite(held)]
    if finite.size and np.abs(finite).max() >= LARGE:
        low, high = (f"{number:.4g}".replace("-", "−") for number in (finite.min(), finite.max()))
        yield f"numbers from {low} to {high}" if low != high else f"every number is {low}"
