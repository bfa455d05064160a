"""The rules that every answer is held against, from the outside in; the first broken one counts."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch

from grading.calling import time_is_over
from grading.compare import first_difference, same
from grading.contract import FORM, TOO_LONG_IN_ALL, Finding, kind_finding, lettered
from grading.errors_in_words import first_line
from grading.exercise import SINGLE, Answer, Exercise
from grading.footprint import largest_tensor, makes_single
from grading.observe import Observation, draw, draws, gradients, observe, volume
from grading.own_work import goes_without_loop

__all__ = ["first_finding", "retold"]

Pair = tuple[Observation, Observation]


def first_finding(
    exercise: Exercise, answer: Answer, seen: Sequence[Observation], truth: Sequence[Observation]
) -> Finding | None:
    """Return the first broken rule over all probes, or None where the answer holds."""
    pairs = list(zip(seen, truth, strict=True))
    for rule in (*FORM, _laws):
        for mine, right in pairs:
            finding = rule(exercise, mine, right)
            if finding is not None:
                return replace(finding, probe=mine.probe.name)
    late: tuple[Callable[[], Finding | None], ...] = (
        lambda: _values(exercise, answer, pairs),
        lambda: _drawn(exercise, answer),
        lambda: _single(exercise, answer),
        lambda: _gradients(exercise, answer),
        lambda: _cost(exercise, answer),
    )
    untouched = _untouched(exercise, seen)
    if untouched is not None:  # what it writes into its inputs spoils its gradient as well
        late = (late[0], late[1], late[2], late[4])
    for late_rule in late:
        finding = late_rule()
        if time_is_over(answer):
            return Finding("it comes to an end", TOO_LONG_IN_ALL)
        if finding is not None:
            return finding
    return untouched


def retold(exercise: Exercise, finding: Finding, mine: Observation, right: Observation) -> Finding:
    """Return the finding in the words of another observation, where the same rule breaks there."""
    for rule in (*FORM, _laws, _value):
        again = rule(exercise, mine, right)
        if again is not None:
            break
    if again is None or again.rule != finding.rule:
        return finding
    return replace(finding, message=again.message, probe=mine.probe.name)


def _laws(exercise: Exercise, mine: Observation, right: Observation) -> Finding | None:
    for law in exercise.laws:
        assert mine.outputs is not None
        broken = law.broken(mine.inputs, mine.outputs)
        if broken is not None:
            return Finding(law.rule, f"{broken} ({mine.probe.name}).", "values")
    return None


def _value(exercise: Exercise, mine: Observation, right: Observation) -> Finding | None:
    rule = "the values are right"
    if exercise.judge is not None:
        assert mine.outputs is not None
        sentence = exercise.judge(mine.inputs, mine.outputs)
        return None if sentence is None else Finding(rule, sentence, "values")
    if not mine.view or not right.view or len(mine.view) != len(right.view):
        return Finding(rule, "The results cannot be compared with the expected ones.", "values")
    tolerance = mine.probe.tolerance or exercise.tolerance
    found = first_difference(mine.view, right.view, tolerance)
    if found is None:
        return None
    name = exercise.outputs[min(found.output, len(exercise.outputs) - 1)].name
    message = f"{name} differs from what the contract asks for ({mine.probe.name})."
    return Finding(rule, message, "values")


def _values(exercise: Exercise, answer: Answer, pairs: Sequence[Pair]) -> Finding | None:
    for mine, right in sorted(pairs, key=lambda pair: volume(pair[0].inputs)):
        finding = _value(exercise, mine, right)
        if finding is not None:
            remark = "" if exercise.judge is not None else _rounding(exercise, answer, pairs)
            return replace(finding, probe=mine.probe.name, remark=remark)
    return None


def _rounding(exercise: Exercise, answer: Answer, pairs: Sequence[Pair]) -> str:
    """Say what may explain a difference that shows in late digits only."""
    if not all(same(mine.view or (), right.view or (), SINGLE) for mine, right in pairs):
        return ""
    if makes_single(exercise, answer):
        return (
            " It differs after the sixth digit or so: some step of yours runs in float32 though "
            "the inputs are float64."
        )
    return (
        " It differs in late digits only: some step adds a small number, or a constant is written "
        "with few digits."
    )


def _drawn(exercise: Exercise, answer: Answer) -> Finding | None:
    """Demand of a measure that its number comes from the generator that it is given."""
    if exercise.kind != "measure":
        return None
    found = draws(exercise, answer, exercise.probes[-1])
    if found.moved and found.repeats and found.varies:
        return None
    if found.repeats and not found.varies:
        message = "The number is the same for every seed of the generator, so nothing is measured."
    elif not found.moved:
        message = "The number is another one each time, and the generator is not used."
    else:
        message = "Twice with the same seed it gives two numbers: not every draw comes from the "
        message += "generator."
    rule = "every draw comes from the generator"
    return Finding(rule, message, "generator", draws=found)


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
        # Not the values' own tolerance: a derivative magnifies what their last digits hide.
        if not same(mine, truth, SINGLE if mine[0].dtype == torch.float32 else exercise.alike):
            message = "The values are right, but the gradient with respect to the inputs is not."
            return Finding("the gradient is right", message, "gradient", gradients=found)
    return None


def _cost(exercise: Exercise, answer: Answer) -> Finding | None:
    rule = "it costs no more than it may"
    if exercise.loops and goes_without_loop(answer):
        message = "There is no loop in your function. The task is to go through the numbers one by "
        return Finding(rule, message + "one, as the text says.", "cost")
    if exercise.largest is None:
        return None
    for probe in (probe for probe in exercise.probes if not probe.edge):
        elements, shape = largest_tensor(exercise, answer, probe)
        allowed = exercise.largest(draw(exercise, probe))
        if elements > allowed:
            kind = "an array" if exercise.outputs[0].kind == "array" else "a tensor"
            message = (
                f"On the way it makes {kind} of shape {lettered(shape, probe)} with {elements} "
                f"entries; more than {allowed} are never needed."
            )
            return Finding(rule, message, "cost", probe=probe.name, shape=shape)
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
