"""Who is in the class, and which of them a path means. Nobody is guessed."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from grading.collection.claims import Claim, letters
from grading.collection.entry import RefusedError


@dataclass(frozen=True, kw_only=True)
class Learner:
    """One learner of a roster.

    Attributes:
        id: the id in nbgrader, and the name of the folder in submitted/.
        first_name, last_name, email, lms_user_id: as nbgrader keeps them; "" where unknown.
        full_name: the name in one piece, where the LMS gives it so.
        others: further ids, by which a file can name the learner.
        number: the participant's number in a Moodle assignment.
        groups: the groups in which the learner hands in.
        handed_in: when, by the Moodle worksheet of the assignment.
    """

    id: str
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    lms_user_id: str = ""
    full_name: str = ""
    others: tuple[str, ...] = ()
    number: str = ""
    groups: tuple[str, ...] = ()
    handed_in: datetime | None = None

    def names(self) -> list[str]:
        """The name in both orders: an LMS may put the last name first."""
        both = (f"{self.first_name} {self.last_name}", f"{self.last_name} {self.first_name}")
        return [name for name in (self.full_name, *both) if name.strip()]

    def ids(self) -> list[str]:
        """Everything that only this learner is called."""
        return [one for one in (self.id, self.email, self.email.split("@")[0], *self.others) if one]


@dataclass(frozen=True)
class Roster:
    """A class.

    Attributes:
        name: the file that it was read from.
        learners: who is in it.
        id_column: the column that the ids are taken from.
        remarks: what in the file was passed over.
    """

    name: str
    learners: tuple[Learner, ...]
    id_column: str = "id"
    remarks: list[str] = field(default_factory=list)

    def whose(self, claimed: Claim) -> tuple[Learner, ...]:
        """Return the learners that a claim means: one, or a group.

        Raises:
            RefusedError: if it means nobody, or could mean several.
        """
        if claimed.number and (found := self._numbered(claimed)):
            return found
        if claimed.is_anonymous:
            raise RefusedError(
                f"the names are hidden, and {self.name} does not say who {shown(claimed)} is; "
                "show the names in the LMS, or name its worksheet of this assignment as the roster"
            )
        meant: dict[str, tuple[Learner, ...]] = {}
        for name in claimed.names:
            if found := self._named(name, claimed):
                meant.setdefault("+".join(learner.id for learner in found), found)
        if len(meant) > 1:
            several = " or ".join(meant)
            raise RefusedError(
                f"its path could mean {several}; put it into a folder of one of them"
            )
        if not meant:
            raise RefusedError(
                f"nobody in {self.name} is {shown(claimed)}; name a roster with this learner, or "
                "put the file into a folder of the learner's id"
            )
        return next(iter(meant.values()))

    def _numbered(self, claimed: Claim) -> tuple[Learner, ...]:
        """Return whom a number means, where the name agrees: a group has a number of its own."""
        is_canvas = claimed.lms == "Canvas"
        for learner in self.learners:
            number = learner.lms_user_id if is_canvas else learner.number
            if number == claimed.number and (claimed.is_anonymous or agrees(learner, claimed)):
                return (learner,)
        return ()

    def _named(self, name: str, claimed: Claim) -> tuple[Learner, ...]:
        """Return whom a name means: an id, a full name, a group."""
        if found := self._those(lambda learner: fits(name, learner.ids(), str.casefold)):
            return found if len(found) == 1 else self._refuse(name, found)
        found = self._those(lambda learner: fits(name, learner.names(), letters))
        if len(found) > 1:
            exact = self._those(lambda learner: fits(name, learner.names(), exactly))
            found = exact if len(exact) == 1 else self._refuse(name, found)
        if len(found) == 1 and claimed.number and differs(found[0], claimed):
            raise RefusedError(
                f"{shown(claimed)} has the name of {found[0].id} and another number "
                f"({number_of(found[0], claimed)}); look it up in the LMS"
            )
        return found or self._those(lambda learner: fits(name, learner.groups, letters))

    def _those(self, is_meant: Callable[[Learner], bool]) -> tuple[Learner, ...]:
        return tuple(learner for learner in self.learners if is_meant(learner))

    def _refuse(self, name: str, found: tuple[Learner, ...]) -> tuple[Learner, ...]:
        several = ", ".join(learner.id for learner in found)
        raise RefusedError(
            f"{len(found)} learners are called {name!r} ({several}); put the file into a folder of "
            "the id of one of them"
        )


def fits(name: str, names: Iterable[str], form: Callable[[str], str]) -> bool:
    """Return whether a name is one of several, in some way of writing."""
    wanted = form(name)
    return bool(wanted) and any(wanted == form(one) for one in names)


def exactly(name: str) -> str:
    """Return the letters and digits of a name, small, accents kept."""
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def agrees(learner: Learner, claimed: Claim) -> bool:
    """Return whether a part of the learner's name stands in a claim, or no name is known."""
    given = letters(claimed.names[0])
    words = [letters(word) for name in learner.names() for word in name.split()]
    return not words or any(len(word) > 1 and word in given for word in words)


def number_of(learner: Learner, claimed: Claim) -> str:
    """Return the learner's number in the LMS that the claim comes from."""
    return learner.lms_user_id if claimed.lms == "Canvas" else learner.number


def differs(learner: Learner, claimed: Claim) -> bool:
    """Return whether Canvas, whose numbers stay, knows the learner under another number."""
    known = number_of(learner, claimed)
    return claimed.lms == "Canvas" and known.isdigit() and known != claimed.number


def shown(claimed: Claim) -> str:
    """Return a claim in words."""
    names = " or ".join(repr(name) for name in claimed.names) or "nameless"
    return f"{names} (number {claimed.number})" if claimed.number else names
