"""Whether an answer behaves like a mistake on some probes, and whether that proves it."""

import math
import re
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from grading.exercise import Misconception
from grading.observation.seen import Error
from grading.observation.values import volume
from grading.steps import Pipeline
from grading.verdict.case import REFERENCE, Case, Trial
from grading.verdict.compare import close, distance

__all__ = [
    "Pairs",
    "alike",
    "behaves_like",
    "in_numbers",
    "is_ordinary",
    "is_sure",
    "is_sure_or_raises",
    "two_behave_like",
]

#: What the answer and the reference did, probe by probe.
Pairs = Sequence[tuple[Trial, Trial]]
#: What the answer, a mistake and the reference did on one probe.
Three = tuple[Trial, Trial, Trial]
#: A mistake or a product by its code, and the number of the variant.
Name = tuple[str, int]
#: Says whether an answer which behaves like a mistake surely makes it.
Proof = Callable[[Case, Sequence[Three]], bool]

#: So many wrong numbers on a few probes are no coincidence.
MANY = 4


def behaves_like(case: Case, mistake: Misconception, pairs: Pairs, proof: Proof) -> bool:
    """Return whether the answer does on each probe what one variant of a mistake does, with proof.

    Args:
        case: the task, and who can be asked.
        mistake: the mistake.
        pairs: the probes on which they are compared.
        proof: says whether that likeness is enough.
    """
    for number in range(1 + len(mistake.also)):
        three: list[Three] = []
        for mine, right in pairs:  # up to the first probe on which they part: most part at once
            other = case.trial((mistake.code, number), mine.probe)
            if not alike(case, mine, other):
                break
            three.append((mine, other, right))
        else:
            if proof(case, three):
                return True
    return False


def two_behave_like(
    case: Case, codes: Iterable[str], pairs: Pairs, proof: Proof
) -> list[tuple[str, str]]:
    """Return which two mistakes at once do on each probe what the answer does, with proof.

    Of hundreds of products nearly all part at once: the probes on which most steps are left out,
    and few products differ, come first. Where nobody can tell what one does, none is named.

    Args:
        case: the task, and who can be asked.
        codes: the mistakes of which a product is made.
        pairs: the probes on which they are compared.
        proof: says whether that likeness is enough.
    """
    steps = case.exercise.steps
    if steps is None:
        return []
    left: dict[Name, list[Three]] = {name: [] for name in steps.made_of(codes)}
    for mine, right in sorted(pairs, key=lambda pair: _work(steps, pair[0])):
        stand_in = steps.stand_ins(mine.inputs)
        known: dict[Name | None, Trial | None] = {}
        for name in list(left):
            who = stand_in[name]
            if who not in known:
                other = case.attempt(who or REFERENCE, mine.probe, mine.inputs)
                if other is None:
                    return []
                known[who] = other if alike(case, mine, other) else None
            if (same := known[who]) is None:
                del left[name]
            else:
                left[name].append((mine, same, right))
    found = {name[0] for name, three in left.items() if proof(case, three)}
    return [(first, second) for first, _, second in (code.partition("+") for code in sorted(found))]


def _work(steps: Pipeline, one: Trial) -> tuple[int, int]:
    """Return how much is to be compared on a probe: steps that can differ, numbers of each."""
    return -len(steps.left_out(one.inputs)), volume(one.inputs)


def alike(case: Case, one: Trial, other: Trial) -> bool:
    """Return whether two do the same on a probe: the same numbers, or the same error."""
    if not one.seen.returned or not other.seen.returned:
        return _same_error(one.seen.error, other.seen.error)
    return one.agrees(other, case.exercise.alike)


def _same_error(one: Error | None, other: Error | None) -> bool:
    """Two errors are one if they are of a kind and speak of the same sizes in the same order.

    What stands in quotes has to be the same as well: a class, an argument, an operand.
    """
    if one is None or other is None or one.kinds != other.kinds:
        return False
    spoken_of = re.compile(r"\d+|'[^'\n]*'")
    return spoken_of.findall(one.text) == spoken_of.findall(other.text)


def is_sure(case: Case, three: Sequence[Three]) -> bool:
    """Return whether the same behaviour on all these probes proves the mistake.

    Wrong numbers do. NaN and infinities come from anywhere: they do beside an ordinary probe on
    which all numbers agree, which may be right ones.
    """
    if case.exercise.judge is not None:
        return any(_is_finite(other) for _, other, _ in three)
    if _wrong_numbers(case, three) and _is_nearer(three):
        return True
    is_broken = any(not other.agrees(right, case.exercise.alike) for _, other, right in three)
    return is_broken and any(
        is_ordinary(mine) and _is_finite(mine) and _is_finite(other) for mine, other, _ in three
    )


def is_sure_or_raises(case: Case, three: Sequence[Three]) -> bool:
    """Return whether it is sure, or the same errors on all probes are the proof."""
    return is_sure(case, three) or any(other.seen.error for _, other, _ in three)


def in_numbers(case: Case, three: Sequence[Three]) -> bool:
    """Return whether wrong numbers alone prove the mistake."""
    return _wrong_numbers(case, three) >= MANY and _is_nearer(three)


def _is_finite(one: Trial) -> bool:
    return one.view is not None and all(bool(np.isfinite(value).all()) for value in one.view)


def _wrong_numbers(case: Case, three: Sequence[Three]) -> int:
    """Count the numbers of the mistake that are finite and wrong; the answer's agree with them.

    A wrong text, or another structure, counts as one.
    """
    count = 0
    for _, other, right in three:
        tolerance = other.probe.tolerance or case.exercise.tolerance
        is_framed = other.frame == right.frame
        count += bool(other.frame) and not is_framed
        for number, value in enumerate(other.view or ()):
            wrong = np.isfinite(value)
            truth = right.view[number] if is_framed and right.view else None
            if truth is not None and truth.shape == value.shape:
                wrong = wrong & ~close(value, truth, tolerance)
            count += int(wrong.sum())
    return count


def _is_nearer(three: Sequence[Three]) -> bool:
    """Return whether the answer is much nearer to the mistake than the mistake to the truth.

    Some mistakes lie within a few digits of the truth, a small number that is added for one. An
    answer in float32 lies there too, and is none of them.
    """
    near = max(distance(mine.view, other.view) for mine, other, _ in three)
    far = max(distance(other.view, right.view) for _, other, right in three)
    return near <= far / 20 if math.isfinite(far) else True


def is_ordinary(one: Trial) -> bool:
    """Return whether a probe is neither a small case nor one with rows at their limits."""
    return not (one.probe.edge or one.probe.control)
