"""Plain data into what a function is given, and what it returned into plain data."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from grading.observation.values import Array, EachRank, Module, Other, Randomness, with_article

__all__ = ["given", "other_numbers", "plain"]

#: NumPy has no such numbers; float32 holds each of them.
WIDER = {torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2}
#: More entries than this in all are no answer to a check, whose inputs are small.
MOST = 10**7
#: What is one thing by itself. Python's bool is an int.
SINGLE = (int, float, str, bytes)
#: Lists in lists are followed so far, and so many entries.
DEPTH, ENTRIES = 8, 10**5
#: What has too many entries.
ENORMOUS = "an enormous"


def given(value: Any) -> Any:
    """Return what a function is given for plain data: memory of its own, which it may change."""
    if isinstance(value, Array):
        assert value.numbers is not None, "only what holds numbers can be handed over"
        if value.kind == "scalar":
            return value.numbers[()]
        if value.kind == "array":
            return value.numbers.copy()
        return torch.from_numpy(value.numbers.copy()).to(getattr(torch, value.dtype))
    if isinstance(value, Randomness):
        generator = torch.Generator()
        if value.seed is not None:
            return generator.manual_seed(value.seed)
        generator.set_state(torch.frombuffer(bytearray(value.state), dtype=torch.uint8))
        return generator
    if isinstance(value, tuple | list):
        return type(value)(given(entry) for entry in value)
    if isinstance(value, dict):
        return {name: given(entry) for name, entry in value.items()}
    return value


def other_numbers(value: Any) -> Any:
    """Return inputs of the same shapes and kinds in which every floating-point number is halved."""
    if isinstance(value, Array) and value.numbers is not None:
        is_real = value.numbers.dtype.kind == "f"
        return value.holding(np.asarray(value.numbers / 2)) if is_real else value
    if isinstance(value, EachRank):
        return EachRank(tuple(other_numbers(one) for one in value.values))
    if isinstance(value, tuple | list):
        return type(value)(other_numbers(entry) for entry in value)
    if isinstance(value, dict):
        return {name: other_numbers(entry) for name, entry in value.items()}
    return value


def plain(value: Any) -> Any:
    """Return a value as plain data, whatever it is.

    Numbers are copied: what the function writes into them later is no part of what it returned.
    What holds more entries in all than MOST is told to be enormous, and not copied.
    """
    return _Conversion(MOST).of(value, 0)


@dataclass(slots=True)
class _Conversion:
    """One value on its way, and how many entries may still come of it."""

    left: int

    def fits(self, entries: int) -> bool:
        """Count entries, where there is room for them."""
        if entries > self.left:
            return False
        self.left -= entries
        return True

    def of(self, value: Any, depth: int) -> Any:
        """Return a value that stands so many lists deep."""
        if isinstance(value, torch.Tensor):
            return _tensor(value, self.fits)
        if isinstance(value, np.ndarray):
            return _array(np.asarray(value), "array", self.fits)
        if isinstance(value, np.generic) and value.dtype.kind in "fiubc":
            return _array(np.asarray(value), "scalar", self.fits)
        if isinstance(value, torch.nn.Module):
            state = value.state_dict().items()
            return Module({name: self.of(one, depth + 1) for name, one in state}, value.training)
        if isinstance(value, torch.Generator):
            return Randomness(state=bytes(value.get_state().numpy().tobytes()))
        if value is None or isinstance(value, bool):
            return value
        return self._single(value) if isinstance(value, SINGLE) else self._several(value, depth)

    def _single(self, value: Any) -> Any:
        # A subclass may say of itself what it likes: its plain value counts.
        kind = next(kind for kind in SINGLE if isinstance(value, kind))
        if kind is int and not -(2**63) <= int(value) < 2**63:
            return Other("an int of more than 64 bits")
        held = value if type(value) is kind else kind(value)
        long = isinstance(held, str | bytes) and not self.fits(len(held))
        return Other(f"an enormous {kind.__name__}") if long else held

    def _several(self, value: Any, depth: int) -> Any:
        several = isinstance(value, tuple | list | dict)
        few = several and depth < DEPTH and len(value) <= ENTRIES and self.fits(len(value))
        if few and isinstance(value, dict):
            names = [self.of(name, depth + 1) for name in value]
            if all(name is None or isinstance(name, SINGLE) for name in names):
                entries = (self.of(entry, depth + 1) for entry in value.values())
                return dict(zip(names, entries, strict=True))
        elif few:
            entries = (self.of(entry, depth + 1) for entry in value)
            return tuple(entries) if isinstance(value, tuple) else list(entries)
        return Other(with_article(type(value).__name__))


def _tensor(value: torch.Tensor, fits: Callable[[int], bool]) -> Array:
    with torch._C.DisableTorchFunctionSubclass():
        held = value.detach()
        if type(held) is not torch.Tensor:
            held = held.as_subclass(torch.Tensor)
    dtype = str(held.dtype).removeprefix("torch.")
    odd = _odd(held) or ("" if fits(held.numel()) else ENORMOUS)
    if odd:
        return Array("tensor", dtype, (), None, odd)
    held = held.cpu().resolve_conj().resolve_neg()
    if held.dtype in WIDER:
        held = held.float()
    return Array("tensor", dtype, tuple(held.shape), np.array(held.numpy(), order="C"))


def _odd(value: torch.Tensor) -> str:
    """Say what keeps a tensor from being compared number by number."""
    kinds = (
        (value.is_nested, "a nested"),
        (value.is_meta, "a meta"),
        (value.is_quantized, "a quantized"),
        (value.layout != torch.strided, "a sparse"),
    )
    return next((words for is_so, words in kinds if is_so), "")


def _array(value: np.ndarray[Any, Any], kind: Any, fits: Callable[[int], bool]) -> Array:
    dtype, shape = str(value.dtype), value.shape
    if value.dtype.kind not in "fiubc":
        return Array(kind, dtype, shape, None)
    if not fits(value.size):
        return Array(kind, dtype, (), None, ENORMOUS)
    if value.dtype.itemsize > (16 if value.dtype.kind == "c" else 8):
        value = value.astype(np.complex128 if value.dtype.kind == "c" else np.float64)
    if not value.dtype.isnative:
        value = value.astype(value.dtype.newbyteorder("="))
    return Array(kind, dtype, shape, np.array(value, order="C"))
