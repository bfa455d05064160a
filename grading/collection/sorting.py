"""Each notebook that was found: whose it is, and of which assignment."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from grading.collection.assignments import Assignment, is_notebook, slug_by_name, slug_of
from grading.collection.entry import ARCHIVE, Entry, Refused, RefusedError
from grading.collection.owners import Owners
from grading.collection.roster import Learner, Roster
from grading.collection.sources import Source, where
from grading.collection.times import read_stamp
from grading.doctor.reading import decoded

SEVERAL = "collect it with a roster, or name the folder in which each learner has one"
ALONE = "it is no notebook, and {} handed in nothing else here; ask for the .ipynb"


@dataclass(frozen=True)
class HandIn:
    """A notebook whose learner and assignment are known.

    Attributes:
        learner: the id.
        slug: the assignment.
        entry: the file.
        moment: when it was handed in, as far as LMS and roster know.
        is_download: whether that is when an LMS made its zip, the only time that it tells.
    """

    learner: str
    slug: str
    entry: Entry
    moment: datetime
    is_download: bool


@dataclass
class Sorted:
    """What the sources hold: hand-ins by source, what cannot be placed, and what is no notebook."""

    hand_ins: list[list[HandIn]] = field(default_factory=list)
    unplaced: list[Refused] = field(default_factory=list)
    left_out: list[Refused] = field(default_factory=list)

    def refuse(self, entry: Entry, why: str) -> None:
        """Note that a file cannot be placed."""
        self.unplaced.append(Refused(where(entry), why))


class Sorter:
    """Sorts files by learner and assignment.

    Args:
        known: the assignments.
        roster: the class; None takes each id from the path.
        slug: the one assignment that is collected; "" takes each notebook's own.
    """

    def __init__(self, known: Mapping[str, Assignment], roster: Roster | None, slug: str) -> None:
        self.known = known
        self.roster = roster
        self.slug = slug

    def sort(self, sources: list[Source]) -> Sorted:
        """Return what the sources hold."""
        found = Sorted()
        for source in sources:
            found.unplaced += source.refused
            owners = Owners(source, self.known, self.roster)
            stamps = stamped(source)
            hand_ins: list[HandIn] = []
            for entry, slug in self._slugs(source, found).items():
                try:
                    lms = owners.lms(entry)
                    dated = replace(entry, moment=stamps.get(entry.folder, entry.moment))
                    dated = entry if lms else dated
                    hand_ins += [hand_in(one, slug, dated, lms) for one in owners.of(entry)]
                except RefusedError as refusal:
                    found.refuse(entry, str(refusal))
            if self.roster is None:
                hand_ins = apart(hand_ins, owners, found)
            found.hand_ins.append(with_kind_of_time(hand_ins))
            self._no_notebooks(source, owners, found)
            if not source.entries and not source.refused:
                found.unplaced.append(Refused(source.name, "it holds no file"))
        return found

    def _slugs(self, source: Source, found: Sorted) -> dict[Entry, str]:
        """Return each notebook's assignment; of damaged ones by their name or their neighbours."""
        slugs: dict[Entry, str] = {}
        for entry in source.entries:
            try:
                if entry.is_notebook:
                    slugs[entry] = self._slug(entry)
            except RefusedError as refusal:
                found.refuse(entry, str(refusal))
        around = set(slugs.values()) - {""}
        for entry in [entry for entry, slug in slugs.items() if not slug]:
            named = slug_by_name(entry.path, self.known) or slug_by_name(source.name, self.known)
            slugs[entry] = named or (around.pop() if len(around) == 1 else "")
            if not slugs[entry]:
                del slugs[entry]
                found.refuse(entry, "it is damaged; say of which assignment with --assignment")
        return slugs

    def _slug(self, entry: Entry) -> str:
        """Return the assignment of a notebook; "" where it is damaged beyond telling.

        Raises:
            RefusedError: if it is another assignment's than asked for, or none's.
        """
        data = entry.read()
        try:
            slug = slug_of(data, self.known)
        except RefusedError:
            if not self.slug:
                raise
            slug = self.slug
        if slug and self.slug not in ("", slug):
            raise RefusedError(
                f"it holds tasks of {slug} and not of {self.slug}; collect it without --assignment"
            )
        if not slug and is_notebook(data):
            asked = self.slug or ", ".join(self.known)
            raise RefusedError(f"it holds no task of {asked}; ask for the right notebook")
        return slug or self.slug

    def _no_notebooks(self, source: Source, owners: Owners, found: Sorted) -> None:
        """Note what is no notebook: beside one it is left out, alone it is not placed."""
        served = {owners.claims[entry] for entry in source.entries if entry.is_notebook}
        learners = [one for hand_ins in found.hand_ins[-1:] for one in hand_ins]
        ids = {one.learner for one in learners}
        for entry in source.entries:
            if entry.is_notebook or entry.path.endswith("timestamp.txt"):
                continue
            claimed = owners.claims[entry]
            try:
                whose = (
                    {one.id for one in owners.of(entry)} if self.roster or claimed.lms else set()
                )
            except RefusedError:
                whose = set(claimed.names[:1]) if claimed.lms else set()
            if whose and not whose & ids and claimed not in served:
                found.refuse(entry, ALONE.format(" and ".join(sorted(whose))))
            else:
                found.left_out.append(Refused(where(entry), "no notebook"))


def apart(hand_ins: list[HandIn], owners: Owners, found: Sorted) -> list[HandIn]:
    """Return hand-ins without those that one name gives to one learner from several folders.

    An LMS says whose they are; a folder of folders may hold as many learners.
    """
    folders: dict[tuple[str, str], set[str]] = {}
    for one in hand_ins:
        folders.setdefault((one.learner, one.slug), set()).add(one.entry.folder)
    mixed = [
        one
        for one in hand_ins
        if len(folders[one.learner, one.slug]) > 1 and not owners.lms(one.entry)
    ]
    for one in mixed:
        found.refuse(one.entry, f"{one.learner} has several folders with {one.slug}; {SEVERAL}")
    return [one for one in hand_ins if one not in mixed]


def stamped(source: Source) -> dict[str, datetime]:
    """Return the times that nbgrader's timestamp.txt give to the notebooks beside them, by folder.

    One in a learner's own zip says what the learner likes.
    """
    stamps = {}
    for entry in source.entries:
        if entry.parts[-1] == "timestamp.txt" and not any(map(ARCHIVE.search, entry.parts)):
            with suppress(RefusedError):
                stamps[entry.folder] = read_stamp(decoded(entry.read())[0])
    return {folder: moment for folder, moment in stamps.items() if moment is not None}


def hand_in(learner: Learner, slug: str, entry: Entry, lms: str) -> HandIn:
    """Return a learner's hand-in, with the time that the worksheet of this assignment gives.

    A later one would be that of a hand-in which this zip does not hold yet.
    """
    dated = learner.handed_in if lms == "Moodle" else None
    if dated is None or dated > entry.moment:
        return HandIn(learner.id, slug, entry, entry.moment, lms != "" and entry.is_from_archive)
    return HandIn(learner.id, slug, entry, dated, False)


def with_kind_of_time(hand_ins: list[HandIn]) -> list[HandIn]:
    """Return hand-ins, as dated where the times of a zip lie apart: a download takes minutes."""
    moments = [one.moment for one in hand_ins if one.is_download]
    if not moments or max(moments) - min(moments) < timedelta(hours=1):
        return hand_ins
    return [replace(one, is_download=False) for one in hand_ins]
