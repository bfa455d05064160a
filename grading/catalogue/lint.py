"""Refuse an exercise whose probes could not show its mistakes."""

from collections.abc import Iterator

import numpy as np

from grading.asking import Live
from grading.exercise import Exercise, Misconception, Probe, Tolerance
from grading.late import late
from grading.verdict.case import ANSWER, REFERENCE, Case, Numbers
from grading.verdict.compare import close
from grading.witness.observe import Witness

__all__ = ["complaints"]

#: A mistake has to be this many tolerances away from the truth on some probe.
MARGIN = 100


def complaints(exercise: Exercise) -> list[str]:
    """Return what is wrong with an exercise's probes, one sentence each."""
    return [*_sizes(exercise), *_catalogue(exercise), *_margins(exercise), *_part(exercise)]


def _sizes(exercise: Exercise) -> Iterator[str]:
    for probe in exercise.probes:
        if probe.edge:
            continue
        if not probe.sizes:
            yield f"{probe.name}: a probe that is no edge case names its sizes"
        sizes = list(probe.sizes.values())
        if len(set(sizes)) < len(sizes):
            yield f"{probe.name}: sizes coincide, so a swapped axis could hide: {dict(probe.sizes)}"
        window = probe.sizes.get("W")
        length = probe.sizes.get("T", 0)
        if window is not None and length < 2 * window + 1:
            yield f"{probe.name}: T = {length} is not longer than two windows of W = {window}"


def _catalogue(exercise: Exercise) -> Iterator[str]:
    codes = [mistake.code for mistake in exercise.misconceptions]
    if len(set(codes)) < len(codes):
        yield "two misconceptions have the same code"
    if len(exercise.alternatives) < 2:
        yield "at least two right answers in other styles are needed"
    for mistake in exercise.misconceptions:
        if not mistake.sentence.endswith((".", "?")):
            yield f"{mistake.code}: the learner is told in whole sentences"


def _margins(exercise: Exercise) -> Iterator[str]:
    if exercise.judge is not None:
        return  # a judged answer has no distance from one truth
    case = Case(exercise, Live(exercise, REFERENCE))
    truths = {probe.name: case.trial(REFERENCE, probe) for probe in exercise.probes}
    for mistake in exercise.misconceptions:
        if mistake.shows != "values":
            continue
        largest = max(
            _distance(case, mistake, probe, truth.view or [])
            for probe, truth in zip(exercise.probes, truths.values(), strict=True)
        )
        if largest < MARGIN:
            yield f"{mistake.code}: only {largest:.1f} tolerances away from the truth"


def _distance(case: Case, mistake: Misconception, probe: Probe, truth: list[Numbers]) -> float:
    """Return how many tolerances a mistake is off on a probe; infinitely many where it fails."""
    trial = case.trial((mistake.code, 0), probe)
    seen = trial.view
    if seen is None or [v.shape for v in seen] != [v.shape for v in truth]:
        return float("inf")
    tolerance = probe.tolerance or case.exercise.tolerance
    wide = Tolerance(rtol=MARGIN * tolerance.rtol, atol=MARGIN * tolerance.atol)
    with np.errstate(all="ignore"):
        agree = [bool(close(a, b, wide).all()) for a, b in zip(seen, truth, strict=True)]
    return 0.0 if all(agree) else float(MARGIN)


def _part(exercise: Exercise) -> Iterator[str]:
    """A function of the library for which an answer stands is what the answer has to be."""
    home, _, name = exercise.part.rpartition(".")
    if not exercise.part:
        return
    try:
        function = getattr(late(home), name)
    except (ImportError, AttributeError):
        yield f"{exercise.part}: the library has no such function"
        return
    if name != exercise.name:
        yield f"{exercise.part}: a part goes by its exercise's name, {exercise.name}"
    case = Case(exercise, Live(exercise, Witness(function)))
    for probe in exercise.probes:
        mine, truth = case.trial(ANSWER, probe), case.trial(REFERENCE, probe)
        if not mine.agrees(truth, probe.tolerance or exercise.tolerance):
            yield f"{exercise.part}: it is not what the reference gives ({probe.name})"
