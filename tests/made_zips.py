"""Zips and CSVs as Moodle, Canvas and Google write them, with invented names and given notebooks.

Made after their sources: Moodle's mod/assign/classes/downloader.php and feedback/offline, Canvas's
lib/content_zipper.rb and lib/gradebook_exporter.rb.
"""

import csv
import io
import json
import re
import struct
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from grading.notebooks import ROOT, notebook

#: When a zip is downloaded, unless a test says otherwise.
DOWNLOADED = datetime(2026, 11, 10, 12, 0, 0, tzinfo=UTC)


def worked(slug: str = "softmax", *, answers: int = 1, text: str = "x + 1") -> bytes:
    """The released notebook with some of its answers written; they need not be right."""
    nb = json.loads(notebook(ROOT / "exercises", slug).read_bytes())
    stubs = [cell for cell in nb["cells"] if "YOUR CODE HERE" in "".join(cell["source"])]
    assert answers <= len(stubs)
    for cell in stubs[:answers]:
        head = "".join(cell["source"]).split("\n")[0]
        cell["source"] = [f"{head}\n", f"    return {text}"]
    return json.dumps(nb, indent=1, ensure_ascii=False).encode()


class NamedAsIs(zipfile.ZipInfo):
    """A zip entry whose name is written as it is given, without the flag for UTF-8."""

    raw = b""

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:
        return self.raw, self.flag_bits & ~0x800


def unix_time(moment: datetime) -> bytes:
    """Info-ZIP's extra field with a time in UTC."""
    return struct.pack("<HHBi", 0x5455, 5, 1, int(moment.timestamp()))


def ntfs_time(moment: datetime) -> bytes:
    """NTFS's extra field with three times in UTC."""
    ticks = int((moment - datetime(1601, 1, 1, tzinfo=UTC)).total_seconds()) * 10_000_000
    return struct.pack("<HHIHHQQQ", 0x000A, 32, 0, 1, 24, ticks, ticks, ticks)


def unicode_path(name: str, raw: bytes) -> bytes:
    """Info-ZIP's extra field with a name in UTF-8."""
    written = name.encode()
    return struct.pack("<HHBI", 0x7075, 5 + len(written), 1, zipfile.crc32(raw)) + written


def entry(
    name: str, moment: datetime = DOWNLOADED, *, raw: bytes | None = None, extra: bytes = b""
) -> zipfile.ZipInfo:
    """A zip entry, its clock in UTC; `raw` are the bytes of its name where they are not UTF-8."""
    made = (zipfile.ZipInfo if raw is None else NamedAsIs)(name, moment.timetuple()[:6])
    if raw is not None:
        made.raw = raw
    made.extra = extra
    made.external_attr = 0o100644 << 16
    return made


def make_zip(path: Path, files: Mapping[str | zipfile.ZipInfo, bytes] | Sequence) -> Path:
    """A zip of files by name or entry."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pairs = files.items() if isinstance(files, Mapping) else files
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in pairs:
            archive.writestr(entry(name) if isinstance(name, str) else name, data)
    return path


def zipped(files: Mapping[str | zipfile.ZipInfo, bytes]) -> bytes:
    """A zip as bytes: a learner's own."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(entry(name) if isinstance(name, str) else name, data)
    return file.getvalue()


@dataclass(frozen=True)
class HandIn:
    """A learner's file in an LMS: first and last name, the LMS's number, the file."""

    first: str
    last: str
    number: int
    data: bytes
    file: str = "softmax.ipynb"
    kind: str = "file"
    is_late: bool = False


def moodle_zip(
    path: Path, hand_ins: Sequence[HandIn], *, layout: str = "folders", when: datetime = DOWNLOADED
) -> Path:
    """Moodle's "Download all submissions"; layout: folders, old folders, or flat."""
    between = {"folders": "/", "old folders": "_/", "flat": "_"}[layout]
    files = []
    for one in hand_ins:
        name = re.sub(r"[&<>\"`|':\\/]", "", f"{one.first} {one.last}".strip().replace("_", " "))
        where = f"{name}_{one.number}_assignsubmission_{one.kind}{between}{one.file}"
        files.append((entry(where, when), one.data))
    return make_zip(path, files)


def canvas_zip(
    path: Path, hand_ins: Sequence[HandIn], *, anonymous: bool = False, when: datetime = DOWNLOADED
) -> Path:
    """Canvas's "Download Submissions"."""
    files = []
    for attachment, one in enumerate(hand_ins, 7001):
        sortable = f"{one.last}, {one.first}" if one.first else one.last
        whose = ["anon", f"a{one.number}"] if anonymous else [str(one.number)]
        words = ([] if anonymous else [sortable.lower()]) + ["LATE"] * one.is_late + whose
        name = re.sub(r"[^\w]", "", "_".join(words))
        files.append((entry(f"{name}_{attachment}_{one.file}", when), one.data))
    return make_zip(path, files)


def written_csv(
    path: Path, rows: Sequence[Sequence[str]], *, separator: str = ",", encoding: str = "utf-8"
) -> Path:
    """A CSV with a separator and an encoding ("utf-8-sig" has the mark that Excel wants)."""
    file = io.StringIO()
    csv.writer(file, delimiter=separator).writerows(rows)
    path.write_bytes(file.getvalue().encode(encoding))
    return path


def worksheet(path: Path, learners: Sequence[tuple[str, str, int, str]], **how: str) -> Path:
    """Moodle's worksheet of an assignment: first and last name, number, date of the hand-in."""
    head = ["Identifier", "Full name", "ID number", "Email address", "Status", "Group", "Grade"]
    head += ["Maximum grade", "Grade can be changed", "Last modified (submission)"]
    rows = [
        [
            *(f"Participant {number}", f"{first} {last}", f"k{number}", f"k{number}@uni.example"),
            *("Submitted -", "Group of four" if number < 20 else "", "", "10.00", "Yes", date),
        ]
        for first, last, number, date in learners
    ]
    return written_csv(path, [[*head, "Feedback comments"], *rows], encoding="utf-8-sig", **how)


def canvas_gradebook(path: Path, learners: Sequence[tuple[str, str, int]], **how: str) -> Path:
    """Canvas's gradebook: first and last name, and the number."""
    head = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "softmax (4711)"]
    rows = [
        [f"{last}, {first}", str(number), f"S{number}", f"login{number}", "Section 1", "-"]
        for first, last, number in learners
    ]
    extra = ["    Points Possible", "", "", "", "", "10"], ["Student, Test", "99", "", "x", "", ""]
    return written_csv(path, [head, extra[0], *rows, extra[1]], **how)


def files_below(root: Path) -> dict[str, bytes]:
    """Every file below a folder but a gradebook."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name != "gradebook.db"
    }
