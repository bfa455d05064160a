"""Which known mistake does this behaviour match?"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from grading.exercise import Misconception
from grading.observation.values import numbers
from grading.verdict.case import Case, Trial, quiet
from grading.verdict.compare import same
from grading.verdict.finding import Finding
from grading.verdict.late_rules import draws, gradients
from grading.verdict.likeness import (
    Pairs,
    behaves_like,
    in_numbers,
    is_ordinary,
    is_sure,
    is_sure_or_raises,
    two_behave_like,
)

__all__ = ["diagnose"]

#: The mistakes that an answer surely makes: one, or two at once; or none.
Found = tuple[Misconception, ...]


def diagnose(
    case: Case, finding: Finding, seen: Sequence[Trial], truth: Sequence[Trial]
) -> tuple[Misconception, ...]:
    """Return the misconception that behaves like the answer, or two that do together, or none.

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
    return tuple([mistake for mistake in known if matches[finding.stage](mistake)][:1])


def _by_values(case: Case, known: Sequence[Misconception], pairs: Pairs) -> Found:
    """Look for the same behaviour everywhere, of one mistake, of a family, of two; then on fewer.

    Who behaves like one mistake has made one, whatever two may do. A family need not say what its
    answers do at the limits; a product says it, and so the family's mistake may get a second one.
    """
    alike = [
        one for one in known if behaves_like(case, one, _telling(case, pairs), is_sure_or_raises)
    ]
    if alike:
        return _the_only(alike)
    family = _the_only(one for one in known if _is_of_family(one, pairs))
    if case.exercise.judge is not None:
        return family
    codes = {one.code: one for one in known}
    two = two_behave_like(case, codes, pairs, is_sure)
    if family:
        two = [codes_of_two for codes_of_two in two if family[0].code in codes_of_two]
    if len(two) == 1:
        return tuple(codes[code] for code in two[0])
    return family or (_on_fewer(case, known, pairs) if not two else ())


def _telling(case: Case, pairs: Pairs) -> Pairs:
    """Leave out a measure's last probe: it draws so little that two seeds give two numbers."""
    last = case.exercise.probes[-1].name
    return [one for one in pairs if case.exercise.noise is None or one[0].probe.name != last]


def _on_fewer(case: Case, known: Sequence[Misconception], pairs: Pairs) -> Found:
    """Look for the same behaviour on fewer probes, where a second fault covers the first.

    Unknown faults do so at the limits, and where a mask is given. So those probes are tried on
    which nothing optional is given, then all ordinary ones, then the first alone. On ordinary ones
    NaN and errors prove nothing: only wrong numbers do.
    """
    ordinary = [pair for pair in pairs if is_ordinary(pair[0])]
    bare = [pair for pair in pairs if _left_out(pair[0]) == _left_out(pairs[0][0])]
    fewer = [(bare, is_sure)] if len(bare) > 1 else []
    for few, proof in (*fewer, (ordinary, in_numbers), (ordinary[:1], in_numbers)):
        found = _the_only(one for one in known if few and behaves_like(case, one, few, proof))
        if found:
            return found
    return ()


def _the_only(found: Iterable[Misconception]) -> Found:
    """Return the mistake that was found; of two nobody knows which one was made."""
    every = tuple(found)
    return every if len(every) == 1 else ()


def _left_out(one: Trial) -> list[str]:
    return [name for name, value in one.inputs.items() if numbers(value) is None]


def _is_of_family(mistake: Misconception, pairs: Pairs) -> bool:
    if mistake.recognise is None:
        return False
    seen, truth = ({one.probe.name: one.seen.error or one.view for one in ones}
                   for ones in zip(*pairs, strict=True))  # fmt: skip
    with quiet():
        return mistake.recognise(seen, truth)


def _same_gradients(case: Case, mistake: Misconception, finding: Finding) -> bool:
    return any(
        _are_same(case, finding, (mistake.code, number)) for number in range(1 + len(mistake.also))
    )


def _are_same(case: Case, finding: Finding, who: tuple[str, int]) -> bool:
    pairs = list(zip(finding.gradients, gradients(case, who), strict=True))
    is_alike = all(b is not None and same(a, b, case.exercise.alike) for a, b in pairs)
    return is_alike and any(all(np.isfinite(one).all() for one in a) for a, _ in pairs)


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
    """Return whether the mistake's numbers change and spread with the seeds as these do."""
    mine, theirs = finding.draws, draws(case, (mistake.code, 0))
    if mine is None or (mine.repeats, mine.varies) != (theirs.repeats, theirs.varies):
        return False
    return mine.spread == theirs.spread
