"""Of which assignment a notebook is: by its tasks, wherever it lies and whatever it is called."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from grading.classroom.enrolment import assignments
from grading.collection.claims import letters
from grading.collection.entry import RefusedError
from grading.doctor.reading import decoded
from grading.doctor.released import Released, released_notebook
from grading.notebooks import ROOT, read_notebook

#: What a task is called where the metadata is lost: def softmax(…), check(softmax).
FUNCTION = re.compile(r"\b(?:def\s+|check\(\s*(?:\\?[\"'])?)([A-Za-z_]\w*)")


@dataclass(frozen=True)
class Assignment:
    """What tells the notebooks of one assignment from those of the others.

    Attributes:
        released: the notebook as it was handed out; without cells where the gradebook alone has it.
        grade_ids: the names of its cells.
        functions: the names of its functions, and no other assignment's.
    """

    released: Released
    grade_ids: frozenset[str]
    functions: frozenset[str]


def known_assignments(course: Path) -> dict[str, Assignment]:
    """Return the assignments of a course directory: handed out, or in its gradebook."""
    folder = course / "exercises"
    if not folder.is_dir():
        folder = ROOT / "exercises"
    paths = [path for path in sorted(folder.glob("*/*.ipynb")) if path.stem == path.parent.name]
    found = {path.stem: released_notebook(path.stem, read_notebook(path)) for path in paths}
    ids = {slug: set(one.by_grade_id) for slug, one in found.items()}
    for slug, sheets in assignments(course).items():
        cells = {key.split(": ", 1)[1] for sheet in sheets.values() for key in sheet["cells"]}
        ids.setdefault(slug, set()).update(cells)
        found.setdefault(slug, Released(name=slug, cells=()))
    functions = {
        slug: {name for cell in one.cells if cell.is_answer for name in cell.defines}
        for slug, one in found.items()
    }
    return {
        slug: Assignment(one, frozenset(ids[slug]), only(functions, slug))
        for slug, one in found.items()
    }


def only(names: Mapping[str, set[str]], slug: str) -> frozenset[str]:
    """Return the names that one assignment has and no other."""
    others = [found for other, found in names.items() if other != slug]
    return frozenset(names[slug].difference(*others))


def slug_of(data: bytes, known: Mapping[str, Assignment]) -> str:
    """Return the assignment that a notebook's contents belong to; "" where they do not say.

    The text is searched and not the JSON, so that a damaged notebook is recognised too.

    Raises:
        RefusedError: if they belong to several assignments alike.
    """
    text, _ = decoded(data)
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
        return isinstance(json.loads(decoded(data)[0].lstrip("\ufeff")), dict)
    except ValueError:
        return False
