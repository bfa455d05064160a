"""What a function makes on its way: its largest tensor, and whether it leaves float64."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.overrides import TorchFunctionMode

from grading.witness.dispatch import Watch

__all__ = ["Run", "largest_tensor", "makes_narrow"]

#: Run the function on these arguments.
Run = Callable[[list[Any]], Any]


class _Largest(TorchFunctionMode):
    """Remember the largest tensor or array that any operation made."""

    def __init__(self) -> None:
        super().__init__()
        self.elements = 0
        self.shape: tuple[int, ...] = ()
        self.single = False

    def note(self, elements: int, shape: tuple[int, ...]) -> None:
        """Remember one result."""
        if elements > self.elements:
            self.elements, self.shape = elements, shape

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for value in result if isinstance(result, tuple | list) else (result,):
            # A view costs nothing: what counts is the memory behind a tensor.
            if isinstance(value, torch.Tensor) and value.untyped_storage().size() > 0:
                held = value.untyped_storage().size() // value.element_size()
                self.note(min(held, value.numel()), tuple(value.shape))
        return result


class _Watched(np.ndarray):
    """An array that reports every array made of it."""

    counter: _Largest | None

    def __array_finalize__(self, source: Any) -> None:
        self.counter = getattr(source, "counter", None)
        if self.counter is not None:
            self.counter.note(self.size, self.shape)
            self.counter.single |= self.dtype in (np.float32, np.float16)


def _watched(arguments: list[Any], counter: _Largest) -> list[Any]:
    """Let the arrays among the arguments report to the counter."""
    given = list(arguments)
    for place, value in enumerate(given):
        if isinstance(value, np.ndarray):
            given[place] = value.view(_Watched)
            given[place].counter = counter
    return given


def largest_tensor(run: Run, arguments: list[Any]) -> tuple[int, tuple[int, ...]]:
    """Return the size and shape of the largest tensor or array that was made on the way."""
    counter = _Largest()
    given = _watched(arguments, counter)
    with counter:
        run(given)
    return counter.elements, counter.shape


def makes_narrow(run: Run, arguments: list[Any]) -> bool:
    """Return whether numbers of float32 or less were made on the way."""
    kinds: set[torch.dtype] = set()
    counter = _Largest()
    given = _watched(arguments, counter)
    with Watch(lambda name, made: kinds.update(value.dtype for value in made)):
        run(given)
    return counter.single or any(k.is_floating_point and k.itemsize < 8 for k in kinds)
