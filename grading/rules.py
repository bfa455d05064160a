"""The rules that every answer is held against, from the outside in; the first broken one counts."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch

from grading.compare import first_difference, same
from grading.contract import FORM, Finding, kind_finding, lettered
from grading.errors_in_words import first_line
from grading.exercise import SINGLE, Answer, Exercise
from grading.observe import Observation, draw, gradients, largest_tensor, observe, volume

__all__ = ["first_finding"]


def first_finding(
    exercise: Exercise, answer: Answer, seen: Sequence[Observation], truth: Sequence[Observation]
) -> Finding | None:
    """Return the first broken rule over all probes, or None where the answer holds."""
    pairs = list(zip(seen, truth, strict=True))
    for rule in (*FORM, _laws):
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
            name = exercise.outputs[min(found.output, len(exercise.outputs) - 1)].name
            message = f"{name} differs from what the contract asks for ({mine.probe.name})."
            return Finding(rule, message + _rounding(pairs), "values")
    return None


def _rounding(pairs: Sequence[tuple[Observation, Observation]]) -> str:
    """Say so where float32 inside the function explains all of the difference."""
    if not all(same(mine.view or (), right.view or (), SINGLE) for mine, right in pairs):
        return ""
    return (
        " It differs after the sixth digit only: some step of yours runs in float32 though the "
        "inputs are float64."
    )


def _single(exercise: Exercise, answer: Answer) -> Finding | None:
    for probe in (probe for probe in exercise.probes if probe.single):
        mine = observe(exercise, answer, probe, single=True, quiet=True)
        right = observe(exercise, exercise.reference, probe, single=True, quiet=True)
        if not mine.called.returned or mine.outputs is None:
            return Finding(
                "it works in float32",
                "With float64 inputs the values are right, but with float32 inputs it fails: "
                f"{first_line(mine.called.error or Exception())}.",
            )
        kinds = kind_finding(exercise, mine)
        if kinds is not None:
            return kinds
        if not mine.view or not right.view or not same(mine.view, right.view, SINGLE):
            return Finding("it works in float32", "With float32 inputs its values are not right.")
    return None


def _gradients(exercise: Exercise, answer: Answer) -> Finding | None:
    judged = [probe for probe in exercise.probes if probe.gradient]
    found = [gradients(exercise, answer, probe) for probe in judged]
    if any(grads is None for grads in found):
        return Finding(
            "gradients flow back to the inputs",
            "The values are right, but the result is detached from its inputs: nothing that uses "
            "it could learn. Look for .item(), .numpy(), .detach(), torch.tensor(...), no_grad, "
            "and for numbers overwritten in place.",
        )
    right = [gradients(exercise, exercise.reference, probe) for probe in judged]
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
        allowed = exercise.largest(draw(exercise, probe))
        if elements > allowed:
            message = (
                f"On the way it makes a tensor of shape {lettered(shape, probe)} with {elements} "
                f"entries; {allowed} are enough."
            )
            return Finding("it costs no more than it may", message, "cost")
    return None


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
