"""Bytes -> the JSON of a notebook, and what was mended on the way; or why it is none."""

import codecs
import json
import re
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from grading.doctor.errors import UngradableError

#: A larger file is read by nobody; figures and tables stay far below.
LARGEST = 200_000_000
AGAIN = "hand in the .ipynb file again"

#: How files start that are no notebooks, and what they are.
STARTS = {
    b"%PDF": "a PDF",
    b"PK\x03\x04": "a zip archive or an Office document",
    b"\x1f\x8b": "a compressed archive",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"\xd0\xcf\x11\xe0": "an Office document",
}
#: Marks at the start of a text that say how it is encoded; the longer ones first.
MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
CONFLICT = re.compile(
    r"^<{7}(?: [^\n]*)?\n(?P<ours>.*?)(?:^\|{7}[^\n]*\n.*?)?"
    r"^={7}\n(?P<theirs>.*?)^>{7}[^\n]*(?:\n|\Z)",
    flags=re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, kw_only=True)
class Read:
    """What a file holds.

    Attributes:
        versions: the notebook's JSON; two where Git left two sides of a conflict.
        repairs: what was mended, one sentence each.
    """

    versions: tuple[dict[str, Any], ...]
    repairs: tuple[str, ...] = ()


def read(content: bytes) -> Read:
    """Return the JSON of a notebook's file.

    Raises:
        UngradableError: if it is empty, cut off, or no notebook.
    """
    refuse_other_files(content)
    text, repairs = decoded(content)
    sides = sides_of(text)
    found, reason = [], ""
    for side in sides:
        try:
            found.append(loaded(side, repairs))
        except UngradableError as error:
            reason = reason or str(error)
    if not found:
        raise UngradableError(reason)
    if len(sides) > 1:
        repairs.append(
            "The file held the marks of a conflict that Git could not merge; of its two sides, "
            "the one with more of the answers was graded."
        )
    return Read(versions=tuple(found), repairs=tuple(dict.fromkeys(repairs)))


def refuse_other_files(content: bytes) -> None:
    """Say what a file is that can be no notebook."""
    if not content.strip():
        raise UngradableError(f"The file is empty; {AGAIN}.")
    if not content.strip(b"\0"):
        raise UngradableError(f"The file holds nothing but zero bytes; {AGAIN}.")
    if len(content) > LARGEST:
        size = len(content) / 1e6
        raise UngradableError(f"The file has {size:.0f} MB; clear the outputs and {AGAIN}.")
    for start, kind in STARTS.items():
        if content.startswith(start):
            raise UngradableError(f"The file is {kind} under a notebook's name; {AGAIN}.")


def decoded(content: bytes) -> tuple[str, list[str]]:
    """Return a file's text, and in a sentence what was unusual about its encoding."""
    encoding = next((name for mark, name in MARKS.items() if content.startswith(mark)), "")
    if not encoding and b"\0" in content[:4]:  # JSON starts with characters of one byte in UTF-8
        zeros = [place for place, byte in enumerate(content[:4]) if byte == 0]
        by_zeros = {(1, 3): "utf-16-le", (0, 2): "utf-16-be", (1, 2, 3): "utf-32-le"}
        encoding = by_zeros.get(tuple(zeros), "utf-32-be")
    for name in (encoding or "utf-8", "cp1252", "latin-1"):
        try:
            text = content.decode(name)
        except (UnicodeDecodeError, LookupError):
            continue
        repairs = []
        if name != "utf-8":
            kind = "UTF-8 with a byte order mark" if name == "utf-8-sig" else name.upper()
            repairs = [f"The file was encoded as {kind}; it was read as such."]
        return text.replace("\r\n", "\n").replace("\r", "\n"), repairs
    raise AssertionError("latin-1 decodes every file")


def sides_of(text: str) -> list[str]:
    """Return the two sides of a conflict that Git wrote into a text; one where there is none."""
    if not CONFLICT.search(text):
        return [text]
    return [CONFLICT.sub(itemgetter(side), text) for side in ("ours", "theirs")]


def loaded(text: str, repairs: list[str]) -> dict[str, Any]:
    """Return the notebook at the start of a text; add to the repairs what was mended."""
    text = text.strip().lstrip("\ufeff")
    decoder = json.JSONDecoder(strict=False)  # allows line ends within texts
    while True:
        try:
            value, end = decoder.raw_decode(text)
            break
        except json.JSONDecodeError as error:
            comma = needless_comma(text, error.pos)
            if comma is None:
                raise UngradableError(why_no_json(text, error)) from None
            text = text[:comma] + text[comma + 1 :]
            repairs.append("The file held a comma too many, as editing by hand leaves it.")
        except RecursionError:
            reason = f"The file is nested too deeply to be a notebook; {AGAIN}."
            raise UngradableError(reason) from None
    if text[end:].strip():
        repairs.append("Behind the notebook's end the file held other text, which was left out.")
    return notebook_within(value)


def needless_comma(text: str, place: int) -> int | None:
    """Return where a comma stands that JSON stumbled over, before or after none of its parts."""
    before = text[: place + 1].rstrip()
    comma = len(before) - 1
    if before.endswith(("]", "}")):
        comma = len(before[:-1].rstrip()) - 1
    if comma < 0 or text[comma] != ",":
        return None
    is_last = text[comma + 1 :].lstrip()[:1] in ("]", "}")
    is_double = text[:comma].rstrip().endswith(("[", "{", ","))
    return comma if is_last or is_double else None


def why_no_json(text: str, error: json.JSONDecodeError) -> str:
    """Return in a sentence what a text is that is no JSON."""
    if text[:200].lower().lstrip().startswith(("<!doctype html", "<html")):
        return f"The file is a web page under a notebook's name, not the notebook; {AGAIN}."
    if not text.startswith("{"):
        return f"The file is no notebook: it starts with {text[:20]!r}; {AGAIN}."
    if error.pos >= len(text) - 1 or "Unterminated string" in error.msg:
        return (
            f"The file is cut off: it ends in the middle, after {len(text)} characters; save the "
            f"notebook, open it once more to see that it is whole, and {AGAIN}."
        )
    where = f"line {error.lineno}, column {error.colno}"
    return f"The file is damaged: it is not JSON from {where} on; {AGAIN}."


def notebook_within(value: Any) -> dict[str, Any]:
    """Return the notebook that a JSON value is, or that a server's answer holds."""
    if isinstance(value, dict) and isinstance(value.get("content"), dict):
        value = value["content"]  # Jupyter's contents interface wraps a notebook like this
    if isinstance(value, dict) and ("cells" in value or "worksheets" in value):
        return value
    raise UngradableError(f"The file is JSON but no notebook: it has no cells; {AGAIN}.")
