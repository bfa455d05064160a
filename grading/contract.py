"""The form that a task asks for: arguments; results of the right type, dtype, shape; no NaN."""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from grading.calling import TOTAL
from grading.errors_in_words import error_message
from grading.exercise import Answer, Exercise, Output, Probe
from grading.observe import Draws, Observation

__all__ = ["FORM", "TOO_LONG_IN_ALL", "Finding", "kind_finding", "lettered", "signature_finding"]


TOO_LONG_IN_ALL = (
    f"All calls of your function together took longer than {TOTAL:g} seconds. The inputs of a "
    "check are small: look for work that is done again and again."
)


@dataclass(frozen=True, slots=True)
class Finding:
    """The first broken rule: which, what was seen, and what the diagnosis needs.

    Attributes:
        rule: the rule in a few words.
        message: what was seen, in a sentence for the learner.
        stage: where a misconception may show: "values", "gradient", "cost" or "inputs"; "" where
            no diagnosis is wanted.
        probe: the name of the probe on which it was seen.
        remark: what may explain it, behind the message.
        gradients, shape, draws: what the diagnosis needs at the stages "gradient", "cost" and
            "generator".
    """

    rule: str
    message: str
    stage: str = ""
    probe: str = ""
    remark: str = ""
    gradients: list[Any] = field(default_factory=list)
    shape: tuple[int, ...] | None = None
    draws: Draws | None = None


def signature_finding(exercise: Exercise, answer: Answer) -> Finding | None:
    """Say if the answer cannot be called with the contract's arguments."""
    rule = "it takes the arguments of the contract"
    wanted = f"{exercise.name}({', '.join(exercise.parameters)})"
    if not callable(answer):
        kind = described(answer)
        called = " Did you call it? Write its name without brackets." if _called(answer) else ""
        return Finding(rule, f"check needs the function itself, {wanted}; it got {kind}.{called}")
    try:
        signature = inspect.signature(answer)
    except (TypeError, ValueError):
        return None  # a stand-in for a function elsewhere has no signature; calling it will tell
    try:
        signature.bind(*exercise.parameters)
    except TypeError:
        got = f"{exercise.name}{signature}"
        return Finding(rule, f"The contract is {wanted}; yours is {got}.")
    return None


def _called(answer: Any) -> bool:
    return isinstance(answer, torch.Tensor | np.ndarray | tuple | float)


def _runs(exercise: Exercise, mine: Observation, right: Observation) -> Finding | None:
    if mine.called.timed_out:
        return Finding(
            "it comes to an end",
            TOO_LONG_IN_ALL
            if mine.called.in_total
            else f"The function did not return within {exercise.time_limit:g} seconds "
            f"({mine.probe.name}). Look for a loop that never ends.",
        )
    error = mine.called.error
    if isinstance(error, NotImplementedError):
        return Finding("it is filled in", "This task is not filled in yet.")
    if error is None:
        return None
    sizes = {} if mine.probe.edge else mine.probe.sizes
    where = "" if sizes else f" This happened with: {mine.probe.name}."
    message = error_message(error, sizes) + (where if exercise.parameters else "")
    return Finding("it runs without an error", message, "values")


def _returns(exercise: Exercise, mine: Observation, right: Observation) -> Finding | None:
    value = mine.called.value
    names = " and ".join(output.name for output in exercise.outputs)
    if value is None:
        message = f"The function returned None. It has to return {names}. Is there a `return`?"
        return Finding("it returns something", message)
    if mine.outputs is None:
        many = f"{len(value)} results" if isinstance(value, tuple | list) else described(value)
        wanted = f"{len(exercise.outputs)} results, {names}"
        return Finding(
            "it returns what is asked for", f"It returned {many}, not {wanted}.", "values"
        )
    return None


def described(value: Any) -> str:
    """Say what kind of thing a value is."""
    if value is None:
        return "None"
    if isinstance(value, torch.Tensor):
        return f"a tensor of {str(value.dtype).removeprefix('torch.')}"
    if isinstance(value, np.ndarray):
        return f"a NumPy array of {value.dtype}"
    name = type(value).__name__
    return f"{'an' if name[0].lower() in 'aeio' else 'a'} {name}"


_KINDS: dict[str, tuple[Any, str]] = {
    "tensor": (torch.Tensor, "a tensor"),
    "array": (np.ndarray, "a NumPy array"),
    "number": ((int, float, np.number), "a number"),
}


def kind_finding(
    exercise: Exercise, mine: Observation, right: Observation | None = None
) -> Finding | None:
    """Say if a result has the wrong type or dtype."""
    assert mine.outputs is not None
    for output, value in zip(exercise.outputs, mine.outputs, strict=True):
        if output.kind == "any":
            continue
        wanted, words = _KINDS[output.kind]
        scalar = isinstance(value, torch.Tensor) and value.ndim == 0 and output.kind == "number"
        if isinstance(value, bool) or not (isinstance(value, wanted) or scalar):
            message = f"{output.name} has to be {words}; yours is {described(value)}."
            return Finding("results have the right type", message)
        if odd := _odd(value):
            message = f"{output.name} is {odd} tensor; an ordinary, dense one in memory is needed."
            return Finding("results have the right type", message)
        finding = _dtype(output, value, mine)
        if finding is not None:
            return finding
    return None


def _odd(value: Any) -> str:
    """Say what keeps a tensor from being compared number by number."""
    if not isinstance(value, torch.Tensor):
        return ""
    kinds = (
        (value.is_nested, "a nested"),
        (value.is_meta, "a meta"),
        (value.is_quantized, "a quantized"),
        (value.layout != torch.strided, "a sparse"),
    )
    return next((words for is_so, words in kinds if is_so), "")


def _dtype(output: Output, value: Any, mine: Observation) -> Finding | None:
    wanted = output.dtype or _given_dtype(output.kind, mine)
    if wanted is None and output.kind == "tensor" and not value.dtype.is_floating_point:
        message = f"{output.name} has to hold floating-point numbers; yours is {described(value)}."
        return Finding("results have the right type", message)
    if output.kind not in ("tensor", "array") or wanted is None or value.dtype == wanted:
        return None
    names = [str(dtype).removeprefix("torch.") for dtype in (wanted, value.dtype)]
    message = f"{output.name} has to be {names[0]}, like the inputs; yours is {names[1]}."
    return Finding("results have the dtype of the inputs", message)


def _given_dtype(kind: str, mine: Observation) -> Any:
    """Return the dtype of the first floating input of that kind."""
    values = mine.inputs.values()
    if kind == "array":
        arrays = (value.dtype for value in values if isinstance(value, np.ndarray))
        return next((dtype for dtype in arrays if dtype.kind == "f"), None)
    tensors = (value.dtype for value in values if isinstance(value, torch.Tensor))
    return next((dtype for dtype in tensors if dtype.is_floating_point), None)


def _shapes(exercise: Exercise, mine: Observation, right: Observation) -> Finding | None:
    if exercise.judge is not None:
        return None
    assert mine.outputs is not None
    assert right.outputs is not None
    for output, value, truth in zip(exercise.outputs, mine.outputs, right.outputs, strict=True):
        if output.kind in ("number", "any") or tuple(value.shape) == tuple(truth.shape):
            continue
        message = (
            f"{output.name} has to have the shape {lettered(truth.shape, mine.probe)}; "
            f"yours has {lettered(value.shape, mine.probe)} ({mine.probe.name})."
        )
        return Finding("results have the right shape", message, "values")
    return None


def lettered(shape: Sequence[int], probe: Probe) -> str:
    """Return a shape in numbers, and in letters where the probe's sizes tell them."""
    letters = {size: letter for letter, size in probe.sizes.items()}
    text = f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"
    if not shape or probe.edge or not all(size in letters for size in shape):
        return text
    return f"{text}, which reads {' '.join(letters[size] for size in shape)}"


def _finite(exercise: Exercise, mine: Observation, right: Observation) -> Finding | None:
    for number, value in enumerate(mine.view or ()):
        truth = right.view[number] if right.view and exercise.judge is None else None
        bad = ~torch.isfinite(value.to(torch.float64))
        if truth is not None and truth.shape == value.shape:
            bad = bad & torch.isfinite(truth.to(torch.float64))
        if bad.any():
            kind = "NaN, not a number," if value.isnan().any() else "an infinity"
            name = exercise.outputs[min(number, len(exercise.outputs) - 1)].name
            count = f"{int(bad.sum())} of its {bad.numel()} places"
            message = f"{name} holds {kind} in {count} ({mine.probe.name})."
            return Finding("every number is finite", message, "values")
    return None


#: In this order: from the outside in.
FORM = (_runs, _returns, kind_finding, _shapes, _finite)
