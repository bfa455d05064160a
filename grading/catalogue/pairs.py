"""Which two mistakes at once can be told from everything else, and whether the grader says both."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from grading import recordings
from grading.asking import Live, function_of
from grading.exercise import Exercise
from grading.exercises import find
from grading.jobs import Stamps
from grading.observation.values import Inputs
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
        told: those that can be told from all else: some product of theirs behaves like no single
            mistake, like no other pair and not like the right function, in numbers that prove it.
        missed: those of them that are not refused with both codes, and what was said instead.
    """

    total: int
    told: int
    missed: tuple[str, ...] = ()

    @property
    def named(self) -> int:
        """How many of those that can be told are refused under both names."""
        return self.told - len(self.missed)


def pairs_of(exercise: Exercise) -> Pairs:
    """Submit a product of every pair that can be told from all else.

    That takes a while, so it is done once and noted: under the hash of what decides it.
    """
    notes, job = Stamps(recordings.FOLDER), f"{exercise.name}.pairs"
    made = recordings.made_by(exercise, "verdict", "catalogue/pairs.py")
    if not notes.is_done(job, made) or find(exercise.name) is not exercise:
        found = _submitted(exercise)
        if find(exercise.name) is not exercise:
            return found
        notes.note(job, made, **asdict(found))
    noted = notes.noted(job)
    return Pairs(noted["total"], noted["told"], tuple(noted["missed"]))


def _submitted(exercise: Exercise) -> Pairs:
    shown = shown_pairs(exercise)
    said = {name[0]: _said(exercise, name) for name in shown}
    missed = tuple(f"{code} is {got}" for code, got in said.items() if code != got)
    return Pairs(len({name[0] for name in _products(exercise)}), len(shown), missed)


def _said(exercise: Exercise, name: tuple[str, int]) -> str | None:
    answer = Witness(function_of(exercise, name))
    record = judge(exercise, Live(exercise, answer), with_example=False).record
    return None if record.passed else "+".join(record.misconceptions) or None


def shown_pairs(exercise: Exercise) -> list[tuple[str, int]]:
    """Return, for each pair that can be told, the first product that does what nothing else does.

    Two variants of the same two mistakes may do the same.
    """
    first: dict[str, tuple[str, int]] = {}
    for group in behaviours(exercise):
        names = [who for who in group if isinstance(who, tuple) and "+" in who[0]]
        is_one = len(names) == len(group) and len({name[0] for name in names}) == 1
        if is_one and names[0][0] not in first and _is_proven(exercise, names[0]):
            first[names[0][0]] = names[0]
    return sorted(first.values())


def _is_proven(exercise: Exercise, name: tuple[str, int]) -> bool:
    """Return whether what a product does would prove it."""
    case = Case(exercise, Live(exercise, REFERENCE))
    both = [[case.trial(who, probe) for probe in exercise.probes] for who in (name, REFERENCE)]
    return is_sure(case, [(mine, mine, right) for mine, right in zip(*both, strict=True)])


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
        for who in (who for group in groups for who in group if len(group) > 1):
            other = _stand_in(exercise, who, case.asked.inputs(probe))
            tried[who] = tried[other] if other in tried else case.trial(other, probe)
        groups = [part for group in groups for part in _parted(case, group, tried)]
    return groups


def _stand_in(exercise: Exercise, who: Who, inputs: Inputs) -> Who:
    """Return who does the same on such inputs, where some steps are left out."""
    if exercise.steps is None or not isinstance(who, tuple):
        return who
    return exercise.steps.stand_ins(inputs).get(who, who) or REFERENCE


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
