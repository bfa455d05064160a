"""The form that a task asks for: arguments; results of the right type, dtype, shape; no NaN."""

from typing import Any

import numpy as np

from grading.exercise import Exercise, Output
from grading.observation.seen import Signature
from grading.observation.values import Array, described
from grading.verdict.case import Case, Trial
from grading.verdict.differing import order_of, output_name
from grading.verdict.errors_in_words import error_message
from grading.verdict.finding import Finding, lettered

__all__ = [
    "FORM",
    "RUNS",
    "SHAPES",
    "kind_finding",
    "signature_finding",
    "stopped",
    "stopped_again",
]

#: The rules that an error breaks, and a shape.
RUNS, SHAPES = "it runs without an error", "results have the right shape"
TOO_LONG_IN_ALL = (
    "All calls of your function together took longer than 10 seconds. The inputs of a "
    "check are small: look for work that is done again and again."
)

DEAF = (
    " It caught what was raised to stop it, again and again, as `except:` without a class, "
    "`except BaseException:` and a `finally:` with `continue` or `return` do."
)


def signature_finding(exercise: Exercise, signature: Signature) -> Finding | None:
    """Say if the answer cannot be called with the contract's arguments."""
    rule = "it takes the arguments of the contract"
    wanted = f"{exercise.name}({exercise.signature})"
    if not signature.is_callable:
        hint = " Did you call it? Write its name without brackets." if signature.is_result else ""
        message = f"check needs the function itself, {wanted}; it got {signature.words}.{hint}"
        return Finding(rule, message)
    message = f"The contract is {wanted}; yours is {exercise.name}{signature.text}."
    if not signature.fits:
        return Finding(rule, message)
    for name, default in exercise.defaults.items():
        # What a function makes of None is for the probes to show.
        mine = signature.defaults.get(name)
        if mine is not None and mine != default:
            words = f" Where `{name}` is left out it has to be {default}."
            return Finding(rule, message + words)
    return None


def stopped(case: Case) -> Finding:
    """Say that the answer was stopped where its values were right."""
    message = (
        "The values are right, but another look at your function did not come to an end within "
        f"{case.exercise.time_limit:g} seconds: a second call, inputs in float32, or what flows "
        "back through its gradient. Look for a loop that never ends."
    )
    return Finding("it comes to an end", TOO_LONG_IN_ALL if case.is_over else message)


def stopped_again(case: Case) -> Finding:
    """Say that the answer was stopped where it was asked on inputs other than the probes'."""
    message = (
        "Called once more, with other inputs, the function did not return within "
        f"{case.exercise.time_limit:g} seconds. Look for a loop that never ends."
    )
    return Finding("it comes to an end", TOO_LONG_IN_ALL if case.is_over else message)


def _runs(case: Case, mine: Trial, right: Trial) -> Finding | None:
    exercise, seen = case.exercise, mine.seen
    if seen.timed_out:
        return Finding(
            "it comes to an end",
            TOO_LONG_IN_ALL
            if seen.in_total
            else f"The function did not return within {exercise.time_limit:g} seconds. "
            "Look for a loop that never ends.",
            remark=DEAF if seen.deaf else "",
        )
    if seen.error is None:
        return None
    if "NotImplementedError" in seen.error.kinds:
        return Finding("it is filled in", "This task is not filled in yet.")
    sizes = {} if mine.probe.edge else mine.probe.sizes
    return Finding(RUNS, error_message(seen.error, sizes), "values")


def _returns(case: Case, mine: Trial, right: Trial) -> Finding | None:
    value, outputs = mine.seen.value, case.exercise.outputs
    names = _listed([output.name for output in outputs])
    if value is None:
        message = f"The function returned None. It has to return {names}. Is there a `return`?"
        return Finding("it returns something", message)
    if mine.outputs is None:
        came = described(value)
        if isinstance(value, tuple | list):
            came += f" of {len(value)}" if value else " of none"
        message = f"It returned {came}; {_COUNTS[len(outputs)]} asked for: {names}."
        return Finding("it returns what is asked for", message, "values")
    return None


_COUNTS = {1: "one result is", 2: "two results are", 3: "three results are", 4: "four results are"}


def _listed(names: list[str]) -> str:
    """Return some names as a sentence lists them."""
    return " and ".join([*[", ".join(names[:-1])] * (len(names) > 1), names[-1]])


def kind_finding(case: Case, mine: Trial, right: Trial | None = None) -> Finding | None:
    """Say if a result has the wrong type or dtype."""
    assert mine.outputs is not None
    for output, value in zip(case.exercise.outputs, mine.outputs, strict=True):
        if output.kind == "any":
            continue
        if not _is(output.kind, value):
            wanted = _WORDS[output.kind]
            message = f"{output.name} has to be {wanted}; yours is {described(value)}."
            return Finding("results have the right type", message)
        if isinstance(value, Array) and value.odd:
            noun = "tensor" if value.kind == "tensor" else "array"
            message = f"{output.name} is {value.odd} {noun}; an ordinary, dense one in memory is "
            return Finding("results have the right type", message + "needed.")
        finding = _dtype(output, value, mine)
        if finding is not None:
            return finding
    return None


_WORDS = {
    "tensor": "a tensor",
    "array": "a NumPy array",
    "number": "a number",
    "int": "an int",
    "bool": "True or False",
    "list": "a list of numbers",
}


def _is(kind: str, value: Any) -> bool:
    """Return whether a value is of the kind that an output asks for."""
    if isinstance(value, Array) and kind in ("number", "int", "bool"):
        if value.kind == "array" or value.shape != () or value.odd:
            return False
        is_number = value.kind == "tensor" or value.dtype != "bool"
        return is_number if kind == "number" else value.dtype.lstrip("u").startswith(kind)
    if isinstance(value, Array):
        return value.kind == kind
    if kind == "list":
        return isinstance(value, list) and all(isinstance(one, int | float) for one in value)
    python = {"number": int | float, "int": int, "bool": bool}.get(kind, ())
    return isinstance(value, python) and (kind == "bool" or not isinstance(value, bool))


def _dtype(output: Output, value: Any, mine: Trial) -> Finding | None:
    if output.kind not in ("tensor", "array"):
        return None
    wanted = output.dtype or _given_dtype(output.kind, mine)
    floats = value.dtype.startswith(("float", "bfloat"))
    if wanted is None and output.kind == "tensor" and not floats:
        message = f"{output.name} has to hold floating-point numbers; yours is {described(value)}."
        return Finding("results have the right type", message)
    if wanted is None or value.dtype == wanted:
        return None
    if output.dtype is not None:
        message = f"{output.name} has to be {wanted}; yours is {value.dtype}."
        return Finding("results have the right type", message)
    message = f"{output.name} has to be {wanted}, like the inputs; yours is {value.dtype}."
    if (output.kind, value.dtype) == ("tensor", "float32"):
        message += " PyTorch makes new tensors in float32 unless it is told the dtype."
    return Finding("results have the dtype of the inputs", message)


def _given_dtype(kind: str, mine: Trial) -> str | None:
    """Return the dtype of the first floating input of that kind."""
    dtypes = (
        value.dtype
        for value in mine.inputs.values()
        if isinstance(value, Array) and value.kind == kind
    )
    return next((dtype for dtype in dtypes if dtype.startswith(("float", "bfloat"))), None)


def _shapes(case: Case, mine: Trial, right: Trial) -> Finding | None:
    if case.exercise.judge is not None or case.exercise.told is not None:
        return None
    assert mine.outputs is not None
    assert right.outputs is not None
    pairs = zip(case.exercise.outputs, mine.outputs, right.outputs, strict=True)
    for number, (output, value, truth) in enumerate(pairs):
        if output.kind == "list" and len(value) != len(truth):
            message = f"{output.name} has to have {len(truth)} entries; yours has {len(value)}."
            return Finding("results have the right length", message, "values")
        if output.kind not in ("tensor", "array") or value.shape == truth.shape:
            continue
        message = (
            f"{output.name} has to have the shape {lettered(truth.shape, mine.probe)}; "
            f"yours has {lettered(value.shape, mine.probe)}."
        )
        return Finding(SHAPES, message, "values", output=number)
    return None


def _finite(case: Case, mine: Trial, right: Trial) -> Finding | None:
    exercise = case.exercise
    for number in order_of(exercise, len(mine.view or ())):
        assert mine.view is not None
        value = mine.view[number]
        truth = right.view[number] if right.view and exercise.judge is None else None
        bad = ~np.isfinite(value)
        if truth is not None and truth.shape == value.shape:
            bad = bad & np.isfinite(truth)
        if bad.any():
            message = _not_finite(output_name(exercise, number), value, bad, truth)
            return Finding("every number is finite", message, "values", output=number)
    return None


def _not_finite(name: str, value: Any, bad: Any, truth: Any) -> str:
    """Say how many numbers of an output are NaN or infinite, which is the first, what it has to be.

    Args:
        name: how the output is called.
        value: its numbers.
        bad: where they are not finite.
        truth: what they have to be; None where many answers are right.
    """
    kind = "NaN, not a number" if np.isnan(value).any() else "an infinity"
    place = tuple(int(index) for index in np.argwhere(bad)[0]) if bad.ndim else ()
    first = f"{name}[{', '.join(map(str, place))}]" if place else name
    wanted = "" if truth is None else f"has to be {truth[place].item() + 0:.4g}"
    if bad.size == 1:
        return f"{first} is {kind}" + (f", and {wanted}." if wanted else ".")
    text = (
        f"{name} holds {kind}, in {int(bad.sum())} of its {bad.size} places. The first is {first}"
    )
    return text + (f", which {wanted}." if wanted else ".")


#: In this order: from the outside in.
FORM = (_runs, _returns, kind_finding, _shapes, _finite)
