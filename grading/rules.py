"""The rules that every answer is held against, from the outside in; the first broken one counts."""

import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from grading.calling import learner_line
from grading.compare import Difference, first_difference, same
from grading.exercise import SINGLE, Answer, Exercise, Output, Probe
from grading.observe import Observation, gradients, largest_tensor, observe, volume

__all__ = ["Finding", "first_finding", "signature_finding"]


@dataclass(frozen=True, slots=True)
class Finding:
    """The first broken rule: which, what was seen, and what the diagnosis needs.

    Attributes:
        rule: the rule in a few words.
        message: what was seen, in a sentence for the learner.
        stage: where a misconception may show: "values", "gradient", "cost" or "inputs"; "" where
            no diagnosis is wanted.
        gradients: the answer's gradients, at that stage.
        difference: the first differing row on the smallest probe where there is one.
    """

    rule: str
    message: str
    stage: str = ""
    gradients: list[Any] = field(default_factory=list)
    difference: tuple[Observation, Difference] | None = None


def signature_finding(exercise: Exercise, answer: Answer) -> Finding | None:
    """Say if the answer cannot be called with the contract's arguments."""
    rule = "it takes the arguments of the contract"
    wanted = f"{exercise.name}({', '.join(exercise.parameters)})"
    if not callable(answer):
        kind = type(answer).__name__
        return Finding(rule, f"check needs the function itself, {wanted}; it got a {kind}.")
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


def first_finding(
    exercise: Exercise, answer: Answer, seen: Sequence[Observation], truth: Sequence[Observation]
) -> Finding | None:
    """Return the first broken rule over all probes, or None where the answer holds."""
    pairs = list(zip(seen, truth, strict=True))
    for rule in (_runs, _returns, _kinds, _shapes, _finite, _laws):
        for mine, right in pairs:
            finding = rule(exercise, mine, right)
            if finding is not None:
                return finding
    late: tuple[Callable[[], Finding | None], ...] = (
        lambda: _values(exercise, pairs),
        lambda: _single(exercise, answer),
        lambda: _gradients(exercise, answer),
        lambda: _cost(exercise, answer),
    )
    untouched = _untouched(exercise, seen)
    if untouched is not None:  # what it writes into its inputs spoils its gradient as well
        late = (late[0], late[1], late[3])
    return next((found for rule in late if (found := rule()) is not None), untouched)


def _runs(exercise: Exercise, mine: Observation, right: Observation) -> Finding | None:
    if mine.called.timed_out:
        return Finding(
            "it comes to an end",
            f"The function did not return within {exercise.time_limit:g} seconds.",
        )
    error = mine.called.error
    if isinstance(error, NotImplementedError):
        return Finding("it is filled in", "This task is not filled in yet.")
    if error is None:
        return None
    line = learner_line(error)
    where = f" in line {line[0]} of its cell, `{line[1].strip()}`" if line and line[1] else ""
    what = f"{type(error).__name__}: {_text(error)}"
    message = f"Your function raised an error{where}: {what}."
    return Finding("it runs without an error", message + _sizes_named(error, mine.probe), "values")


def _text(error: BaseException) -> str:
    try:
        return str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else "no text"
    except Exception:  # an error whose text raises is still an error
        return "no text"


def _sizes_named(error: BaseException, probe: Probe) -> str:
    """Say which letter each size in an error message is; the probe's sizes all differ."""
    letters = {size: letter for letter, size in probe.sizes.items()}
    if not isinstance(error, RuntimeError | ValueError | IndexError):
        return ""
    numbers = dict.fromkeys(int(n) for n in re.findall(r"\d+", _text(error)))
    named = [f"{n} is {letters[n]}" for n in numbers if n in letters]
    if not named or probe.edge:
        return ""
    sizes = ", ".join(f"{letter} = {size}" for letter, size in probe.sizes.items())
    return f" Here {sizes}, so {' and '.join(named)}: the two do not belong on the same axis."


def _returns(exercise: Exercise, mine: Observation, right: Observation) -> Finding | None:
    value = mine.called.value
    names = " and ".join(output.name for output in exercise.outputs)
    if value is None:
        return Finding(
            "it returns something", f"The function returned None. It has to return {names}."
        )
    if mine.outputs is None:
        many = f"{len(value)} results" if isinstance(value, tuple | list) else _kind(value)
        wanted = f"{len(exercise.outputs)} results, {names}"
        return Finding(
            "it returns what is asked for", f"It returned {many}, not {wanted}.", "values"
        )
    return None


def _kind(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return f"a tensor of {str(value.dtype).removeprefix('torch.')}"
    if isinstance(value, np.ndarray):
        return f"a NumPy array of {value.dtype}"
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


_KINDS: dict[str, tuple[Any, str]] = {
    "tensor": (torch.Tensor, "a tensor"),
    "array": (np.ndarray, "a NumPy array"),
    "number": ((int, float, np.number), "a number"),
    "any": (object, "anything"),
}


def _kinds(exercise: Exercise, mine: Observation, right: Observation) -> Finding | None:
    assert mine.outputs is not None
    for output, value in zip(exercise.outputs, mine.outputs, strict=True):
        if output.kind == "any":
            continue
        wanted, words = _KINDS[output.kind]
        scalar = isinstance(value, torch.Tensor) and value.ndim == 0 and output.kind == "number"
        if isinstance(value, bool) or not (isinstance(value, wanted) or scalar):
            message = f"{output.name} has to be {words}; yours is {_kind(value)}."
            return Finding("results have the right type", message)
        finding = _dtype(output, value, mine)
        if finding is not None:
            return finding
    return None


def _dtype(output: Output, value: Any, mine: Observation) -> Finding | None:
    if output.kind != "tensor":
        return None
    given = (v for v in mine.inputs.values() if isinstance(v, torch.Tensor))
    floating = next((v.dtype for v in given if v.is_floating_point()), None)
    wanted = output.dtype or floating
    if wanted is None or value.dtype == wanted:
        return None
    names = [str(dtype).removeprefix("torch.") for dtype in (wanted, value.dtype)]
    message = f"{output.name} has to be {names[0]}, like the inputs; yours is {names[1]}."
    return Finding("results have the dtype of the inputs", message)


def _shapes(exercise: Exercise, mine: Observation, right: Observation) -> Finding | None:
    if exercise.judge is not None:
        return None
    assert mine.outputs is not None
    assert right.outputs is not None
    for output, value, truth in zip(exercise.outputs, mine.outputs, right.outputs, strict=True):
        if output.kind in ("number", "any") or tuple(value.shape) == tuple(truth.shape):
            continue
        message = (
            f"{output.name} has to have the shape {_lettered(truth.shape, mine.probe)}; "
            f"yours has {_lettered(value.shape, mine.probe)}."
        )
        return Finding("results have the right shape", message, "values")
    return None


def _lettered(shape: Sequence[int], probe: Probe) -> str:
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
            kind = "NaN" if value.isnan().any() else "an infinity"
            name = exercise.outputs[min(number, len(exercise.outputs) - 1)].name
            count = f"{int(bad.sum())} of {bad.numel()}"
            message = f"{name} holds {kind} in {count} places ({mine.probe.name})."
            return Finding("every number is finite", message, "values")
    return None


def _laws(exercise: Exercise, mine: Observation, right: Observation) -> Finding | None:
    for law in exercise.laws:
        assert mine.outputs is not None
        broken = law.broken(mine.inputs, mine.outputs)
        if broken is not None:
            return Finding(law.rule, f"{broken} ({mine.probe.name}).", "values")
    return None


def _values(exercise: Exercise, pairs: Sequence[tuple[Observation, Observation]]) -> Finding | None:
    rule = "the values are right"
    for mine, right in sorted(pairs, key=lambda pair: volume(pair[0].inputs)):
        if exercise.judge is not None:
            assert mine.outputs is not None
            sentence = exercise.judge(mine.inputs, mine.outputs)
            if sentence is not None:
                return Finding(rule, sentence, "values")
            continue
        if not mine.view or not right.view or len(mine.view) != len(right.view):
            return Finding(rule, "The results cannot be compared with the expected ones.", "values")
        tolerance = mine.probe.tolerance or exercise.tolerance
        found = first_difference(mine.view, right.view, tolerance)
        if found is not None:
            name = exercise.outputs[found.output].name
            message = f"{name} differs from what the contract asks for ({mine.probe.name})."
            return Finding(rule, message, "values", difference=(mine, found))
    return None


def _single(exercise: Exercise, answer: Answer) -> Finding | None:
    for probe in (probe for probe in exercise.probes if probe.single):
        mine = observe(exercise, answer, probe, single=True, quiet=True)
        right = observe(exercise, exercise.reference, probe, single=True, quiet=True)
        if not mine.called.returned or mine.outputs is None:
            return Finding(
                "it works in float32",
                f"With float32 inputs it fails: {_text(mine.called.error or Exception())}.",
            )
        kinds = _kinds(exercise, mine, right)
        if kinds is not None:
            return kinds
        if not mine.view or not right.view or not same(mine.view, right.view, SINGLE):
            return Finding("it works in float32", "With float32 inputs its values are not right.")
    return None


def _gradients(exercise: Exercise, answer: Answer) -> Finding | None:
    found = [gradients(exercise, answer, probe) for probe in exercise.probes if probe.gradient]
    right = [
        gradients(exercise, exercise.reference, probe)
        for probe in exercise.probes
        if probe.gradient
    ]
    if any(grads is None for grads in found):
        return Finding(
            "gradients flow back to the inputs",
            "The values are right, but the result is detached from its inputs: nothing that uses "
            "it could learn. Look for .item(), .numpy(), .detach(), torch.tensor(...), no_grad.",
        )
    for mine, truth in zip(found, right, strict=True):
        assert mine is not None
        assert truth is not None
        if not same(mine, truth, SINGLE if mine[0].dtype == torch.float32 else exercise.tolerance):
            message = "The values are right, but the gradient with respect to the inputs is not."
            return Finding("the gradient is right", message, "gradient", gradients=found)
    return None


def _cost(exercise: Exercise, answer: Answer) -> Finding | None:
    if exercise.largest is None:
        return None
    for probe in (probe for probe in exercise.probes if not probe.edge):
        elements, shape = largest_tensor(exercise, answer, probe)
        allowed = exercise.largest(observe_inputs(exercise, probe))
        if elements > allowed:
            message = (
                f"On the way it makes a tensor of shape {_lettered(shape, probe)} with {elements} "
                f"entries; {allowed} are enough."
            )
            return Finding("it costs no more than it may", message, "cost")
    return None


def observe_inputs(exercise: Exercise, probe: Probe) -> dict[str, Any]:
    """Return a probe's inputs without calling anything."""
    from grading.observe import draw

    return draw(exercise, probe)


def _untouched(exercise: Exercise, seen: Sequence[Observation]) -> Finding | None:
    for one in seen:
        for name in _changed(one):
            message = (
                f"The function changed its argument `{name}`. Whoever called it still needs it."
            )
            return Finding("its inputs are left as they were", message, "inputs")
    return None


def _changed(one: Observation) -> Iterator[str]:
    for name, before in one.inputs.items():
        after = one.given[name]
        if isinstance(before, torch.Tensor) and not torch.equal(
            before.nan_to_num(), after.nan_to_num()
        ):
            yield name
        if isinstance(before, np.ndarray) and not np.array_equal(before, after, equal_nan=True):
            yield name
