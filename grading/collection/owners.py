"""Whose the files of one source are: by the roster, or by the names that the LMS gives."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from grading.collection.claims import Claim, bare, claim, safe
from grading.collection.entry import Entry, RefusedError
from grading.collection.roster import Learner, Roster
from grading.collection.sources import Source

WHOSE = (
    "nothing in its path says whose it is; put it into a folder of the learner's id, or collect it "
    "with a roster"
)


class Owners:
    """The learners of one source.

    Args:
        source: what was found.
        slugs: the assignments, whose names are no learner's.
        roster: the class; None takes each id from the path.
    """

    def __init__(self, source: Source, slugs: Iterable[str], roster: Roster | None) -> None:
        self.source = source.name
        self.roster = roster
        self.claims = without_wrappers(
            {entry: claim(entry.parts, slugs) for entry in source.entries}
        )

    def of(self, entry: Entry) -> tuple[Learner, ...]:
        """Return whose a file is: one learner, or the members of a group.

        Raises:
            RefusedError: if nobody's, or it could be that of several.
        """
        claimed = self.claims[entry]
        if self.roster is None:
            return (Learner(id=self._id(claimed)),)
        if not claimed.lms:
            # A zip of one learner can bear the learner's name.
            claimed = replace(claimed, names=(*claimed.names, bare(Path(self.source).name)))
        return self.roster.whose(claimed)

    def _id(self, claimed: Claim) -> str:
        """Return an id made of the name that the LMS gives.

        A number of Canvas stays a learner's own, one of Moodle is another in each assignment.

        Raises:
            RefusedError: if there is no name, or two learners bear it.
        """
        if not claimed.names:
            raise RefusedError(WHOSE)
        name = claimed.names[0]
        if claimed.lms != "Moodle":
            return safe(f"{name}-{claimed.number}" if claimed.number else name)
        others = [one for one in self.claims.values() if one.lms == "Moodle"]
        numbers = {one.number for one in others if one.names == claimed.names}
        if claimed.is_anonymous or (
            len(numbers) > 1 and {one.names for one in others} == {(name,)}
        ):
            return safe(f"{name}-{claimed.number}")
        if len(numbers) > 1:
            raise RefusedError(
                f"{len(numbers)} learners are called {name!r} ({', '.join(sorted(numbers))}); name "
                "Moodle's worksheet of this assignment as the roster"
            )
        return safe(name)


def without_wrappers(claims: dict[Entry, Claim]) -> dict[Entry, Claim]:
    """Return claims without the folders that hold the notebooks of all learners."""
    plain = {entry: one for entry, one in claims.items() if entry.is_notebook and not one.lms}
    while len({one.names[:1] for one in plain.values()}) == 1:
        seconds = {one.names[1:2] for one in plain.values()}
        if len(seconds) < 2 or () in seconds:
            break
        plain = {entry: replace(one, names=one.names[1:]) for entry, one in plain.items()}
    return claims | plain
