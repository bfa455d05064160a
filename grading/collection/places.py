"""submitted/ in a course directory: what a learner has there, and how something newer replaces it.

A notebook is replaced in one step, so a run killed at any moment leaves the old one or the new. Its
time goes first and comes last: between the two there is none, never a wrong one, and the next run
writes it. The time of a notebook's file is that of its hand-in, too.
"""

import hashlib
import os
import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from grading.collection.times import STAMP, file_time, read_stamp

#: Where what was replaced is kept, beside submitted/ and ignored by git.
EARLIER = "earlier"
#: The time of a notebook that is just being replaced.
OLD_STAMP = "replaced.txt"


def digest(data: bytes) -> str:
    """Return a hash of a notebook's bytes."""
    return hashlib.sha256(data).hexdigest()


@dataclass(frozen=True)
class Held:
    """What a learner has in submitted/.

    Attributes:
        digests: a hash of each notebook.
        moment: when it was handed in.
    """

    digests: frozenset[str]
    moment: datetime


class Place:
    """Where one learner's notebook of one assignment lies.

    Args:
        course: the course directory.
        learner: the id.
        slug: the assignment.
    """

    def __init__(self, course: Path, learner: str, slug: str) -> None:
        self.folder = course / "submitted" / learner / slug
        self.notebook = self.folder / f"{slug}.ipynb"
        self.stamp = self.folder / "timestamp.txt"
        self.unfinished = self.folder.with_name(f".{slug}.unfinished")
        self.earlier = course / EARLIER / learner / slug

    def held(self) -> Held | None:
        """Return what lies there; None where there is no notebook."""
        notebooks = self._notebooks()
        if not notebooks:
            return None
        stamped = None
        if self.stamp.is_file():
            stamped = read_stamp(self.stamp.read_text(encoding="utf-8", errors="replace"))
        saved = max(file_time(path) for path in notebooks)
        digests = frozenset(digest(path.read_bytes()) for path in notebooks)
        return Held(digests, stamped or saved)

    def put(self, data: bytes, moment: datetime) -> None:
        """Place a notebook where there is none, or replace and keep what is there."""
        self.finish()
        self.unfinished.mkdir(parents=True)
        new, stamp = self.unfinished / self.notebook.name, self.unfinished / self.stamp.name
        new.write_bytes(data)
        os.utime(new, (moment.timestamp(), moment.timestamp()))
        stamp.write_text(f"{moment:{STAMP}}\n", encoding="utf-8")
        if not self.folder.exists():
            os.replace(self.unfinished, self.folder)
            return
        self._keep()
        for other in self._notebooks():
            if other != self.notebook:
                other.unlink()
        if self.stamp.exists():
            os.replace(self.stamp, self.unfinished / OLD_STAMP)
        os.replace(new, self.notebook)
        self.finish()

    def finish(self) -> None:
        """Bring what a killed run left to its end, or back."""
        if not self.unfinished.is_dir():
            return
        is_replaced = not (self.unfinished / self.notebook.name).exists()
        stamp = self.unfinished / (self.stamp.name if is_replaced else OLD_STAMP)
        if stamp.exists() and self.notebook.exists():
            os.replace(stamp, self.stamp)
        shutil.rmtree(self.unfinished)

    def _notebooks(self) -> list[Path]:
        return sorted(self.folder.glob("*.ipynb"))

    def _keep(self) -> None:
        """Copy what is there to earlier/, once."""
        held = self.held()
        if held is None:
            return
        name = f"{held.moment:%Y-%m-%d-%H%M%S}-{min(held.digests)[:8]}"
        kept, unfinished = self.earlier / name, self.earlier / f".{name}.unfinished"
        if kept.exists():
            return
        if unfinished.exists():
            shutil.rmtree(unfinished)
        self.earlier.mkdir(parents=True, exist_ok=True)
        shutil.copytree(self.folder, unfinished)
        os.replace(unfinished, kept)


def finish_all(course: Path) -> None:
    """Finish whatever a killed run left in submitted/."""
    for unfinished in sorted((course / "submitted").glob("*/.*.unfinished")):
        slug = unfinished.name.removeprefix(".").removesuffix(".unfinished")
        Place(course, unfinished.parent.name, slug).finish()
