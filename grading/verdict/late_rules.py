"""The rules behind the values: two calls, draws, dtypes, gradients, and the cost."""

import math

import numpy as np

from grading.exercise import HALF, SINGLE, Probe, Tolerance
from grading.observation.seen import Observation
from grading.observation.values import as_arrays, numbers
from grading.verdict.case import ANSWER, REFERENCE, Case, Numbers, Variant, Who
from grading.verdict.compare import same
from grading.verdict.contract import kind_finding
from grading.verdict.differing import gradient_in_words
from grading.verdict.finding import Draws, Finding, lettered

__all__ = [
    "costs",
    "draws",
    "draws_rightly",
    "gradients",
    "gradients_flow",
    "results_stay",
    "works_in_other_dtypes",
]


#: What PyTorch says where bfloat16 is its own gap, or NumPy's.
NO_BFLOAT16 = (
    "not implemented for 'BFloat16'",
    "unsupported ScalarType BFloat16",
    "Low precision dtypes not supported. Got BFloat16",
)
#: So many seeds show how far the results of a measure lie apart.
SEEDS = 150


def results_stay(case: Case) -> Finding | None:
    """Demand that a result is still the same after another call."""
    held = ("tensor", "array", "list")
    if not any(output.kind in held for output in case.exercise.outputs):
        return None
    if not case.seen(ANSWER, case.exercise.probes[0], "twice").overwritten:
        return None
    return Finding(
        "each call returns a result of its own",
        "The second call changed the first result: the function hands out the same memory again. "
        "Whoever kept the first result now holds other numbers. Return what is made in the call "
        "itself, and no global, default argument or attribute that is written into.",
    )


def draws(case: Case, who: Who) -> Draws:
    """Observe a measure with one seed, again with the same, with another, and with many."""
    probe = case.exercise.probes[-1]
    seen = [_with_seed(case, who, variant) for variant in ("seed 1", "seed 1 again", "seed 2")]
    first, again, second = (_number(one) for one in seen)
    moved, repeats, varies = any(one.moved for one in seen), first == again, first != second
    if not (moved and repeats and varies) or case.exercise.noise is None:
        return Draws(moved=moved, repeats=repeats, varies=varies)
    more = (_with_seed(case, who, f"seed {number}") for number in range(3, SEEDS + 1))
    results = [first, second, *(_number(one) for one in more)]
    wanted = case.exercise.noise(numbers(case.asked.inputs(probe)))
    apart = float(np.std(results, ddof=1)) / wanted  # NaN where one of them is
    return Draws(moved=True, repeats=True, varies=True, apart=apart)


def _with_seed(case: Case, who: Who, variant: Variant) -> Observation:
    probe = case.exercise.probes[-1]
    return case.trial(who, probe, case.asked.inputs(probe, variant)).seen


def _number(seen: Observation) -> float:
    """Return a measured number; NaN where there is none."""
    return next((float(one) for one in as_arrays([seen.value]) if one.ndim == 0), math.nan)


def draws_rightly(case: Case) -> Finding | None:
    """Demand of a measure that its number comes from the generator that it is given."""
    if case.exercise.kind != "measure":
        return None
    found = draws(case, ANSWER)
    if found.moved and found.repeats and found.varies and not found.spread:
        return None
    if found.spread:
        message = (
            f"The results of {SEEDS} seeds lie {found.apart:.2g} times as far apart as the draws "
            f"of the contract leave them ({case.exercise.probes[-1].name})."
        )
        return Finding("it draws what it is told to", message, "generator", draws=found)
    if found.repeats and not found.varies:
        message = "The number is the same for every seed of the generator, so nothing is measured."
    elif not found.moved:
        message = "The number is another one each time, and the generator is not used."
    else:
        message = "Twice with the same seed it gives two numbers: not every draw comes from the "
        message += "generator."
    rule = "every draw comes from the generator"
    return Finding(rule, message, "generator", draws=found)


def works_in_other_dtypes(case: Case) -> Finding | None:
    """Demand that inputs in float32, and in bfloat16, give right values of that dtype."""
    probes = case.exercise.probes
    asked: list[tuple[Variant, Tolerance, list[Probe]]] = [
        ("float32", SINGLE, [probe for probe in probes if probe.single]),
        ("bfloat16", HALF, [probe for probe in probes if probe.half]),
    ]
    for dtype, tolerance, where in asked:
        for probe in where:
            finding = _works_in(case, dtype, tolerance, probe)
            if finding is not None:
                return finding
    return None


def _works_in(case: Case, dtype: Variant, tolerance: Tolerance, probe: Probe) -> Finding | None:
    inputs = case.asked.inputs(probe, dtype)
    mine, right = case.trial(ANSWER, probe, inputs), case.trial(REFERENCE, probe, inputs)
    rule = f"it works in {dtype}"
    if not mine.seen.returned or mine.outputs is None:
        error = mine.seen.error
        if error is not None and any(gap in error.text for gap in NO_BFLOAT16):
            return None
        return Finding(
            rule,
            f"With float64 inputs the values are right, but with {dtype} inputs it fails: "
            f"{error.first_line if error else ''}.",
        )
    kinds = kind_finding(case, mine)
    if kinds is not None:
        return kinds
    if not mine.agrees(right, tolerance):
        return Finding(rule, f"With {dtype} inputs its values are not right ({probe.name}).")
    return None


def gradients(case: Case, who: Who) -> list[list[Numbers] | None]:
    """Return somebody's gradients on each probe where they are judged; None where none flow."""
    judged = [probe for probe in case.exercise.probes if probe.gradient]
    seen = [case.seen(who, probe, "gradients").gradients for probe in judged]
    return [None if grads is None else as_arrays(grads) for grads in seen]


def gradients_flow(case: Case) -> Finding | None:
    """Demand that gradients flow back to the inputs, and the right ones."""
    found = gradients(case, ANSWER)
    flowing = [grads for grads in found if grads is not None]
    if len(flowing) < len(found):
        return Finding(
            "gradients flow back to the inputs",
            "The values are right, but the result is detached from its inputs: nothing that uses "
            "it could learn. Look for .item(), .numpy(), .detach(), torch.tensor(...), no_grad, "
            "and for numbers overwritten in place.",
        )
    judged = [probe for probe in case.exercise.probes if probe.gradient]
    for probe, mine, truth in zip(judged, flowing, gradients(case, REFERENCE), strict=True):
        # Not the values' own tolerance: a derivative magnifies what their last digits hide.
        tolerance = SINGLE if mine[0].dtype == "float32" else case.exercise.alike
        if truth is None or not same(mine, truth, tolerance):
            message = "The values are right, but "
            if all(bool(np.isfinite(one).all()) for one in mine):
                given = case.asked.inputs(probe)
                message += gradient_in_words(given, mine, truth or [], tolerance)
            else:
                message += f"the gradient holds NaN or an infinity ({probe.name})."
            return Finding("the gradient is right", message, "gradient", gradients=flowing)
    return None


def costs(case: Case) -> Finding | None:
    """Demand loops where the task is about them, and no larger tensor than is needed."""
    exercise, rule = case.exercise, "it costs no more than it may"
    if exercise.loops and not case.seen(ANSWER, exercise.probes[0], "loop").loop:
        message = "There is no loop in your function. The task is to go through the numbers one by "
        return Finding(rule, message + "one, as the text says.", "cost")
    if exercise.largest is None:
        return None
    for probe in (probe for probe in exercise.probes if not probe.edge):
        elements, shape = case.seen(ANSWER, probe, "largest").largest
        allowed = exercise.largest(numbers(case.asked.inputs(probe)))
        if elements > allowed:
            kind = "an array" if exercise.outputs[0].kind == "array" else "a tensor"
            message = (
                f"On the way it makes {kind} of shape {lettered(shape, probe)}: {elements} "
                f"numbers, where {allowed} are enough."
            )
            return Finding(rule, message, "cost", probe=probe.name, shape=shape)
    return None
