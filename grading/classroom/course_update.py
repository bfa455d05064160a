"""A course that changed under a class: what is brought up to date, and what stays as it is.

Two versions of an assignment are graded alike where the same cells give the same points for the
same checks. Then the new texts are entered under the marks. Otherwise the class keeps the version
that it works on, until an instructor moves it.
"""

import ast
import sqlite3
import sys
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from grading.classroom.enrolment import Assignment, described, enter, gradebook_file, opened
from grading.notebooks import ROOT

#: How nbgrader's kinds of one cell are called, when they are spoken of.
CALLED = {
    ("grade",): "check",
    ("grade", "solution"): "explanation",
    ("solution",): "answer cell",
    ("task",): "task read by a person",
}


@dataclass(frozen=True, kw_only=True)
class Stay:
    """An assignment that a class keeps as it has it.

    Attributes:
        held: where submissions lie, and how many.
        changes: what is graded otherwise in the new version, a line a cell.
    """

    held: str
    changes: list[str]


@dataclass(frozen=True, kw_only=True)
class Update:
    """What a release does to the gradebook.

    Attributes:
        entered: assignments that are new to it, or graded otherwise.
        refreshed: assignments with new texts, and nothing else.
        stays: those that the class keeps as it has them.
        copy: the copy of the gradebook that was made first, or None.
    """

    entered: list[str]
    refreshed: list[str]
    stays: dict[str, Stay]
    copy: Path | None = None


def graded(assignment: Assignment) -> dict[str, tuple[str, float, str]]:
    """Return what decides marks: of each cell its kind, its points, and the code of a check."""
    found = {}
    for sheet in assignment.values():
        names = dict.fromkeys(key.split(": ", 1)[1] for key in sheet["cells"])
        for name in names:
            kinds = tuple(
                k for k in ("grade", "solution", "task") if f"{k}: {name}" in sheet["cells"]
            )
            if not kinds:
                continue  # a text that is locked, and not graded
            scored = sheet["cells"].get(f"{kinds[0]}: {name}", {})
            kind = " ".join(filter(None, (scored.get("cell_type"), CALLED.get(kinds, "cell"))))
            source = sheet["cells"][f"source: {name}"]["source"]
            code = meaning(source) if kind == "code check" else ""
            found[name] = (kind, scored.get("max_score", 0.0), code)
    return found


def meaning(source: str) -> str:
    """Return the code of a check without its comments and its layout."""
    try:
        return ast.dump(ast.parse(source))
    except SyntaxError:
        return source


def changes(known: Assignment, wanted: Assignment) -> list[str]:
    """Return what is graded otherwise in another version of an assignment, a line a cell."""
    old, new = graded(known), graded(wanted)
    lines = [f"the notebook {name}: gone" for name in known if name not in wanted]
    lines += [f"the notebook {name}: new" for name in wanted if name not in known]
    lines += [f"{name}: gone" for name in old if name not in new]
    for name, (kind, points, code) in new.items():
        if name not in old:
            lines.append(f"{name}: new, {kind}" + (f" of {points:g} points" if points else ""))
            continue
        old_kind, old_points, old_code = old[name]
        if kind != old_kind:
            lines.append(f"{name}: {old_kind}, now {kind}")
        if points != old_points:
            lines.append(f"{name}: {old_points:g} points, now {points:g}")
        if kind == old_kind and code != old_code:
            lines.append(f"{name}: calls something else")
    return lines


def holds(root: Path, slug: str, submissions: int) -> str:
    """Return where submissions of an assignment lie and how many; "" where there are none."""
    where, number = "gradebook.db", submissions
    if not number:
        where, number = "submitted/", len(list((root / "submitted").glob(f"*/{slug}")))
    counted = "1 submission" if number == 1 else f"{number} submissions"
    return f"{where} holds {counted}" if number else ""


def stays(root: Path, gradebook: Any, wanted: dict[str, Assignment]) -> dict[str, Stay]:
    """Return which assignments a class keeps: graded otherwise now, and handed in already."""
    found = {}
    for one in gradebook.assignments:
        other = changes(described(one), wanted.get(one.name, described(one)))
        held = holds(root, one.name, len(one.submissions)) if other else ""
        if held:
            found[one.name] = Stay(held=held, changes=other)
    return found


def kept(root: Path, wanted: dict[str, Assignment]) -> dict[str, Stay]:
    """Return which assignments a class keeps; a class without a gradebook has none to keep."""
    if not gradebook_file(root).exists():
        return {}
    with opened(root) as gradebook:
        return stays(root, gradebook, wanted)


def update(root: Path, wanted: dict[str, Assignment], *, move: str = "") -> Update:
    """Bring a gradebook up to date in one transaction.

    Args:
        root: the course directory.
        wanted: the assignments as solutions/ gives them.
        move: an assignment that the class shall have in its new version, whatever was handed in.
    """
    (root / "exchange").mkdir(exist_ok=True)
    copy = copied(root) if move and move in kept(root, wanted) else None
    with opened(root) as gradebook:
        known = {one.name: described(one) for one in gradebook.assignments}
        staying = stays(root, gradebook, wanted)
        staying.pop(move, None)
        todo = [s for s in wanted if known.get(s) != wanted[s] and s not in staying]
        for slug in todo:
            enter(gradebook, slug, wanted[slug])
        gradebook.db.commit()
    same = {s for s in todo if s in known and not changes(known[s], wanted[s])}
    return Update(
        entered=[slug for slug in todo if slug not in same],
        refreshed=[slug for slug in todo if slug in same],
        stays=staying,
        copy=copy,
    )


def copied(root: Path) -> Path:
    """Copy the gradebook beside it, under a name with the time in UTC."""
    now = datetime.now(UTC)
    target = root / f"gradebook.db.{now:%Y-%m-%d-%H%M%S}-{now.microsecond:06}.bak"
    source = gradebook_file(root)
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)
    return target


def said(root: Path, slug: str, stay: Stay, *, is_new_already: bool) -> str:
    """Return why an assignment stays as the class has it, and how the class gets the new one."""
    python = Path(sys.executable)
    short = python.relative_to(ROOT) if python.is_relative_to(ROOT) else python
    place = "" if root.resolve() == ROOT else f' --course "{root}"'
    exercise = f"exercises/{slug} was left as it is."
    if is_new_already:
        exercise = f"exercises/{slug} is the new version already: do not hand it out before that."
    lines = "\n".join(f"  {line}" for line in stay.changes)
    return (
        f"{slug} stays as your class has it: {stay.held}, "
        f"and solutions/{slug} is graded otherwise now.\n{lines}\n"
        f"Every mark stays, and what is handed in is graded as before. {exercise}\n"
        "To move the class to the new version, with its marks and comments on cells that remain:\n"
        f"  {short} -m grading release --move {slug}{place}\n"
        f"  {short} -m grading grade {slug}{place}\n"
        "The first copies gradebook.db beforehand; the second grades everybody anew."
    )
