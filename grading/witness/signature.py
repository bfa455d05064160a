"""What can be said of an answer without calling it."""

import inspect
from typing import Any

import numpy as np
import torch

from grading.observation.seen import Signature
from grading.observation.values import described
from grading.witness.conversion import plain

__all__ = ["signature"]


def signature(function: Any, parameters: tuple[str, ...]) -> Signature:
    """Return what an answer is, and whether it takes arguments of these names."""
    words = described(plain(function))
    if not callable(function):
        is_result = isinstance(function, torch.Tensor | np.ndarray | tuple | float)
        return Signature(is_callable=False, words=words, is_result=is_result)
    try:
        found = inspect.signature(function)
    except (TypeError, ValueError):
        return Signature(is_callable=True, words=words)  # calling it will tell
    try:
        found.bind(*parameters)
    except TypeError:
        return Signature(is_callable=True, words=words, text=str(found), fits=False)
    return Signature(is_callable=True, words=words, text=str(found))
