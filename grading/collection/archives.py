"""What lies in a zip or a tar: read, and never unpacked to the disk."""

import gzip
import io
import stat
import tarfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from lzma import LZMAError
from typing import IO
from zipfile import BadZipFile, ZipFile, ZipInfo

from grading.collection.entry import Limits, RefusedError, plain_path
from grading.collection.times import Zone, extra_fields, zip_time

UTF8_FLAG, ENCRYPTED_FLAG, UNICODE_PATH = 0x800, 0x1, 0x7075
BROKEN = (BadZipFile, tarfile.TarError, zlib.error, LZMAError, EOFError, OSError, ValueError)
LINK = "it is a link and no file; ask for the file itself"
ENCRYPTED = "it is encrypted; ask for it without a password"


@dataclass(frozen=True)
class Member:
    """One file of an archive: its path, or why that is refused; its time; its bytes."""

    path: str
    refusal: str
    moment: datetime | None
    size: int
    read: Callable[[], bytes]


def members(name: str, file: IO[bytes], zone: Zone, limits: Limits) -> Iterator[Member]:
    """Yield the files of an archive, folders left out.

    Raises:
        RefusedError: if it cannot be opened, or holds too many files.
    """
    try:
        found = list(in_zip(file, zone, limits) if is_zip(name) else in_tar(file, limits))
    except BROKEN as error:
        raise RefusedError(
            f"it cannot be opened ({error}); get it once more, or unpack it and name the folder"
        ) from error
    if len(found) > limits.files:
        raise RefusedError(f"it holds {len(found)} files; {limits.files} are the most")
    yield from found


def is_zip(name: str) -> bool:
    """Return whether an archive is a zip by its name; the others are tars."""
    return name.lower().endswith(".zip")


def in_zip(file: IO[bytes], zone: Zone, limits: Limits) -> Iterator[Member]:
    """Yield the files of a zip."""
    archive = ZipFile(file)
    for info in archive.infolist():
        name = entry_name(info)
        if name.endswith(("/", "\\")):
            continue
        mode = info.external_attr >> 16
        refusal = LINK if info.create_system == 3 and stat.S_ISLNK(mode) else ""
        if info.flag_bits & ENCRYPTED_FLAG:
            refusal = ENCRYPTED
        path, why = checked(name)
        moment = zip_time(info, zone)
        yield Member(
            path, why or refusal, moment, info.file_size, partial(unzipped, archive, info, limits)
        )


def entry_name(info: ZipInfo) -> str:
    """Return the name of a zip entry, in the letters that its maker meant.

    Without the flag for UTF-8 a name is in code page 437. macOS writes UTF-8 all the same, and
    Info-ZIP adds the name in UTF-8 as an extra field (0x7075: version, checksum, name).
    """
    name = info.orig_filename.split("\0")[0]
    if info.flag_bits & UTF8_FLAG:
        return name
    plain = extra_fields(info.extra).get(UNICODE_PATH, b"")[5:]
    for written in (plain, name.encode("cp437", "replace")):
        try:
            if written:
                return written.decode()
        except UnicodeDecodeError:
            continue
    return name


def checked(name: str) -> tuple[str, str]:
    """Return a plain path and "", or the path as it is and why it is refused."""
    try:
        return plain_path(name), ""
    except RefusedError as refusal:
        return name, str(refusal)


def unzipped(archive: ZipFile, info: ZipInfo, limits: Limits) -> bytes:
    """Return the bytes of a zip entry, however much it says it holds.

    Raises:
        RefusedError: if it is too long or damaged.
    """
    require_size(info.file_size, limits)
    try:
        with archive.open(info) as file:
            data = file.read(limits.file + 1)
    # Python raises RuntimeError for a password, NotImplementedError for a method that it lacks.
    except (*BROKEN, RuntimeError, NotImplementedError) as error:
        raise RefusedError(f"it cannot be unpacked ({error}); ask for it once more") from error
    require_size(len(data), limits)
    return data


def require_size(size: int, limits: Limits) -> None:
    """Refuse what is too long.

    Raises:
        RefusedError: with both sizes.
    """
    if size > limits.file:
        most = limits.file // 2**20
        raise RefusedError(
            f"it holds {size / 2**20:.0f} MB, more than {most} MB; ask for it without its outputs"
        )


def in_tar(file: IO[bytes], limits: Limits) -> Iterator[Member]:
    """Yield the files of a tar, packed with gzip or not."""
    start = file.read(2)
    file.seek(0)
    if start == b"\x1f\x8b":
        # A tar has its list between the files, so all is unpacked, to a size that fits.
        unpacked = gzip.GzipFile(fileobj=file).read(limits.file + 1)
        require_size(len(unpacked), limits)
        file = io.BytesIO(unpacked)
    archive = tarfile.TarFile(fileobj=file)
    for info in archive:
        if not info.isdir():
            path, why = checked(info.name)
            moment = datetime.fromtimestamp(info.mtime, UTC)
            refusal = why or ("" if info.isreg() else LINK)
            yield Member(path, refusal, moment, info.size, partial(untarred, archive, info, limits))


def untarred(archive: tarfile.TarFile, info: tarfile.TarInfo, limits: Limits) -> bytes:
    """Return the bytes of a file in a tar.

    Raises:
        RefusedError: if it is too long or damaged.
    """
    require_size(info.size, limits)
    try:
        file = archive.extractfile(info)
        return file.read() if file else b""
    except BROKEN as error:
        raise RefusedError(f"it cannot be unpacked ({error}); ask for it once more") from error
