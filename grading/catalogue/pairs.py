"""Which two mistakes at once can be told from everything else, and whether the grader says both."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from grading.asking import Live
from grading.exercise import Exercise
from grading.recordings import Recording
from grading.verdict.case import REFERENCE, Case, Trial, Who
from grading.verdict.judge import judge
from grading.verdict.likeness import alike, is_sure
from grading.witness.observe import Witness

__all__ = ["Pairs", "behaviours", "pairs_of", "shown_pairs"]

#: Several who do the same on every probe.
Group = list[Who]


@dataclass(frozen=True, slots=True)
class Pairs:
    """What becomes of the pairs of an exercise's mistakes.

    Attributes:
        total: the pairs of codes that touch different steps.
        told: those that some probe tells from all else: from one mistake, from the right answer,
            from every other pair.
        named: those of them whose product is refused, and both codes said.
        missed: the others, with what was said instead.
    """

    total: int
    told: int
    named: int
    missed: tuple[str, ...]


def pairs_of(exercise: Exercise) -> Pairs:
    """Submit a product of every pair that can be told from all else."""
    shown = shown_pairs(exercise)
    said = {name: _said(exercise, name) for name in shown}
    missed = tuple(f"{name[0]} is {got}" for name, got in said.items() if name[0] != got)
    products = {name[0] for name in _products(exercise)}
    return Pairs(len(products), len(shown), len(shown) - len(missed), missed)


def _said(exercise: Exercise, name: tuple[str, int]) -> str | None:
    product = exercise.steps.function(name) if exercise.steps else None
    record = judge(exercise, Live(exercise, Witness(product)), with_example=False).record
    return None if record.passed else "+".join(record.misconceptions) or None


def shown_pairs(exercise: Exercise) -> list[tuple[str, int]]:
    """Return the first product of every pair of codes that behaves like nothing else."""
    first: dict[str, tuple[str, int]] = {}
    for group in behaviours(exercise):
        names = [who for who in group if isinstance(who, tuple) and "+" in who[0]]
        if len(names) == len(group) and len({name[0] for name in names}) == 1:
            first.setdefault(names[0][0], names[0])
    return sorted(first.values())


def behaviours(exercise: Exercise) -> list[Group]:
    """Return the mistakes, the products and the right function, grouped by what they do."""
    live = Live(exercise, REFERENCE)
    live.recording = Recording(live.recording.inputs)  # what thousands do is not worth keeping
    case = Case(exercise, live)
    known = [mistake for mistake in exercise.misconceptions if mistake.shows == "values"]
    singles = [(one.code, number) for one in known for number in range(1 + len(one.also))]
    groups: list[Group] = [[REFERENCE, *singles, *_products(exercise)]]
    for probe in exercise.probes:
        tried: dict[Who, Trial] = {}
        stand_ins = exercise.steps.stand_ins(case.asked.inputs(probe)) if exercise.steps else {}
        for who in (who for group in groups for who in group if len(group) > 1):
            other = (stand_ins[who] or REFERENCE) if who in stand_ins else who
            tried[who] = tried[other] if other in tried else case.trial(other, probe)
        groups = [part for group in groups for part in _parted(case, group, tried)]
    return groups


def _parted(case: Case, group: Group, tried: dict[Who, Trial]) -> Iterator[Group]:
    """Yield the parts of a group that do the same on one more probe."""
    parts: list[Group] = []
    for who in group:
        for part in parts if len(group) > 1 else []:
            first = tried[part[0]]
            if first is tried[who] or alike(case, tried[who], first):
                part.append(who)
                break
        else:
            parts.append([who])
    return iter(parts)


def _products(exercise: Exercise) -> Sequence[tuple[str, int]]:
    if exercise.steps is None:
        return ()
    codes = (one.code for one in exercise.misconceptions if one.shows == "values")
    return exercise.steps.made_of(codes)
