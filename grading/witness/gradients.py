"""What flows back from a function's results to its inputs."""

from collections.abc import Callable, Iterator
from typing import Any

import torch

from grading.observation.values import Array
from grading.witness.conversion import plain

__all__ = ["gradients"]


def gradients(run: Callable[[list[Any]], Any], arguments: list[Any]) -> tuple[Array, ...] | None:
    """Return the gradients that flow back, one for each floating tensor; None where none does.

    Every output is weighted with fixed random numbers, so no two entries can hide each other.

    Args:
        run: runs the function and returns its result, or None where it did not return.
        arguments: its arguments.
    """
    leaves = [value.requires_grad_() if _flows(value) else None for value in arguments]
    # A copy is handed over: an answer that writes into its input is told so by its own rule.
    handed = [
        value if leaf is None else leaf.clone()
        for value, leaf in zip(arguments, leaves, strict=True)
    ]
    total = torch.zeros((), dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    for value in _tensors(run(handed)):
        weight = torch.rand(value.shape, generator=generator, dtype=torch.float64) + 0.5
        total = total + (value * weight).sum()
    if not total.requires_grad:
        return None
    inputs = [leaf for leaf in leaves if leaf is not None]
    try:
        grads = torch.autograd.grad(total, inputs, allow_unused=True)
    except RuntimeError:  # something that the backward pass needs was overwritten
        return None
    if all(grad is None for grad in grads):  # it starts a graph of its own
        return None
    pairs = zip(grads, inputs, strict=True)
    return tuple(plain(torch.zeros_like(leaf) if grad is None else grad) for grad, leaf in pairs)


def _flows(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.is_floating_point()


def _tensors(result: Any) -> Iterator[torch.Tensor]:
    several = isinstance(result, tuple | list)
    return (value for value in (result if several else (result,)) if torch.is_tensor(value))
