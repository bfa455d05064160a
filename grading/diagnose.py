"""Which known mistake does this behaviour match?"""

import math
import re
from collections.abc import Callable, Sequence

import torch

from grading.calling import Called
from grading.compare import same
from grading.contract import Finding
from grading.exercise import Exercise, Misconception, Probe
from grading.footprint import largest_tensor
from grading.observe import Draws, Observation, draws, gradients, observe

__all__ = ["diagnose"]

Pairs = Sequence[tuple[Observation, Observation]]


def diagnose(
    exercise: Exercise,
    finding: Finding,
    seen: Sequence[Observation],
    truth: Sequence[Observation],
) -> Misconception | None:
    """Return the misconception that behaves like the answer, or None.

    Args:
        exercise: the task.
        finding: the broken rule; its stage says where the mistake shows.
        seen: what the answer did, one observation a probe.
        truth: what the reference did on the same probes.
    """
    matches: dict[str, Callable[[Misconception], bool]] = {
        "inputs": lambda mistake: True,
        "gradient": lambda mistake: _same_gradients(exercise, mistake, finding.gradients),
        "cost": lambda mistake: _same_cost(exercise, mistake, finding),
        "generator": lambda mistake: _same_draws(exercise, mistake, finding.draws),
    }
    known = [mistake for mistake in exercise.misconceptions if mistake.shows == finding.stage]
    if finding.stage == "values":
        return _by_values(exercise, known, list(zip(seen, truth, strict=True)))
    return next((mistake for mistake in known if matches[finding.stage](mistake)), None)


def _by_values(
    exercise: Exercise, known: Sequence[Misconception], pairs: Pairs
) -> Misconception | None:
    """Look for the same behaviour everywhere, then for a family, then on ordinary inputs only.

    Two faults at once: at the limits, and where a mask is given, the second one covers the first.
    So all ordinary probes are tried, and then the first alone, where nothing optional is given.
    """
    for mistake in known:
        if _behaves_like(exercise, mistake, pairs):
            return mistake
    views = {one.probe.name: one.called.error or one.view for one, _ in pairs}
    for mistake in known:
        if mistake.recognise is not None and mistake.recognise(views):
            return mistake
    if exercise.judge is not None:
        return None
    ordinary = [pair for pair in pairs if not (pair[0].probe.edge or pair[0].probe.control)]
    for few in (ordinary, [pair for pair in ordinary[:1] if pair[0].called.returned]):
        if not _wrong_on(exercise, few):
            continue
        for mistake in known:
            if _behaves_like(exercise, mistake, few):
                return mistake
    return None


def _wrong_on(exercise: Exercise, pairs: Pairs) -> bool:
    return any(
        not one.view
        or not right.view
        or not same(one.view, right.view, one.probe.tolerance or exercise.tolerance)
        for one, right in pairs
    )


def _behaves_like(exercise: Exercise, mistake: Misconception, pairs: Pairs) -> bool:
    for number in range(1 + len(mistake.also)):
        theirs: list[Observation] = []
        for one, _ in pairs:  # up to the first probe on which they part: most part at once
            theirs.append(_observed(exercise, mistake, number, one.probe))
            if not _alike(exercise, one, theirs[-1]):
                break
        else:
            if exercise.judge is not None or _is_nearer(theirs, pairs):
                return True
    return False


# A mistake's behaviour does not change: a second check in the same notebook finds it here.
_KNOWN: dict[tuple[str, str, int, str], Observation] = {}


def _observed(exercise: Exercise, mistake: Misconception, number: int, probe: Probe) -> Observation:
    """Return what a mistake, or one of its variants by number, does on a probe."""
    key = (exercise.name, mistake.code, number, probe.name)
    if key not in _KNOWN:
        wrong = (mistake.wrong, *mistake.also)[number]
        _KNOWN[key] = observe(exercise, wrong, probe, quiet=True)
    return _KNOWN[key]


def _alike(exercise: Exercise, one: Observation, other: Observation) -> bool:
    if not one.called.returned or not other.called.returned:
        return _same_error(one.called, other.called)
    if one.view is None or other.view is None:
        return False
    return same(one.view, other.view, exercise.alike)


def _same_error(one: Called, other: Called) -> bool:
    """Two errors are one if they are of a kind and speak of the same sizes."""
    if one.error is None or other.error is None or type(one.error) is not type(other.error):
        return False
    numbers = [re.findall(r"\d+", str(called.error)) for called in (one, other)]
    return sorted(numbers[0]) == sorted(numbers[1])


def _is_nearer(theirs: Sequence[Observation], pairs: Pairs) -> bool:
    """Return whether the answer is much nearer to the mistake than the mistake to the truth.

    Some mistakes lie within a few digits of the truth, a small number that is added for one. An
    answer in float32 lies there too, and is none of them.
    """
    three = [(mine, right, other) for (mine, right), other in zip(pairs, theirs, strict=True)]
    near = max(_distance(mine, other) for mine, _, other in three)
    far = max(_distance(other, right) for _, right, other in three)
    return near <= far / 20 if math.isfinite(far) else True


def _distance(one: Observation, other: Observation) -> float:
    """Return the largest difference on a probe: infinite where only one is a number at all."""
    if not one.view or not other.view or len(one.view) != len(other.view):
        return math.inf
    largest = 0.0
    for mine, theirs in zip(one.view, other.view, strict=True):
        if mine.shape != theirs.shape:
            return math.inf
        a, b = mine.to(torch.float64), theirs.to(torch.float64)
        apart = torch.where((a == b) | (a.isnan() & b.isnan()), 0.0, (a - b).abs())
        apart = apart.nan_to_num(nan=math.inf)
        largest = max(largest, float(apart.max()) if apart.numel() else 0.0)
    return largest


def _same_gradients(exercise: Exercise, mistake: Misconception, mine: object) -> bool:
    if not isinstance(mine, list):
        return False
    theirs = [gradients(exercise, mistake.wrong, p) for p in exercise.probes if p.gradient]
    pairs = zip(mine, theirs, strict=True)
    return all(b is not None and same(a, b, exercise.alike) for a, b in pairs)


def _same_cost(exercise: Exercise, mistake: Misconception, finding: Finding) -> bool:
    """Return whether the mistake makes a tensor of that kind: its last axes, or the same sizes."""
    if finding.shape is None:
        return True
    probe = next(probe for probe in exercise.probes if probe.name == finding.probe)
    _, shape = largest_tensor(exercise, mistake.wrong, probe)
    mine = tuple(size for size in finding.shape if size > 1)
    theirs = tuple(size for size in shape if size > 1)
    return sorted(mine) == sorted(theirs) or mine[-2:] == theirs[-2:]


def _same_draws(exercise: Exercise, mistake: Misconception, mine: Draws | None) -> bool:
    """Return whether the mistake's number, too, changes with the seed or without it."""
    theirs = draws(exercise, mistake.wrong, exercise.probes[-1])
    return mine is not None and (mine.repeats, mine.varies) == (theirs.repeats, theirs.varies)
