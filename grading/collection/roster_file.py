"""A roster is read from what one has: nbgrader's columns, Moodle's exports, Canvas's gradebook."""

import csv
import io
import re
import unicodedata
from pathlib import Path

from grading.collection.claims import RESERVED, safe
from grading.collection.roster import Learner, Roster
from grading.collection.times import Zone, moodle_date

#: What each export calls its columns, in small letters.
COLUMNS = {
    "id": ("id", "student_id"),
    "first": ("first_name", "first name", "firstname"),
    "last": ("last_name", "last name", "surname", "lastname"),
    "full": ("full name", "name", "student"),
    "email": ("email", "email address", "e-mail address"),
    "lms": ("lms_user_id", "canvas_user_id"),
    "login": ("username", "sis login id", "login_id"),
    "sis": ("id number", "sis user id", "user_id"),
    "number": ("identifier",),
    "groups": ("group", "groups", "group_name"),
    "handed_in": ("last modified (submission)",),
}
#: Where a learner's id is taken from: the first that every learner has, and has alone.
IDS = ("id", "login", "sis", "email", "lms", "full", "number")
#: What Canvas puts among the learners.
NO_LEARNERS = ("points possible", "student, test", "test student")
FORBIDDEN = re.compile(r'[\x00-\x1f<>:"/\\|?*]|^[. ]|[. ]$')

Row = dict[str, str]


def read_roster(path: Path, zone: Zone) -> Roster:
    """Return the learners of a CSV.

    Args:
        path: the file.
        zone: in which zone a Moodle's dates are.

    Raises:
        ValueError: if its columns say of nobody who it is, or an id cannot be a folder's name.
    """
    headers, rows = table(path)
    fields = fields_of(headers)
    if not {"id", "full", "last", "email"} & set(fields):
        looked_for = ", ".join(name for names in COLUMNS.values() for name in names)
        raise ValueError(
            f"{path.name} is no roster that can be read. Its columns are {', '.join(headers)}; "
            f"known are {looked_for}. Export it in English, or rename its columns."
        )
    kept = [one for row in rows if is_learner(one := named(row, fields))]
    column = id_column(kept, path)
    learners = tuple(learner(row, column, zone) for row in kept)
    require_folders(learners, path)
    heading = headers[fields.index(column)] if column in fields else "first and last name"
    return Roster(path.name, learners, heading, remarks(kept, learners))


def table(path: Path) -> tuple[list[str], list[list[str]]]:
    """Return the headers and the rows of a CSV, with whichever separator tells most of them."""
    text = decoded(path.read_bytes())
    tables = [list(csv.reader(io.StringIO(text, newline=""), delimiter=one)) for one in ",;\t|"]
    filled = [[row for row in one if any(cell.strip() for cell in row)] for one in tables]
    best = max(filled, key=lambda one: sum(map(bool, fields_of(one[0]))) if one else 0)
    return ([header.strip() for header in best[0]], best[1:]) if best else ([], [])


def decoded(data: bytes) -> str:
    """Return a text as spreadsheets write it: UTF-8, UTF-16 with a mark, else Windows' letters."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def fields_of(headers: list[str]) -> list[str]:
    """Return what each column means, "" where that is unknown. Canvas's ID is its own number."""
    known = {name: field for field, names in COLUMNS.items() for name in names}
    small = [header.strip().casefold() for header in headers]
    is_canvas = "sis login id" in small or "student" in small
    return ["lms" if is_canvas and name == "id" else known.get(name, "") for name in small]


def named(row: list[str], fields: list[str]) -> Row:
    """Return a row by the meanings of its columns, with the name in one piece and in two."""
    values = [unicodedata.normalize("NFC", value.strip()) for value in row]
    found: Row = {}
    for field, value in zip(fields, values, strict=False):
        if field and value and field not in found:
            found[field] = value
    if "full" not in found:
        return found | {"full": f"{found.get('first', '')} {found.get('last', '')}".strip()}
    # Canvas puts the last name first, with a comma; of another's words the last is the last name.
    last, comma, first = found["full"].partition(", ")
    if not comma:
        first, _, last = found["full"].rpartition(" ")
    return {"first": first, "last": last} | found


def is_learner(row: Row) -> bool:
    """Return whether a row is a learner's: Canvas adds two of its own."""
    return any(row.values()) and row["full"].casefold() not in NO_LEARNERS


def id_column(rows: list[Row], path: Path) -> str:
    """Return the field that the ids are taken from.

    Raises:
        ValueError: if there is none that all learners have, and each alone.
    """
    for field in IDS:
        ids = [safe(row.get(field, "")).casefold() for row in rows]
        if all(ids) and len(set(ids)) == len(ids):
            return field
        if field == "id" and any(ids):
            repeated = sorted({one or "(none)" for one in ids if ids.count(one) > 1 or not one})
            raise ValueError(
                f"{path.name} gives an id twice, or to a learner none: {', '.join(repeated)}. "
                "Each learner needs one of their own."
            )
    raise ValueError(
        f"{path.name} has no column that tells all {len(rows)} learners apart. Add a column id."
    )


def learner(row: Row, column: str, zone: Zone) -> Learner:
    """Return a learner from a row."""
    groups = row.get("groups", "")
    number = re.search(r"\d+$", row.get("number", ""))
    is_written_for_it = column in ("full", "number")
    return Learner(
        id=safe(row[column]) if is_written_for_it else row[column],
        first_name=row.get("first", ""),
        last_name=row.get("last", ""),
        email=row.get("email", ""),
        lms_user_id=row.get("lms", ""),
        full_name=row["full"],
        others=tuple(row[field] for field in ("login", "sis") if field in row),
        number=number[0] if number else "",
        groups=tuple({one.strip() for one in [groups, *re.split("[,;]", groups)]} - {""}),
        handed_in=moodle_date(row.get("handed_in", ""), zone),
    )


def require_folders(learners: tuple[Learner, ...], path: Path) -> None:
    """Refuse ids that cannot be the name of a folder everywhere.

    Raises:
        ValueError: with the ids.
    """
    if wrong := [one.id for one in learners if is_no_folder(one.id)]:
        raise ValueError(
            f"{path.name} has ids that no folder can be called: {', '.join(map(repr, wrong))}. "
            "Add a column id with letters, digits, and - _ . @, at most 128 of them, and no name "
            "of a device of Windows (CON, AUX, COM1)."
        )


def is_no_folder(name: str) -> bool:
    """Return whether some system refuses a folder of this name, or nbgrader so long an id."""
    return bool(FORBIDDEN.search(name) or RESERVED.match(name)) or len(name) > 128


def remarks(rows: list[Row], learners: tuple[Learner, ...]) -> list[str]:
    """Return what in the file was not understood."""
    unread = [
        row["handed_in"]
        for row, one in zip(rows, learners, strict=True)
        if one.handed_in is None and any(map(str.isdigit, row.get("handed_in", "")))
    ]
    if not unread:
        return []
    return [
        f"{len(unread)} dates of the worksheet are not read ({unread[0]!r}): set Moodle to English "
        "and export it once more to have the times of the hand-ins"
    ]
