"""Values as plain data: what was a tensor, an array or a generator says so and holds its numbers.

None, numbers, strings, bytes, lists, tuples and dicts stand for themselves.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

__all__ = [
    "DATA",
    "Array",
    "EachRank",
    "InTurn",
    "Inputs",
    "LeftOut",
    "Module",
    "Named",
    "Other",
    "Randomness",
    "as_arrays",
    "described",
    "framed",
    "numbers",
    "tensor",
    "volume",
    "with_article",
]

#: Arguments by name, in the order in which they are handed over.
Inputs = dict[str, Any]
Numbers = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Array:
    """A tensor, an array, or one number of NumPy's.

    Attributes:
        kind: what it was.
        dtype: what its numbers were, "bfloat16" for example, which NumPy does not know.
        shape: its sizes.
        numbers: its entries, in float32 where NumPy has no such dtype; None where there are none
            to compare: an odd tensor, an array of objects.
        odd: what keeps it from being compared number by number, "a sparse", "an enormous"; else "".
    """

    kind: Literal["tensor", "array", "scalar"]
    dtype: str
    shape: tuple[int, ...]
    numbers: Numbers | None
    odd: str = ""

    @property
    def ndim(self) -> int:
        """The number of its axes."""
        return len(self.shape)

    def holding(self, numbers: Numbers) -> "Array":
        """Return an array of the same kind and dtype with other numbers."""
        return Array(self.kind, self.dtype, numbers.shape, numbers)


@dataclass(frozen=True, slots=True)
class Randomness:
    """A generator of PyTorch's: freshly seeded, or in a state that it has come to."""

    seed: int | None = None
    state: bytes = b""


@dataclass(frozen=True, slots=True)
class InTurn:
    """An argument that a function gets one value after the other: a call for each, told alone."""

    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Named:
    """What is made by its name where the answer runs: a function, a module, an optimiser.

    Attributes:
        name: its name in the witness's registry, or in the exercise, which is then called back.
        arguments: what it is made with.
    """

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EachRank:
    """An argument of a generator function that runs once on every rank: one value for each."""

    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An argument that a call leaves out; the function's own default stands in for it.

    Attributes:
        default: what the contract says that it is then.
    """

    default: Any = None


@dataclass(frozen=True, slots=True)
class Module:
    """A module that came back: its parameters and buffers, and whether it is in training mode."""

    state: Mapping[str, Any]
    training: bool


@dataclass(frozen=True, slots=True)
class Other:
    """What cannot be handed over, in words: "a generator"."""

    words: str


#: What an exercise may draw as plain data already.
DATA = (Array, Randomness, Named, EachRank, InTurn, LeftOut, Module, Other)


def tensor(numbers: Any) -> Array:
    """Return numbers as a tensor, in NumPy's dtype."""
    held = np.asarray(numbers)
    return Array("tensor", str(held.dtype), held.shape, held)


def numbers(value: Any) -> Any:
    """Return a value with NumPy's arrays in the place of what was a tensor or an array.

    What was left out is the contract's default.
    """
    if isinstance(value, LeftOut):
        return value.default
    if isinstance(value, Array):
        if value.numbers is None:
            return value
        return value.numbers[()] if value.kind == "scalar" else value.numbers
    if isinstance(value, list | tuple):
        return type(value)(numbers(entry) for entry in value)
    if isinstance(value, dict):
        return {name: numbers(entry) for name, entry in value.items()}
    return value


def as_arrays(values: Any) -> list[Numbers]:
    """Return what holds numbers as arrays: a list of them with one axis, one number without any."""
    return framed(values)[1]


def framed(values: Any) -> tuple[Any, list[Numbers]]:
    """Return several values without their numbers, and these numbers as arrays.

    Two values are the same where their frames are equal and their arrays agree. What cannot be
    looked into, an odd tensor or a generator, leaves a frame that is equal to no other one.
    """
    arrays: list[Numbers] = []
    return tuple(_frame(value, arrays) for value in values), arrays


def _frame(value: Any, arrays: list[Numbers]) -> Any:
    held = numbers(value)
    if (isinstance(held, np.ndarray | np.generic) and held.dtype.kind in "fiub") or isinstance(
        held, bool
    ):
        arrays.append(np.asarray(held))
    elif isinstance(held, int | float):
        arrays.append(np.asarray(float(held)))
    elif isinstance(held, list) and all(isinstance(one, int | float) for one in held):
        arrays.append(np.asarray(held, dtype=np.float64))
    elif isinstance(held, list | tuple):
        return type(held)(_frame(entry, arrays) for entry in held)
    elif isinstance(held, dict):
        return {name: _frame(held[name], arrays) for name in sorted(held, key=repr)}
    elif isinstance(held, Module):
        return (held.training, _frame(held.state, arrays))
    else:
        return held if held is None or isinstance(held, str | bytes) else object()
    return ...


def described(value: Any) -> str:
    """Say what kind of thing a value is: "a tensor of float32", "None", "a list"."""
    if value is None:
        return "None"
    if isinstance(value, Other):
        return value.words
    if isinstance(value, Array) and value.kind != "scalar":
        return f"{'a tensor' if value.kind == 'tensor' else 'a NumPy array'} of {value.dtype}"
    if isinstance(value, Array):
        return with_article(value.dtype)
    return with_article(type(value).__name__)


def with_article(name: str) -> str:
    """Return a noun with "a" or "an" before it."""
    return f"{'an' if name[:1].lower() in tuple('aeio') else 'a'} {name}"


def volume(inputs: Mapping[str, Any]) -> int:
    """Return how many numbers the tensors and arrays among some inputs hold."""
    return sum(
        int(np.prod(value.shape, dtype=np.int64))
        for value in inputs.values()
        if isinstance(value, Array)
    )
