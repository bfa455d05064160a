"""Which known mistake does this behaviour match?"""

import re
from collections.abc import Sequence
from functools import cache

from grading.calling import Called
from grading.compare import same
from grading.exercise import Exercise, Misconception, Tolerance
from grading.observe import Observation, gradients, observe

__all__ = ["diagnose"]

# Two answers are one behaviour if they agree this well; a misconception lies at least 100 times the
# exercise's tolerance from the truth (tested), so nothing right is ever this close to a wrong one.
ALIKE = Tolerance(rtol=1e-5, atol=1e-6)


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
    expected = _observed(exercise, mistake)
    pairs = [(one, expected[one.probe.name]) for one in seen]
    return all(_alike(one, other) for one, other in pairs)


def _behaviour(one: Observation) -> object:
    return one.called.error or one.view


@cache
def _observed_cached(key: tuple[str, str]) -> dict[str, Observation]:
    exercise, mistake = _KNOWN[key]
    return {
        probe.name: observe(exercise, mistake.wrong, probe, quiet=True) for probe in exercise.probes
    }


_KNOWN: dict[tuple[str, str], tuple[Exercise, Misconception]] = {}


def _observed(exercise: Exercise, mistake: Misconception) -> dict[str, Observation]:
    # A mistake's behaviour does not change: a second check in the same notebook is faster.
    key = (exercise.name, mistake.code)
    if _KNOWN.get(key) != (exercise, mistake):
        _observed_cached.cache_clear()
        _KNOWN[key] = (exercise, mistake)
    return _observed_cached(key)


def _alike(one: Observation, other: Observation) -> bool:
    if not one.called.returned or not other.called.returned:
        return _same_error(one.called, other.called)
    if one.view is None or other.view is None:
        return False
    return same(one.view, other.view, ALIKE)


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
    return all(b is not None and same(a, b, ALIKE) for a, b in pairs)
