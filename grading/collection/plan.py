"""What a collection does, decided before anything is written; a dry run shows the same."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from grading.collection.assignments import Assignment
from grading.collection.entry import Refused
from grading.collection.places import Held, Place, digest, finish_all
from grading.collection.sorting import HandIn, Sorted
from grading.collection.sources import where
from grading.collection.times import is_ahead
from grading.doctor.choosing import choice_of, rank
from grading.doctor.errors import UngradableError
from grading.doctor.released import Released

#: The states of what is written.
PLACED = ("new", "resubmission")
#: Between a blank notebook and any with work.
UNREADABLE = (0.5, 0)
#: Why it cannot be told which of two notebooks is the later one.
UNTOLD = {
    "same time": "{} has another notebook of the very same time, so which is the later one cannot "
    "be told; move that folder away to take this one, or get the worksheet or zip once more",
    "behind one from the future": "the time of what lies in {} is in the future, so which is the "
    "later one cannot be told; write the right time into its timestamp.txt, and collect again",
}


@dataclass(frozen=True)
class Row:
    """One notebook and what becomes of it.

    Attributes:
        hand_in: the notebook, its learner, assignment and time.
        state: "new", "resubmission", "unchanged" or "older".
        moment: when it was handed in; of an unchanged one, as it stands in submitted/.
        remark: what else is to be known.
    """

    hand_in: HandIn
    state: str
    moment: datetime
    remark: str = ""


@dataclass
class Plan:
    """What becomes of everything that was found."""

    rows: list[Row] = field(default_factory=list)
    unplaced: list[Refused] = field(default_factory=list)
    left_out: list[Refused] = field(default_factory=list)


def planned(found: Sorted, known: Mapping[str, Assignment], course: Path) -> Plan:
    """Return what becomes of each hand-in, given what lies in submitted/.

    Args:
        found: what the sources hold.
        known: the assignments.
        course: the course directory.
    """
    plan = Plan(unplaced=list(found.unplaced), left_out=list(found.left_out))
    chosen = [one for group in found.hand_ins for one in choices(group, known, plan)]
    held: dict[tuple[str, str], Held | None] = {}
    for one, remark in sorted(chosen, key=lambda pair: (pair[0].moment, pair[0].learner)):
        key = (one.learner, one.slug)
        if key not in held:
            held[key] = Place(course, *key).held()
        new = digest(one.entry.read())
        state = state_of(one, new, held[key])
        if state in UNTOLD:
            why = UNTOLD[state].format(f"submitted/{one.learner}/{one.slug}")
            plan.unplaced.append(Refused(where(one.entry), why))
            continue
        before = held[key]
        moment = before.moment if before and state == "unchanged" else one.moment
        if state in PLACED:
            held[key] = Held(frozenset([new]), one.moment)
        plan.rows.append(Row(one, state, moment, remark))
    plan.rows.sort(key=lambda row: (row.hand_in.slug, row.hand_in.learner, row.hand_in.moment))
    return plan


def state_of(one: HandIn, new: str, held: Held | None) -> str:
    """Return what a notebook is beside the one that is there."""
    if held is None:
        return "new"
    if new in held.digests:
        return "unchanged"
    # timestamp.txt has whole seconds.
    seconds, before = int(one.moment.timestamp()), int(held.moment.timestamp())
    if seconds == before:
        return "same time"
    if seconds > before:
        return "resubmission"
    return "behind one from the future" if is_ahead(held.moment) else "older"


def choices(
    hand_ins: list[HandIn], known: Mapping[str, Assignment], plan: Plan
) -> list[tuple[HandIn, str]]:
    """Return one notebook for each learner and assignment of a source, and what to know of it."""
    groups: dict[tuple[str, str], list[HandIn]] = defaultdict(list)
    for one in hand_ins:
        groups[one.learner, one.slug].append(one)
    return [best(group, known[slug].released, plan) for (_, slug), group in groups.items()]


def best(group: list[HandIn], released: Released, plan: Plan) -> tuple[HandIn, str]:
    """Return the notebook with the most work of the learner's own; of equal ones, the latest.

    One that cannot be read comes before a blank one: it may be the one with the work.
    """
    ranks = {one: work(one.entry.read(), released) for one in group}
    taken = max(group, key=lambda one: (ranks[one], one.entry.saved))
    remark = "it cannot be read as a notebook" if ranks[taken] == UNREADABLE else ""
    if ranks[taken][0] == 0:
        remark = "nothing of the learner's own is in it"
    for one in group:
        if one is taken:
            continue
        is_tie = ranks[one] == ranks[taken] and one.entry.read() != taken.entry.read()
        if is_tie:
            remark = f"as much work is in {one.entry.parts[-1]}; the one saved last was taken"
        plan.left_out.append(
            Refused(where(one.entry), f"{one.learner}'s work is taken from {taken.entry.path}")
        )
    return taken, remark


def work(data: bytes, released: Released) -> tuple[float, int]:
    """Return how much of the learner's own a notebook holds, and how many released cells."""
    try:
        return rank(choice_of("", data, released).nb, released)
    except UngradableError:
        return UNREADABLE


def carry_out(plan: Plan, course: Path) -> None:
    """Finish what a killed run left, and place what is new, the earliest first."""
    finish_all(course)
    for row in sorted(plan.rows, key=lambda row: row.hand_in.moment):
        if row.state in PLACED:
            place = Place(course, row.hand_in.learner, row.hand_in.slug)
            place.put(row.hand_in.entry.read(), row.hand_in.moment)
