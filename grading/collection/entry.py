"""A file as it was found in a zip, a tar or a folder, and what was refused there."""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from grading.doctor.reading import LARGEST

#: A browser that does not know notebooks saves them as softmax.ipynb.txt or softmax.ipynb.json.
NOTEBOOK = re.compile(r"\.ipynb(\.txt|\.json)?$", re.IGNORECASE)
ARCHIVE = re.compile(r"\.(zip|tar|tgz|tar\.gz)$", re.IGNORECASE)
#: What systems and Jupyter put beside a learner's files.
LITTER = re.compile(
    r"(^|/)(__MACOSX|\.ipynb_checkpoints)/|(^|/)(\._[^/]*|\.DS_Store|Thumbs\.db|desktop\.ini)$",
    re.IGNORECASE,
)


class RefusedError(Exception):
    """A file is not read. The text is the reason and what to do."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much is read, so that an archive of a few kilobytes cannot fill the memory.

    Attributes:
        file: bytes of one notebook, or of one archive inside another.
        total: bytes of all notebooks of an archive, when unpacked.
        files: how many files an archive may hold.
    """

    file: int = LARGEST
    total: int = 8 * 2**30
    files: int = 100_000


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One file.

    Attributes:
        source: the zip or folder as it was named.
        path: where the file lies in it, with "/"; an archive on the way counts as a folder.
        moment: when it was handed in, as far as the source knows, in UTC.
        saved: when it was saved, which tells copies of one hand-in apart.
        is_from_archive: whether the time is what an archive says, which can be its own.
        read: returns its bytes, or raises RefusedError.
    """

    source: str
    path: str
    moment: datetime
    saved: datetime
    is_from_archive: bool
    read: Callable[[], bytes]

    @property
    def parts(self) -> tuple[str, ...]:
        """The folders on the way, and the file's name."""
        return tuple(self.path.split("/"))

    @property
    def folder(self) -> str:
        """The folder in which it lies."""
        return self.path.rpartition("/")[0]

    @property
    def is_notebook(self) -> bool:
        """Whether the name is that of a notebook."""
        return bool(NOTEBOOK.search(self.path))

    @property
    def is_litter(self) -> bool:
        """Whether a system or an editor put it there."""
        return bool(LITTER.search(self.path))


@dataclass(frozen=True)
class Refused:
    """What is not placed: where it lies, and why."""

    where: str
    why: str


def plain_path(name: str) -> str:
    """Return a path of an archive with "/" and composed letters.

    Raises:
        RefusedError: if it leads out of the archive.
    """
    path = unicodedata.normalize("NFC", name.replace("\\", "/"))
    if path.startswith("/") or re.match(r"[A-Za-z]:/", path):
        raise RefusedError("it is an absolute path, which no LMS writes; look at who made the zip")
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise RefusedError('its path leads upwards (".."); look at who made the zip')
    return "/".join(parts)
