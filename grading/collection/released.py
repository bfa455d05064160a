"""Of which assignment a notebook is: by its tasks, wherever it lies and whatever it is called."""

import codecs
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from grading.classroom.enrolment import assignments
from grading.collection.claims import letters
from grading.collection.entry import RefusedError
from grading.notebooks import ROOT

#: What a task is called where the metadata is lost: def softmax(…), check(softmax).
FUNCTION = re.compile(r"\b(?:def\s+|check\(\s*(?:\\?[\"'])?)([A-Za-z_]\w*)")


@dataclass(frozen=True)
class Released:
    """An assignment as it was handed out.

    Attributes:
        slug: its name.
        notebook: the notebook; empty where only the gradebook knows it.
        grade_ids: the names of its cells.
        functions: the names of its functions, and no other assignment's.
    """

    slug: str
    notebook: bytes
    grade_ids: frozenset[str]
    functions: frozenset[str]


def released(course: Path) -> dict[str, Released]:
    """Return the assignments of a course directory: handed out, or in its gradebook."""
    folder = course / "exercises"
    if not folder.is_dir():
        folder = ROOT / "exercises"
    files = {path.stem: path for path in sorted(folder.glob("*/*.ipynb"))}
    notebooks = {
        slug: path.read_bytes() for slug, path in files.items() if path.parent.name == slug
    }
    ids = {slug: set(grade_ids(data)) for slug, data in notebooks.items()}
    for slug, sheets in assignments(course).items():
        cells = {key.split(": ", 1)[1] for sheet in sheets.values() for key in sheet["cells"]}
        ids.setdefault(slug, set()).update(cells)
    functions = {slug: set(FUNCTION.findall(as_text(notebooks.get(slug, b"")))) for slug in ids}
    return {
        slug: Released(slug, notebooks.get(slug, b""), frozenset(ids[slug]), only(functions, slug))
        for slug in ids
    }


def only(names: Mapping[str, set[str]], slug: str) -> frozenset[str]:
    """Return the names that one assignment has and no other."""
    others = [found for other, found in names.items() if other != slug]
    return frozenset(names[slug].difference(*others))


def grade_ids(data: bytes) -> list[str]:
    """Return nbgrader's names of the cells of a notebook."""
    marks = [cell["metadata"].get("nbgrader", {}) for cell in json.loads(data)["cells"]]
    return [mark["grade_id"] for mark in marks if "grade_id" in mark]


def slug_of(data: bytes, known: Mapping[str, Released]) -> str:
    """Return the assignment that a notebook's contents belong to; "" where they do not say.

    The text is searched and not the JSON, so that a damaged notebook is recognised too.

    Raises:
        RefusedError: if they belong to several assignments alike.
    """
    text = as_text(data)
    written = set(re.findall(r'"((?:[^"\\\s]|\\.)+)"', text))
    functions = set(FUNCTION.findall(text))
    for found in (
        {slug: len(one.grade_ids & written) for slug, one in known.items()},
        {slug: len(one.functions & functions) for slug, one in known.items()},
    ):
        most = max(found.values(), default=0)
        best = [slug for slug, number in found.items() if number == most]
        if most and len(best) == 1:
            return best[0]
        if most:
            raise RefusedError(
                f"it holds tasks of {' and '.join(best)} alike; choose with --assignment"
            )
    return ""


def slug_by_name(name: str, slugs: Iterable[str]) -> str:
    """Return the assignment that a path names; "" where it names none, or several."""
    found = {slug for slug in slugs if letters(slug) in letters(name)}
    longest = {slug for slug in found if not any(slug in other for other in found - {slug})}
    return longest.pop() if len(longest) == 1 else ""


def is_notebook(data: bytes) -> bool:
    """Return whether a file can be read as a notebook at all."""
    try:
        return isinstance(json.loads(as_text(data)), dict)
    except ValueError:
        return False


def as_text(data: bytes) -> str:
    """Return a file's text: UTF-8 or UTF-16, with a mark at its start or without."""
    if data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return data.decode("utf-16", "replace")
    if b"\0" in data[:2]:
        return data.decode("utf-16-be" if data[:1] == b"\0" else "utf-16-le", "replace")
    return data.decode("utf-8-sig", "replace")
