"""Which known mistake does this behaviour match?"""

import re
from collections.abc import Sequence

from grading.calling import Called
from grading.compare import same
from grading.exercise import Exercise, Misconception, Tolerance
from grading.observe import Observation, gradients, observe

__all__ = ["diagnose"]


def diagnose(
    exercise: Exercise, seen: Sequence[Observation], stage: str, answer_gradients: object = None
) -> Misconception | None:
    """Return the misconception that behaves like the answer, or None.

    Args:
        exercise: the task.
        seen: what the answer did, one observation a probe.
        stage: the rule that broke: "values" for anything in what it returned or raised,
            "gradient", "cost" or "inputs".
        answer_gradients: the answer's gradients, where the stage is "gradient".
    """
    for misconception in exercise.misconceptions:
        if misconception.shows != stage:
            continue
        if stage in ("cost", "inputs"):
            return misconception
        if stage == "gradient":
            if _same_gradients(exercise, misconception, answer_gradients):
                return misconception
        elif _matches(exercise, misconception, seen):
            return misconception
    return None


def _matches(exercise: Exercise, mistake: Misconception, seen: Sequence[Observation]) -> bool:
    if mistake.recognise is not None:
        views = {one.probe.name: _behaviour(one) for one in seen}
        return mistake.recognise(views)
    return any(
        all(_alike(one, theirs[one.probe.name], exercise.alike) for one in seen)
        for theirs in _observed(exercise, mistake)
    )


def _behaviour(one: Observation) -> object:
    return one.called.error or one.view


# A mistake's behaviour does not change: a second check in the same notebook finds it here.
_KNOWN: dict[tuple[str, str], list[dict[str, Observation]]] = {}


def _observed(exercise: Exercise, mistake: Misconception) -> list[dict[str, Observation]]:
    key = (exercise.name, mistake.code)
    if key not in _KNOWN:
        _KNOWN[key] = [
            {probe.name: observe(exercise, wrong, probe, quiet=True) for probe in exercise.probes}
            for wrong in (mistake.wrong, *mistake.also)
        ]
    return _KNOWN[key]


def _alike(one: Observation, other: Observation, alike: Tolerance) -> bool:
    if not one.called.returned or not other.called.returned:
        return _same_error(one.called, other.called)
    if one.view is None or other.view is None:
        return False
    return same(one.view, other.view, alike)


def _same_error(one: Called, other: Called) -> bool:
    """Two errors are one if they are of a kind and speak of the same sizes."""
    if one.error is None or other.error is None or type(one.error) is not type(other.error):
        return False
    numbers = [re.findall(r"\d+", str(called.error)) for called in (one, other)]
    return sorted(numbers[0]) == sorted(numbers[1])


def _same_gradients(exercise: Exercise, mistake: Misconception, mine: object) -> bool:
    if not isinstance(mine, list):
        return False
    theirs = [gradients(exercise, mistake.wrong, p) for p in exercise.probes if p.gradient]
    pairs = zip(mine, theirs, strict=True)
    return all(b is not None and same(a, b, exercise.alike) for a, b in pairs)
