"""Run an answer on an exercise's probes and keep what it did: results, errors, gradients, draws."""

import inspect
import io
import math
import warnings
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from typing import Any

import torch

from grading.calling import Called, call, is_engine, is_foreign
from grading.compare import as_tensors, plain
from grading.exercise import Answer, Exercise, Inputs, Probe

__all__ = [
    "Draws",
    "Observation",
    "draw",
    "draws",
    "gradients",
    "observe",
    "silence",
    "volume",
    "warn_again",
    "warnings_kept",
]

Warned = tuple[warnings.WarningMessage, ...]


@dataclass(frozen=True, slots=True)
class Observation:
    """What an answer did on one probe.

    Attributes:
        inputs: what it was given, drawn afresh and so untouched by the answer.
        given: the very objects that it was given, to see whether it changed them.
        outputs: its results, one per output of the exercise; None where it did not return those.
        view: what is compared and shown.
        said: what it printed, where that was not let through.
        warned: the warnings that it gave, where they were not let through.
    """

    probe: Probe
    inputs: Inputs
    given: Inputs
    called: Called
    outputs: tuple[Any, ...] | None
    view: list[torch.Tensor] | None
    said: str = ""
    warned: Warned = ()


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
def silence() -> Iterator[io.StringIO]:
    """Let nothing be printed; yield what collects it."""
    said = io.StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        yield said


@contextmanager
def warnings_kept() -> Iterator[list[warnings.WarningMessage]]:
    """Let no warning be shown or made an error; yield the list that collects them."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield caught


def warn_again(warned: Sequence[warnings.WarningMessage], answer: Answer, label: str = "") -> None:
    """Show the warnings of an answer, each once, as its own and never as a line of ours."""
    code = getattr(inspect.unwrap(answer), "__code__", None)
    shown = set()
    for one in warned:
        place = (one.filename, one.lineno)
        if is_engine(one.filename):  # it was told to blame its caller, and that is the engine
            place = (code.co_filename, code.co_firstlineno) if code else ("<answer>", 1)
        if (one.category, str(one.message), place) in shown:
            continue
        shown.add((one.category, str(one.message), place))
        # Some warnings are shown only where they come from the notebook itself.
        module = None if is_foreign(place[0]) else getattr(answer, "__module__", None)
        # Where warnings are errors they must be none of ours.
        with suppress(Warning):
            warnings.warn_explicit(f"{label}{one.message}", one.category, *place, module=module)


def observe(
    exercise: Exercise, answer: Answer, probe: Probe, *, single: bool = False, quiet: bool = False
) -> Observation:
    """Call the answer once on a probe. ``quiet`` keeps a second run from printing again."""
    given, inputs = draw(exercise, probe, single), draw(exercise, probe, single)
    said = ""
    with warnings_kept() as caught:
        if quiet:
            with silence() as collected:
                called = call(answer, list(given.values()), exercise.time_limit)
            said = collected.getvalue()
        else:
            called = call(answer, list(given.values()), exercise.time_limit)
    warned = tuple(caught)
    if not quiet:
        warn_again(warned, answer)
    outputs = _outputs(exercise, called)
    view = _view(exercise, inputs, outputs)
    return Observation(probe, inputs, given, called, outputs, view, said, warned)


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
    with silence(), warnings_kept():
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


@dataclass(frozen=True, slots=True)
class Draws:
    """What a measure does with the generator that it is given.

    Attributes:
        moved: whether it drew from it at all.
        repeats: whether one seed gives one number.
        varies: whether another seed gives another number.
    """

    moved: bool
    repeats: bool
    varies: bool


def draws(exercise: Exercise, answer: Answer, probe: Probe) -> Draws:
    """Call a measure with one seed, again with the same, and with another."""
    moved, values = False, []
    for seed in (1, 1, 2):
        given = draw(exercise, probe)
        generator = next(v for v in given.values() if isinstance(v, torch.Generator))
        before = generator.manual_seed(seed).get_state()
        with silence(), warnings_kept():
            called = call(answer, list(given.values()), exercise.time_limit)
        moved = moved or not torch.equal(before, generator.get_state())
        value = plain(called.value) if called.returned else None
        values.append(value.tolist() if isinstance(value, torch.Tensor) else None)
    return Draws(moved=moved, repeats=values[0] == values[1], varies=values[0] != values[2])


def volume(inputs: Inputs) -> int:
    """How many numbers a probe's inputs hold: the smallest example is shown."""
    return sum(math.prod(value.shape) for value in inputs.values() if hasattr(value, "shape"))
