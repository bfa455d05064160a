"""Plain data into what a function is given, and what it returned into plain data."""

from typing import Any

import numpy as np
import torch

from grading.observation.values import (
    Array,
    EachRank,
    Module,
    Named,
    Other,
    Randomness,
    with_article,
)

__all__ = ["given", "plain"]

#: NumPy has no such numbers; float32 holds each of them.
WIDER = {torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2}
#: More entries than this are no answer to a check, whose inputs are small.
MOST = 10**8
#: Lists in lists are followed so far, and so many entries.
DEPTH, ENTRIES = 8, 10**5


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


def plain(value: Any, depth: int = 0) -> Any:
    """Return a value as plain data, whatever it is.

    Numbers are copied: what the function writes into them later is no part of what it returned.
    """
    if isinstance(value, torch.Tensor):
        return _tensor(value)
    if isinstance(value, np.ndarray):
        return _array(np.asarray(value), "array")
    if isinstance(value, np.generic) and value.dtype.kind in "fiubc":
        return _array(np.asarray(value), "scalar")
    if isinstance(value, torch.nn.Module):
        state = {name: plain(entry) for name, entry in value.state_dict().items()}
        return Module(state, value.training)
    if isinstance(value, torch.Generator):
        return Randomness(state=bytes(value.get_state().numpy().tobytes()))
    return _native(value, depth)


def _native(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool | Array | Randomness | Named | EachRank | Other):
        return value
    # A subclass may say of itself what it likes: its plain value counts.
    if isinstance(value, int) and not -(2**63) <= int(value) < 2**63:
        return Other("an int of more than 64 bits")
    kinds: tuple[Any, ...] = (int, float, str, bytes)
    for kind in kinds:
        if isinstance(value, kind):
            return value if type(value) is kind else kind(value)
    few = depth < DEPTH and isinstance(value, tuple | list | dict) and len(value) <= ENTRIES
    if few and isinstance(value, dict):
        names = [plain(name, depth + 1) for name in value]
        if all(name is None or isinstance(name, int | float | str | bytes) for name in names):
            entries = (plain(entry, depth + 1) for entry in value.values())
            return dict(zip(names, entries, strict=True))
    elif few:
        entries = (plain(entry, depth + 1) for entry in value)
        return tuple(entries) if isinstance(value, tuple) else list(entries)
    return Other(with_article(type(value).__name__))


def _tensor(value: torch.Tensor) -> Array:
    with torch._C.DisableTorchFunctionSubclass():
        held = value.detach()
        if type(held) is not torch.Tensor:
            held = held.as_subclass(torch.Tensor)
    dtype = str(held.dtype).removeprefix("torch.")
    odd = _odd(held)
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
    odd = next((words for is_so, words in kinds if is_so), "")
    return odd or ("an enormous" if value.numel() > MOST else "")


def _array(value: np.ndarray[Any, Any], kind: Any) -> Array:
    dtype, shape = str(value.dtype), value.shape
    if value.dtype.kind not in "fiubc" or value.size > MOST:
        return Array(kind, dtype, shape, None)
    if value.dtype.itemsize > (16 if value.dtype.kind == "c" else 8):
        value = value.astype(np.complex128 if value.dtype.kind == "c" else np.float64)
    if not value.dtype.isnative:
        value = value.astype(value.dtype.newbyteorder("="))
    return Array(kind, dtype, shape, np.array(value, order="C"))
