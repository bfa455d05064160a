"""The rules that every answer is held against, from the outside in; the first broken one counts."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from grading.exercise import SINGLE
from grading.observation.values import volume
from grading.verdict.case import ANSWER, Case, Trial, quiet
from grading.verdict.compare import first_difference
from grading.verdict.contract import FORM, stopped
from grading.verdict.finding import Finding
from grading.verdict.late_rules import costs, draws_rightly, gradients_flow, works_in_single

__all__ = ["first_finding", "retold"]

Pair = tuple[Trial, Trial]


def first_finding(case: Case, seen: Sequence[Trial], truth: Sequence[Trial]) -> Finding | None:
    """Return the first broken rule over all probes, or None where the answer holds."""
    pairs = list(zip(seen, truth, strict=True))
    for rule in (*FORM, _laws):
        for mine, right in pairs:
            finding = rule(case, mine, right)
            if finding is not None:
                return replace(finding, probe=mine.probe.name)
    late: list[Callable[[Case], Finding | None]] = [
        lambda case: _values(case, pairs),
        draws_rightly,
        works_in_single,
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


def retold(case: Case, finding: Finding, mine: Trial, right: Trial) -> Finding:
    """Return the finding in the words of another observation, where the same rule breaks there."""
    for rule in (*FORM, _laws, _value):
        again = rule(case, mine, right)
        if again is not None:
            break
    if again is None or again.rule != finding.rule:
        return finding
    return replace(finding, message=again.message, probe=mine.probe.name)


def _laws(case: Case, mine: Trial, right: Trial) -> Finding | None:
    for law in case.exercise.laws:
        with quiet():
            broken = law.broken(case.judged(mine))
        if broken is not None:
            where = "" if case.exercise.kind == "test" else f" ({mine.probe.name})"
            return Finding(law.rule, f"{broken}{where}.", "values")
    return None


def _value(case: Case, mine: Trial, right: Trial) -> Finding | None:
    rule, exercise = "the values are right", case.exercise
    if exercise.judge is not None:
        with quiet():
            sentence = exercise.judge(case.judged(mine))
        return None if sentence is None else Finding(rule, sentence, "values")
    if mine.view is None or right.view is None or len(mine.frame) != len(right.frame):
        return Finding(rule, "The results cannot be compared with the expected ones.", "values")
    tolerance = mine.probe.tolerance or exercise.tolerance
    differ = [a != b for a, b in zip(mine.frame, right.frame, strict=True)]
    if any(differ):
        output = differ.index(True)
    elif found := first_difference(mine.view, right.view, tolerance):
        output = found.output
    else:
        return None
    name = exercise.outputs[min(output, len(exercise.outputs) - 1)].name
    message = f"{name} differs from what the contract asks for ({mine.probe.name})."
    return Finding(rule, message, "values")


def _values(case: Case, pairs: Sequence[Pair]) -> Finding | None:
    for mine, right in sorted(pairs, key=lambda pair: volume(pair[0].inputs)):
        finding = _value(case, mine, right)
        if finding is not None:
            remark = "" if case.exercise.judge is not None else _rounding(case, pairs)
            return replace(finding, probe=mine.probe.name, remark=remark)
    return None


def _rounding(case: Case, pairs: Sequence[Pair]) -> str:
    """Say what may explain a difference that shows in late digits only."""
    if not all(mine.agrees(right, SINGLE) for mine, right in pairs):
        return ""
    if any(case.seen(ANSWER, mine.probe, "narrow").narrow for mine, _ in pairs):
        return (
            " It differs after the sixth digit or so: some step of yours runs in float32 though "
            "the inputs are float64."
        )
    return (
        " It differs in late digits only: some step adds a small number, or a constant is written "
        "with few digits."
    )


def _untouched(seen: Sequence[Trial]) -> Finding | None:
    for one in seen:
        for name in one.seen.changed:
            message = (
                f"The function changed its argument `{name}`. Whoever called it still needs it."
            )
            return Finding("its inputs are left as they were", message, "inputs")
    return None
