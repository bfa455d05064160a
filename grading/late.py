"""Modules that are imported when they are first used.

An exercise's file holds two halves: what runs, with PyTorch and the course's library, and what
judges, with NumPy. Whoever only judges reads the same file where there is no PyTorch: the running
half takes its modules from here, and uses none of them while the file is read.
"""

import importlib
from typing import TYPE_CHECKING, Any

__all__ = ["Tensor", "late", "torch"]


class _Late:
    """Stands for a module until something is asked of it."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(importlib.import_module(self._name), attribute)


def late(name: str) -> Any:
    """Return what stands for the module of that name, "course_lib.softmax"."""
    return _Late(name)


if TYPE_CHECKING:
    import torch as torch
    from torch import Tensor as Tensor
else:
    torch = late("torch")
    Tensor = "Tensor"
