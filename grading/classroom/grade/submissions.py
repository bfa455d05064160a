"""What was handed in: by whom, for which assignment, which files, and when."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from grading.jobs import digest

#: Where nbgrader reads when a submission was handed in.
TIMESTAMP = "timestamp.txt"

#: A learner's id and an assignment's name.
Pair = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Submission:
    """One learner's folder for one assignment.

    Attributes:
        learner: the id, in Unicode's composed form (NFC).
        slug: the assignment.
        folder: where the files lie.
    """

    learner: str
    slug: str
    folder: Path

    @property
    def pair(self) -> Pair:
        """Return what names this submission everywhere else."""
        return self.learner, self.slug


def visible(folder: Path) -> list[Path]:
    """Return what lies in a folder, without what programs hide there (.DS_Store, checkpoints)."""
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def submissions(course: Path) -> tuple[list[Submission], list[str]]:
    """Return what was handed in, and in a sentence each what lies where no submission is."""
    found, unplaced = [], []
    submitted = course / "submitted"
    for person in visible(submitted) if submitted.is_dir() else []:
        learner = composed(person)
        if learner is None:
            unplaced.append(f"submitted/{person.name}: another folder has the same name.")
        elif not (home := person.with_name(learner)).is_dir():
            unplaced.append(f"submitted/{learner} lies in no learner's folder.")
        else:
            for folder in visible(home):
                if folder.is_dir():
                    found.append(Submission(learner=learner, slug=folder.name, folder=folder))
                else:
                    unplaced.append(f"submitted/{learner}/{folder.name} lies in no assignment.")
    return found, unplaced


def composed(path: Path) -> str | None:
    """Return a learner's id in composed form, its folder renamed to it; None if that is taken.

    macOS writes é as two characters and a roster as one: nbgrader would enter two learners.
    """
    name = unicodedata.normalize("NFC", path.name)
    if name != path.name:
        target = path.with_name(name)
        if target.exists() and not target.samefile(path):
            return None
        path.rename(target)
    return name


def files(folder: Path) -> Iterator[Path]:
    """Yield the files of a submission in order; links are not followed."""
    for path in visible(folder):
        if path.is_symlink():
            continue
        if path.is_dir():
            yield from files(path)
        elif path.is_file():
            yield path


def content_digest(folder: Path) -> str:
    """Return a hash of the names and contents of a submission's files."""
    parts = ((path.relative_to(folder).as_posix(), path.read_bytes()) for path in files(folder))
    return digest(part for pair in parts for part in pair)


def copy_files(folder: Path, target: Path) -> None:
    """Copy a submission's files; nothing that they point to comes along."""
    for path in files(folder):
        copy = target / path.relative_to(folder)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())


def in_words(moment: datetime | None) -> str:
    """Return a time of the gradebook, which has no zone and means UTC, as it is shown."""
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC" if moment else ""


def handed_in_at(folder: Path) -> str:
    """Return when a submission was handed in, as it is shown; "" where nobody says.

    Raises:
        ValueError: if timestamp.txt holds something else.
    """
    from nbgrader.utils import parse_utc

    path = folder / TIMESTAMP
    text = path.read_text(encoding="utf-8-sig", errors="replace").strip() if path.is_file() else ""
    # nbgrader takes " +0100" for a hundred seconds; without the space it is an hour.
    text = re.sub(r" ([+-]\d\d):?(\d\d)$", r"\1:\2", text)
    return in_words(parse_utc(text)) if text else ""
