"""The rules that every answer is held against, from the outside in; the first broken one counts."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from grading.exercise import SINGLE
from grading.observation.values import numbers
from grading.verdict.case import ANSWER, Case, Trial, quiet
from grading.verdict.compare import first_difference
from grading.verdict.contract import FORM, stopped
from grading.verdict.differing import difference_in_words, order_of, output_name
from grading.verdict.finding import Finding
from grading.verdict.late_rules import (
    costs,
    draws_rightly,
    gradients_flow,
    results_stay,
    works_in_other_dtypes,
)

__all__ = ["broken_rule", "first_finding"]

Pair = tuple[Trial, Trial]


#: What is said of results of another number, or without numbers.
NOT_COMPARED = (
    "The results cannot be compared with the expected ones: there are more or fewer of them, or "
    "something in them holds no numbers."
)


def first_finding(case: Case, seen: Sequence[Trial], truth: Sequence[Trial]) -> Finding | None:
    """Return the first broken rule, or None where the answer holds.

    Ordinary inputs come first, then small ones, then those at their limits: what is wrong on
    ordinary ones is not told by an overflow. Among these, those come first that leave out what the
    first probe leaves out, such as a mask.
    """
    pairs = list(zip(seen, truth, strict=True))
    bare = _left_out(seen[0])
    for kind in sorted({_is_special(mine) for mine in seen}):
        alike = [pair for pair in pairs if _is_special(pair[0]) == kind]
        alike.sort(key=lambda pair: _left_out(pair[0]) != bare)
        for rule in RULES:
            for mine, right in alike:
                finding = rule(case, mine, right)
                if finding is not None:
                    found = replace(finding, probe=mine.probe.name)
                    return _with_remark(case, found, pairs) if rule is _value else found
    late: list[Callable[[Case], Finding | None]] = [
        results_stay,
        draws_rightly,
        works_in_other_dtypes,
        gradients_flow,
        costs,
    ]
    untouched = _untouched(seen)
    if untouched is not None:  # what it writes into its inputs spoils its gradient as well
        late.remove(gradients_flow)
    for late_rule in late:
        finding = late_rule(case)
        if case.was_stopped:
            return stopped(case)
        if finding is not None:
            return finding
    return untouched


def broken_rule(case: Case, mine: Trial, right: Trial) -> Finding | None:
    """Return the first rule that is broken on some inputs, in their words."""
    for rule in RULES:
        finding = rule(case, mine, right)
        if finding is not None:
            return finding
    return None


def _is_special(one: Trial) -> int:
    return 2 * one.probe.control + one.probe.edge


def _left_out(one: Trial) -> list[str]:
    return [name for name, value in one.inputs.items() if numbers(value) is None]


def _laws(case: Case, mine: Trial, right: Trial) -> Finding | None:
    names = [output.name for output in case.exercise.outputs]
    for law in case.exercise.laws:
        with quiet():
            broken = law.broken(case.judged(mine))
        if broken is not None:
            about = names.index(law.output) if law.output else 0
            return Finding(law.rule, f"{broken}.", "values", output=about)
    return None


def _value(case: Case, mine: Trial, right: Trial) -> Finding | None:
    rule, exercise = "the values are right", case.exercise
    if exercise.judge is not None:
        with quiet():
            sentence = exercise.judge(case.judged(mine))
        return None if sentence is None else Finding(rule, sentence, "values")
    if exercise.told is not None:
        with quiet():
            sentence = exercise.told(case.judged(mine), case.judged(right))
        return None if sentence is None else Finding(rule, sentence, "values", output=0)
    if mine.view is None or right.view is None or len(mine.frame) != len(right.frame):
        return Finding(rule, NOT_COMPARED, "values")
    differ = [a != b for a, b in zip(mine.frame, right.frame, strict=True)]
    if any(differ):
        name = output_name(exercise, differ.index(True))
        message = (
            f"{name} is put together in another way than expected: its kind, its length, the names "
            "in it, or something in it that is no number."
        )
        return Finding(rule, message, "values", output=differ.index(True))
    tolerance = mine.probe.tolerance or exercise.tolerance
    order = order_of(exercise, len(mine.view))
    found = first_difference(mine.view, right.view, tolerance, order)
    if found is None:
        return None
    number = found.output
    both = (mine.view[number], right.view[number])
    message = difference_in_words(output_name(exercise, number), *both, tolerance)
    return Finding(rule, message, "values", output=number)


#: In this order: from the outside in.
RULES: tuple[Callable[[Case, Trial, Trial], Finding | None], ...] = (*FORM, _laws, _value)


def _with_remark(case: Case, finding: Finding, pairs: Sequence[Pair]) -> Finding:
    """Add what may explain a difference that shows in late digits only; a count has none."""
    if case.exercise.judge is not None or any(one.kind == "int" for one in case.exercise.outputs):
        return finding
    if not all(mine.agrees(right, SINGLE) for mine, right in pairs if not mine.probe.control):
        return finding
    wrong = [mine for mine, right in pairs if _value(case, mine, right) is not None]
    if all(_is_narrow(case, mine) for mine in wrong):  # elsewhere it did no harm
        message = (
            "The inputs are float64, with 16 digits, and the result agrees with the right one in "
            "about the first 7: some step computes in float32. A tensor that you make yourself is "
            "float32 unless you give it the dtype of the inputs."
        )
        return replace(finding, unnamed=replace(finding, rule=FULL_PRECISION, message=message))
    remark = (
        " It differs in late digits only: some step adds a small number, or a constant is written "
        "with few digits."
    )
    return replace(finding, remark=remark)


#: The rule of an answer that computes in float32 where it was given float64.
FULL_PRECISION = "what comes in as float64 is computed in float64"


def _is_narrow(case: Case, one: Trial) -> bool:
    """Return whether numbers of float32 were made, or are all that came back."""
    if case.seen(ANSWER, one.probe, "narrow").narrow:
        return True
    with quiet():
        rounded = [np.asarray(value).astype(np.float32) == value for value in one.view or ()]
    return any(len(np.unique(value)) > 1 for value in one.view or ()) and all(
        bool(same.all()) for same in rounded
    )


def _untouched(seen: Sequence[Trial]) -> Finding | None:
    for one in seen:
        for name in one.seen.changed:
            message = (
                f"The function changed its argument `{name}`. Whoever called it still needs it."
            )
            return Finding("its inputs are left as they were", message, "inputs")
    return None
