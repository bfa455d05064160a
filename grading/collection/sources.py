"""The zips and folders that were named, file by file, with learners' own zips in them."""

import io
import os
import re
import unicodedata
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import IO

from grading.collection.archives import LINK, members, require_size
from grading.collection.entry import ARCHIVE, Entry, Limits, Refused, RefusedError
from grading.collection.times import Zone, file_time

#: Google Drive cuts a download into parts: softmax-20261103T120000Z-001.zip, then 002, or -1-001.
DRIVE_PART = re.compile(r"(-\d{8}T\d{6}Z)(-\d+)?-\d+(?=\.zip$)", re.IGNORECASE)
OTHER_ARCHIVE = re.compile(r"\.(rar|7z|tar\.(xz|bz2)|txz|tbz2)$", re.IGNORECASE)
ANOTHER_KIND = "archives of this kind are not read; unpack it into a folder of that name"
NOTHING = "it holds no file of a learner's own; ask for the .ipynb"
TOO_DEEP = "it is a zip in a zip in a zip; unpack it into a folder of that name"


@dataclass
class Source:
    """What one zip or folder held; the parts of one download are one source.

    Attributes:
        name: the zip or folder, as it was named.
        entries: its files.
        refused: what was not read, and why.
    """

    name: str
    entries: list[Entry] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)


class Reader:
    """Reads sources; the archives stay open as long as it is.

    Args:
        zone: in which zone a time without one is read.
        limits: how much is read.
    """

    def __init__(self, zone: Zone, limits: Limits | None = None) -> None:
        self.zone = zone
        self.limits = limits or Limits()
        self.opened = ExitStack()

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *_: object) -> None:
        self.opened.close()

    def read(self, paths: list[Path]) -> list[Source]:
        """Return what lies in zips and folders."""
        sources: dict[str, Source] = {}
        names = [path.resolve().name for path in paths]
        for path, name in zip(paths, names, strict=True):
            shown = name if names.count(name) == 1 else str(path)
            source = sources.setdefault(DRIVE_PART.sub(r"\1", str(path)), Source(shown))
            if path.is_dir():
                self._folder(path, shown, source)
            else:
                file = self.opened.enter_context(path.open("rb"))
                self._archive(file, path.name, Outer(shown, "", file_time(path)), source)
        return list(sources.values())

    def _folder(self, folder: Path, shown: str, source: Source) -> None:
        for path in files_in(folder):
            name = unicodedata.normalize("NFC", path.relative_to(folder).as_posix())
            if path.is_symlink():
                source.refused.append(Refused(f"{shown}: {name}", LINK))
                continue
            moment = file_time(path)
            entry = Entry(
                source=shown,
                path=name,
                moment=moment,
                saved=moment,
                is_from_archive=False,
                read=partial(read_file, path, self.limits),
            )
            if entry.is_litter:
                continue
            if ARCHIVE.search(name):
                file = self.opened.enter_context(path.open("rb"))
                self._archive(file, name, Outer(shown, f"{name}/", moment), source)
            else:
                add(entry, source)

    def _archive(self, file: IO[bytes], name: str, outer: "Outer", source: Source) -> None:
        """Add the files of an archive."""
        total = 0
        try:
            for member in members(name, file, self.zone, self.limits):
                entry = Entry(
                    source=outer.source,
                    path=outer.prefix + member.path,
                    moment=outer.handed_in or member.moment or outer.moment,
                    saved=member.moment or outer.moment,
                    is_from_archive=True,
                    read=member.read,
                )
                total += member.size if entry.is_notebook else 0
                if total > self.limits.total:
                    raise RefusedError(f"its notebooks hold more than {self.limits.total} bytes")
                if entry.is_litter:
                    continue
                if member.refusal:
                    source.refused.append(Refused(where(entry), member.refusal))
                elif ARCHIVE.search(entry.path):
                    self._inner(entry, outer, source)
                else:
                    add(entry, source)
        except RefusedError as error:
            place = f"{outer.source}: {outer.prefix.rstrip('/')}".removesuffix(": ")
            source.refused.append(Refused(place, str(error)))

    def _inner(self, entry: Entry, outer: "Outer", source: Source) -> None:
        """Add the files of an archive in an archive: what was handed in is the archive."""
        if outer.handed_in is not None:
            source.refused.append(Refused(where(entry), TOO_DEEP))
            return
        try:
            file = io.BytesIO(entry.read())
        except RefusedError as error:
            source.refused.append(Refused(where(entry), str(error)))
            return
        inner = Outer(entry.source, f"{entry.path}/", entry.saved, entry.moment)
        before = len(source.entries) + len(source.refused)
        self._archive(file, entry.path, inner, source)
        if len(source.entries) + len(source.refused) == before:
            source.refused.append(Refused(where(entry), NOTHING))


@dataclass(frozen=True)
class Outer:
    """Around an archive: the source, the path in it, its time, and the time of the hand-in."""

    source: str
    prefix: str
    moment: datetime
    handed_in: datetime | None = None


def where(entry: Entry) -> str:
    """Return where a file was found."""
    return f"{entry.source}: {entry.path}"


def add(entry: Entry, source: Source) -> None:
    """Add a file to its source, or say that it is an archive of another kind."""
    if OTHER_ARCHIVE.search(entry.path):
        source.refused.append(Refused(where(entry), ANOTHER_KIND))
    else:
        source.entries.append(entry)


def files_in(folder: Path) -> Iterator[Path]:
    """Yield the files and links below a folder, in order; no link is followed."""
    for place, folders, files in os.walk(folder):
        folders.sort()
        links = [name for name in folders if (Path(place) / name).is_symlink()]
        for name in sorted([*files, *links]):
            yield Path(place) / name


def read_file(path: Path, limits: Limits) -> bytes:
    """Return the bytes of a file.

    Raises:
        RefusedError: if it is too long or cannot be read.
    """
    require_size(path.stat().st_size, limits)
    try:
        return path.read_bytes()
    except OSError as error:
        raise RefusedError(f"it cannot be read ({error.strerror})") from error
