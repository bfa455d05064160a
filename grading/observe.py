"""Run an answer on an exercise's probes and keep what it did: results, errors, gradients, cost."""

import io
import math
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from grading.calling import Called, call
from grading.compare import as_tensors, plain
from grading.exercise import Answer, Exercise, Inputs, Probe

__all__ = ["Observation", "gradients", "largest_tensor", "observe"]


@dataclass(frozen=True, slots=True)
class Observation:
    """What an answer did on one probe.

    Attributes:
        inputs: what it was given, drawn afresh and so untouched by the answer.
        given: the very objects that it was given, to see whether it changed them.
        outputs: its results, one per output of the exercise; None where it did not return those.
        view: what is compared and shown.
    """

    probe: Probe
    inputs: Inputs
    given: Inputs
    called: Called
    outputs: tuple[Any, ...] | None
    view: list[torch.Tensor] | None


def draw(exercise: Exercise, probe: Probe, single: bool = False) -> Inputs:
    """Draw a probe's inputs; the same ones every time."""
    seed = zlib.crc32(f"{exercise.name}/{probe.name}".encode())
    inputs = probe.draw(torch.Generator().manual_seed(seed))
    if not single:
        return inputs
    return {name: _to_single(value) for name, value in inputs.items()}


def _to_single(value: Any) -> Any:
    if isinstance(value, torch.Tensor) and value.is_floating_point():
        return value.to(torch.float32)
    return value


@contextmanager
def _silence() -> Iterator[None]:
    """Let nothing be printed, and no warning be shown or made an error."""
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def observe(
    exercise: Exercise, answer: Answer, probe: Probe, *, single: bool = False, quiet: bool = False
) -> Observation:
    """Call the answer once on a probe. ``quiet`` keeps a second run from printing again."""
    given, inputs = draw(exercise, probe, single), draw(exercise, probe, single)
    if quiet:
        with _silence():
            called = call(answer, list(given.values()), exercise.time_limit)
    else:
        called = call(answer, list(given.values()), exercise.time_limit)
    outputs = _outputs(exercise, called)
    return Observation(probe, inputs, given, called, outputs, _view(exercise, inputs, outputs))


def _outputs(exercise: Exercise, called: Called) -> tuple[Any, ...] | None:
    if not called.returned:
        return None
    if len(exercise.outputs) == 1:
        return (called.value,)
    several = isinstance(called.value, tuple | list)
    if several and len(called.value) == len(exercise.outputs):
        return tuple(called.value)
    return None


def _view(
    exercise: Exercise, inputs: Inputs, outputs: tuple[Any, ...] | None
) -> list[torch.Tensor] | None:
    if outputs is None:
        return None
    outputs = tuple(plain(value) for value in outputs)
    if exercise.view is None:
        return as_tensors(outputs)
    # The view expects results of the right kind; a wrong kind is a finding of an earlier rule.
    seen = call(exercise.view, [inputs, outputs], exercise.time_limit)
    return as_tensors(seen.value) if seen.returned else None


def gradients(exercise: Exercise, answer: Answer, probe: Probe) -> list[torch.Tensor] | None:
    """Return the gradients that flow back through the answer; None where it is detached.

    Every output is weighted with fixed random numbers, so no two entries can hide each other.
    """
    inputs = draw(exercise, probe)
    leaves = {
        name: value.requires_grad_()
        for name, value in inputs.items()
        if isinstance(value, torch.Tensor) and value.is_floating_point()
    }
    # A copy is handed over: an answer that writes into its input is told so by its own rule.
    given = [leaves[name].clone() if name in leaves else inputs[name] for name in inputs]
    with _silence():
        called = call(answer, given, exercise.time_limit)
    outputs = [value for value in _outputs(exercise, called) or () if torch.is_tensor(value)]
    total = torch.zeros((), dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    for value in outputs:
        weight = torch.rand(value.shape, generator=generator, dtype=torch.float64) + 0.5
        total = total + (value * weight).sum()
    if not total.requires_grad:
        return None
    try:
        grads = torch.autograd.grad(total, list(leaves.values()), allow_unused=True)
    except RuntimeError:  # something that the backward pass needs was overwritten
        return None
    if all(grad is None for grad in grads):  # it starts a graph of its own
        return None
    pairs = zip(grads, leaves.values(), strict=True)
    return [torch.zeros_like(leaf) if grad is None else grad for grad, leaf in pairs]


class _Largest(TorchFunctionMode):
    """Remember the largest tensor that any operation made."""

    def __init__(self) -> None:
        super().__init__()
        self.elements = 0
        self.shape: tuple[int, ...] = ()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for value in result if isinstance(result, tuple | list) else (result,):
            # A view costs nothing: what counts is the memory behind a tensor.
            if isinstance(value, torch.Tensor) and value.untyped_storage().size() > 0:
                held = value.untyped_storage().size() // value.element_size()
                if min(held, value.numel()) > self.elements:
                    self.elements, self.shape = min(held, value.numel()), tuple(value.shape)
        return result


def largest_tensor(exercise: Exercise, answer: Answer, probe: Probe) -> tuple[int, tuple[int, ...]]:
    """Return the size and shape of the largest tensor that the answer made on the way."""
    given = draw(exercise, probe)
    counter = _Largest()
    with _silence(), counter:
        call(answer, list(given.values()), exercise.time_limit)
    return counter.elements, counter.shape


def volume(inputs: Inputs) -> int:
    """How many numbers a probe's inputs hold: the smallest example is shown."""
    return sum(math.prod(value.shape) for value in inputs.values() if hasattr(value, "shape"))
