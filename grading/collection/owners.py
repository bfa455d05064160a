"""Whose the files of one source are: by the roster, or by the names that the LMS gives."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from grading.collection.claims import Claim, bare, claim, letters, safe
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
        claims = {entry: claim(entry.parts, slugs) for entry in source.entries}
        # A roster knows a learner in whatever folder.
        self.claims = claims if roster else without_wrappers(claims, source.name)

    def lms(self, entry: Entry) -> str:
        """Return the LMS whose way of naming a file's path shows, "" for none."""
        return next(one.lms for other, one in self.claims.items() if other.path == entry.path)

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
        if len(claimed.folders) > 1:
            several = " or ".join(claimed.folders)
            raise RefusedError(f"its path could mean {several}; collect it with a roster")
        names = claimed.folders or claimed.names
        name = names[0] if names else ""
        if not safe(name):
            raise RefusedError(WHOSE)
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


def without_wrappers(claims: dict[Entry, Claim], source: str) -> dict[Entry, Claim]:
    """Return claims without the folders that hold the notebooks of all learners."""
    plain = {entry: one for entry, one in claims.items() if entry.is_notebook and not one.lms}
    while plain and is_wrapper(plain, source):
        plain = {
            entry: replace(one, folders=one.folders[1:], names=one.names[1:])
            for entry, one in plain.items()
        }
    return claims | plain


def is_wrapper(claims: dict[Entry, Claim], source: str) -> bool:
    """Return whether the folder in which all notebooks lie is no learner.

    It holds learners; or it is the zip's own; or it holds one file's name several times, as Google
    hands out what learners uploaded.
    """
    firsts = {one.folders[:1] for one in claims.values()}
    if len(firsts) > 1 or () in firsts:
        return False
    seconds = {one.folders[1:2] for one in claims.values()}
    names = [bare(entry.parts[-1]) for entry in claims]
    is_of_zip = letters(source).startswith(letters(firsts.pop()[0]))
    has_copies = len(set(names)) < len(names)
    holds_learners = () not in seconds and len(seconds) > 1
    return is_of_zip or holds_learners or (has_copies and seconds == {()})
