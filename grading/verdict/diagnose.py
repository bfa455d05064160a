"""Which known mistake does this behaviour match?"""

import math
import re
from collections.abc import Callable, Sequence

from grading.exercise import Misconception
from grading.observation.seen import Error
from grading.verdict.case import Case, Trial, quiet
from grading.verdict.compare import distance, same
from grading.verdict.finding import Finding
from grading.verdict.late_rules import draws, gradients

__all__ = ["diagnose"]

Pairs = Sequence[tuple[Trial, Trial]]


def diagnose(
    case: Case, finding: Finding, seen: Sequence[Trial], truth: Sequence[Trial]
) -> Misconception | None:
    """Return the misconception that behaves like the answer, or None.

    Args:
        case: the task, and who can be asked.
        finding: the broken rule; its stage says where the mistake shows.
        seen: what the answer did, one observation a probe.
        truth: what the reference did on the same probes.
    """
    matches: dict[str, Callable[[Misconception], bool]] = {
        "inputs": lambda mistake: True,
        "gradient": lambda mistake: _same_gradients(case, mistake, finding),
        "cost": lambda mistake: _same_cost(case, mistake, finding),
        "generator": lambda mistake: _same_draws(case, mistake, finding),
    }
    mistakes = case.exercise.misconceptions
    known = [mistake for mistake in mistakes if mistake.shows == finding.stage]
    if finding.stage == "values":
        return _by_values(case, known, list(zip(seen, truth, strict=True)))
    return next((mistake for mistake in known if matches[finding.stage](mistake)), None)


def _by_values(case: Case, known: Sequence[Misconception], pairs: Pairs) -> Misconception | None:
    """Look for the same behaviour everywhere, then for a family, then on ordinary inputs only.

    Two faults at once: at the limits, and where a mask is given, the second one covers the first.
    So all ordinary probes are tried, and then the first alone, where nothing optional is given.
    """
    for mistake in known:
        if _behaves_like(case, mistake, pairs):
            return mistake
    views = {one.probe.name: one.seen.error or one.view for one, _ in pairs}
    with quiet():
        family = (one for one in known if one.recognise is not None and one.recognise(views))
        found = next(family, None)
    if found is not None or case.exercise.judge is not None:
        return found
    ordinary = [pair for pair in pairs if not (pair[0].probe.edge or pair[0].probe.control)]
    for few in (ordinary, [pair for pair in ordinary[:1] if pair[0].seen.returned]):
        if not _wrong_on(case, few):
            continue
        for mistake in known:
            if _behaves_like(case, mistake, few):
                return mistake
    return None


def _wrong_on(case: Case, pairs: Pairs) -> bool:
    return any(
        not one.agrees(right, one.probe.tolerance or case.exercise.tolerance)
        for one, right in pairs
    )


def _behaves_like(case: Case, mistake: Misconception, pairs: Pairs) -> bool:
    for number in range(1 + len(mistake.also)):
        theirs: list[Trial] = []
        for one, _ in pairs:  # up to the first probe on which they part: most part at once
            other = case.trial((mistake.code, number), one.probe)
            if not _alike(case, one, other):
                break
            theirs.append(other)
        else:
            if case.exercise.judge is not None or _is_nearer(theirs, pairs):
                return True
    return False


def _alike(case: Case, one: Trial, other: Trial) -> bool:
    if not one.seen.returned or not other.seen.returned:
        return _same_error(one.seen.error, other.seen.error)
    return one.agrees(other, case.exercise.alike)


def _same_error(one: Error | None, other: Error | None) -> bool:
    """Two errors are one if they are of a kind and speak of the same sizes."""
    if one is None or other is None or one.kinds != other.kinds:
        return False
    numbers = [re.findall(r"\d+", error.text) for error in (one, other)]
    return sorted(numbers[0]) == sorted(numbers[1])


def _is_nearer(theirs: Sequence[Trial], pairs: Pairs) -> bool:
    """Return whether the answer is much nearer to the mistake than the mistake to the truth.

    Some mistakes lie within a few digits of the truth, a small number that is added for one. An
    answer in float32 lies there too, and is none of them.
    """
    three = [(mine, right, other) for (mine, right), other in zip(pairs, theirs, strict=True)]
    near = max(distance(mine.view, other.view) for mine, _, other in three)
    far = max(distance(other.view, right.view) for _, right, other in three)
    return near <= far / 20 if math.isfinite(far) else True


def _same_gradients(case: Case, mistake: Misconception, finding: Finding) -> bool:
    pairs = zip(finding.gradients, gradients(case, (mistake.code, 0)), strict=True)
    return all(b is not None and same(a, b, case.exercise.alike) for a, b in pairs)


def _same_cost(case: Case, mistake: Misconception, finding: Finding) -> bool:
    """Return whether the mistake makes a tensor of that kind: its last axes, or the same sizes."""
    if finding.shape is None:
        return True
    probe = next(probe for probe in case.exercise.probes if probe.name == finding.probe)
    _, shape = case.seen((mistake.code, 0), probe, "largest").largest
    mine = tuple(size for size in finding.shape if size > 1)
    theirs = tuple(size for size in shape if size > 1)
    return sorted(mine) == sorted(theirs) or mine[-2:] == theirs[-2:]


def _same_draws(case: Case, mistake: Misconception, finding: Finding) -> bool:
    """Return whether the mistake's number, too, changes with the seed or without it."""
    mine, theirs = finding.draws, draws(case, (mistake.code, 0))
    return mine is not None and (mine.repeats, mine.varies) == (theirs.repeats, theirs.varies)
