"""When something was handed in: zip entries, the dates of an LMS, and timestamp.txt, all in UTC."""

import re
import struct
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from pathlib import Path
from zipfile import ZipInfo
from zoneinfo import ZoneInfo

#: What nbgrader reads from timestamp.txt.
STAMP = "%Y-%m-%d %H:%M:%S UTC"
#: The dates of a Moodle in English, with the clock of 12 or of 24 hours.
MOODLE_DATES = [
    f"%A, {day}, {clock}"
    for day in ("%d %B %Y", "%B %d, %Y")
    for clock in ("%I:%M %p", "%H:%M", "%I:%M:%S %p", "%H:%M:%S")
]
UNIX_TIME, NTFS_TIME = 0x5455, 0x000A
SINCE_1601 = datetime(1601, 1, 1, tzinfo=UTC)


class Zone:
    """In which zone a time without one is read.

    Args:
        name: a place ("Europe/Vienna") or an offset ("UTC-05:00"); "" is this computer's own.

    Raises:
        ValueError: if nothing has that name.
    """

    def __init__(self, name: str = "") -> None:
        self.zone: tzinfo | None = zone_named(name) if name else None
        self.name = name or f"this computer's time zone ({datetime.now().astimezone().tzname()})"

    def utc(self, moment: datetime) -> datetime:
        """Return a time without zone in UTC."""
        here = moment.replace(tzinfo=self.zone) if self.zone else moment
        return here.astimezone(UTC)


def zone_named(name: str) -> tzinfo:
    """Return a time zone by its place or its offset.

    Raises:
        ValueError: if nothing has that name.
    """
    if offset := re.fullmatch(r"(?:UTC)?([+-])(\d\d?):?(\d\d)?", name):
        sign, hours, minutes = offset.groups()
        away = timedelta(hours=int(hours), minutes=int(minutes or 0))
        return timezone(away if sign == "+" else -away)
    try:
        return UTC if name.upper() == "UTC" else ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(
            f"There is no time zone {name!r}. Name a place as in Europe/Vienna, or an offset "
            "as in UTC+02:00."
        ) from error


def extra_fields(data: bytes) -> dict[int, bytes]:
    """Return the extra fields of a zip entry by their numbers; what is cut off is left out."""
    fields, position = {}, 0
    while position + 4 <= len(data):
        number, size = struct.unpack_from("<HH", data, position)
        fields[number] = data[position + 4 : position + 4 + size]
        position += 4 + size
    return fields


def zip_time(info: ZipInfo, zone: Zone) -> datetime | None:
    """Return when an entry was changed: its UTC time where it has one, else its clock's.

    Source: APPNOTE 4.5.5 (NTFS: tag 1 is three times in 100 ns since 1601), and Info-ZIP's
    extrafld.txt (0x5455: a byte of flags, then seconds since 1970).
    """
    fields = extra_fields(info.extra)
    unix, ntfs = fields.get(UNIX_TIME, b""), fields.get(NTFS_TIME, b"")
    try:
        if len(unix) >= 5 and unix[0] & 1:
            return datetime.fromtimestamp(struct.unpack_from("<i", unix, 1)[0], UTC)
        if len(ntfs) >= 16 and struct.unpack_from("<HH", ntfs, 4) == (1, 24):
            ticks = struct.unpack_from("<Q", ntfs, 8)[0]
            return SINCE_1601 + timedelta(microseconds=ticks // 10)
        # A clock that was never set.
        return zone.utc(datetime(*info.date_time)) if info.date_time[:3] > (1980, 1, 1) else None
    except (ValueError, OverflowError, OSError, struct.error):
        return None


def is_ahead(moment: datetime) -> bool:
    """Return whether a time lies in the future, which no time of a hand-in does."""
    return moment > now()


def now() -> datetime:
    """Return the time of this computer in UTC."""
    return datetime.now(UTC)


def file_time(path: Path) -> datetime:
    """Return when a file was changed."""
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)


def moodle_date(text: str, zone: Zone) -> datetime | None:
    """Return a date as Moodle writes it in English; None where it is none."""
    for form in MOODLE_DATES:
        try:
            return zone.utc(datetime.strptime(text.strip(), form))
        except ValueError:
            continue
    return None


def read_stamp(text: str) -> datetime | None:
    """Return the time in a timestamp.txt, as nbgrader reads it; None where it is none."""
    from nbgrader.utils import parse_utc

    try:
        moment: datetime = parse_utc(text.strip())
    except (ValueError, OverflowError, AttributeError):
        return None
    return moment.replace(tzinfo=UTC)


def shown(moment: datetime) -> str:
    """Return a time in UTC as it stands in a table."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
