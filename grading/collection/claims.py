"""What the path of a file says of whose it is, as Moodle, Canvas and Google Classroom write it.

Moodle (mod/assign/classes/downloader.php): `<full name>_<number>_assignsubmission_<kind>` is a
folder, older ones with one more `_` at its end; or the name of the file follows. Names lose `_` and
what no file name may hold. The number is the participant's in this one assignment, or the group's.

Canvas (lib/content_zipper.rb): `<last first, small letters>_[LATE_]<user>_<attachment>_<file>`, or
`[LATE_]anon_<code>_<attachment>_<file>`. A group hands in by its name and one member's number.

Google: `<name> - <file>` where Classroom made a copy for each, `<file> - <name>` from a form.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from grading.collection.entry import ARCHIVE, NOTEBOOK

MOODLE = re.compile(r"(?P<name>.+?)(?:_(?P<number>\d+))?_assignsubmission_[a-z]+(?:_.*)?")
CANVAS = re.compile(r"(?P<name>\w+?)_(?:LATE_)?(?P<number>\d+)_(?:\d+_.+|(?:text|link)\.html)")
CANVAS_ANONYMOUS = re.compile(r"(?:LATE_)?(?P<name>anon_[A-Za-z0-9]+)_(?:\d+_.+|(text|link)\.html)")
#: What stands for every name where a Moodle hides them, in languages whose word is known to us.
HIDDEN = {"participant", "teilnehmerin", "participante", "deelnemer", "partecipante"}
COPY_BEFORE = re.compile(r"^(copy of|kopie von|copie de|copia de) ", re.IGNORECASE)
COPY_AFTER = re.compile(r"( ?\(\d+\)| - (copy|kopie)|[-_]copy\d*)$", re.IGNORECASE)
#: Canvas numbers a file that is handed in again: softmax-2.ipynb.
ATTEMPT = re.compile(r"-\d{1,2}$")
#: What Windows keeps for its devices.
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)
#: Folders that hold learners and are none.
WRAPPERS = {"submitted", "submissions", "submission", "downloads", "downloaded", "archive"}


@dataclass(frozen=True)
class Claim:
    """Whose a file is, by its path.

    Attributes:
        lms: "Moodle" or "Canvas", or "" where only names of files and folders speak.
        names: what may be a learner's name or id, the likeliest first.
        number: the number that the LMS gives to a learner or a group.
        is_anonymous: whether the LMS hides the names.
        folders: which of the names are of folders on the way, that of a learner's zip the last.
    """

    lms: str
    names: tuple[str, ...]
    number: str = ""
    is_anonymous: bool = False
    folders: tuple[str, ...] = ()


def claim(parts: tuple[str, ...], slugs: Iterable[str]) -> Claim:
    """Return what a path says; folders of an LMS before names, the outermost first.

    Args:
        parts: the folders on the way and the file's name.
        slugs: the assignments, whose names are no learner's.
    """
    for part in parts:
        if found := CANVAS_ANONYMOUS.fullmatch(part):
            return Claim("Canvas", (found["name"],), is_anonymous=True)
        if found := MOODLE.fullmatch(part):
            name = found["name"].strip()
            hidden = letters(name) in HIDDEN
            return Claim("Moodle", (name,), found["number"] or "", hidden)
        if found := CANVAS.fullmatch(part):
            return Claim("Canvas", (found["name"],), found["number"])
    known = {letters(slug) for slug in slugs} | WRAPPERS
    folders = unique(bare(part) for part in parts[:-1] if letters(bare(part)) not in known)
    named = pieces(parts[-1], known)
    # Google's folders hold all learners, other folders one.
    is_google = bool(named) and " - " in bare(parts[-1])
    names = unique([*named, *folders] if is_google else [*folders, *named])
    return Claim("", tuple(names), folders=() if is_google else around(parts, known))


def around(parts: tuple[str, ...], known: set[str]) -> tuple[str, ...]:
    """Return the folders on the way to a file, up to a zip; with none, the name of that zip."""
    zips = [place for place, part in enumerate(parts[:-1]) if ARCHIVE.search(part)]
    end = zips[0] if zips else len(parts) - 1
    folders = unique(bare(part) for part in parts[:end] if letters(bare(part)) not in known)
    return tuple(folders) or tuple(bare(parts[place]) for place in zips[:1])


def pieces(name: str, known: set[str]) -> list[str]:
    """Return what stands before or after an assignment in a file's name: anna_softmax.ipynb."""
    stem = bare(name)
    for separator in (" - ", "_"):
        split = [part.strip() for part in stem.split(separator)]
        for number in range(1, len(split)):
            # queries_keys_values holds the separator itself.
            first, last = (separator.join(s) for s in (split[:number], split[number:]))
            for one, other in ((first, last), (last, first)):
                if letters(ATTEMPT.sub("", bare(other))) in known and letters(one) not in known:
                    return [one]
    return []


def bare(name: str) -> str:
    """Return a name without its ending and without what copies add to it."""
    stem = ARCHIVE.sub("", NOTEBOOK.sub("", name)).strip()
    before = ""
    while before != stem:
        before = stem
        stem = COPY_AFTER.sub("", COPY_BEFORE.sub("", stem)).strip()
    return stem


@cache
def letters(name: str) -> str:
    """Return the letters and digits of a name, small and without accents, to compare it."""
    plain = unicodedata.normalize("NFKD", name).casefold()
    return "".join(letter for letter in plain if letter.isalnum())


def unique(names: Iterable[str]) -> list[str]:
    """Return names once each, in order."""
    return list(dict.fromkeys(name for name in names if name))


def safe(name: str) -> str:
    """Return a name as a folder may have it on every system: words joined by "-"."""
    composed = unicodedata.normalize("NFC", name)
    joined = re.sub(r"[^\w.@-]+", "-", composed).strip("-.")
    return f"{joined}_" if RESERVED.match(joined) else joined
