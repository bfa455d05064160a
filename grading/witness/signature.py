"""What can be said of an answer without calling it."""

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from grading.observation.seen import Signature
from grading.observation.values import described
from grading.witness.conversion import plain

__all__ = ["signature"]


def signature(function: Any, parameters: tuple[str, ...], optional: int = 0) -> Signature:
    """Return what an answer is, and whether it takes arguments of these names.

    Args:
        function: the answer.
        parameters: the contract's names.
        optional: how many of the last ones a call may leave out.
    """
    words = described(plain(function))
    if not callable(function):
        is_result = isinstance(function, torch.Tensor | np.ndarray | tuple | float)
        return Signature(is_callable=False, words=words, is_result=is_result)
    try:
        found = inspect.signature(function)
    except (TypeError, ValueError):
        return Signature(is_callable=True, words=words)  # calling it will tell
    few = parameters[: len(parameters) - optional]
    try:
        found.bind(*parameters)
        found.bind(*few)
    except TypeError:
        return Signature(is_callable=True, words=words, text=str(found), fits=False)
    return Signature(
        is_callable=True, words=words, text=str(found), defaults=_defaults(found, parameters)
    )


def _defaults(found: inspect.Signature, parameters: tuple[str, ...]) -> Mapping[str, Any]:
    """Return the defaults of what the contract's arguments are bound to, in their order."""
    bound = found.bind(*parameters).arguments  # by the function's own names
    own = (one for one in found.parameters.values() if one.name in bound)
    return {
        name: plain(one.default)
        for name, one in zip(parameters, own, strict=False)
        if one.default is not one.empty
    }
