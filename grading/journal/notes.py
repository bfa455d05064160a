"""What is noted of each task, in memory and in the journal's file."""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from grading.journal.place import place
from grading.verdict.record import Record

__all__ = ["Note", "Notes", "forget", "keep", "known"]

#: More bytes than any journal has.
MOST = 10**6
COURSE = "attention course"
ABOUT = (
    "Your own table, which progress() shows: nobody else reads it. You may delete it at any time."
)
Notes = dict[str, "Note"]


@dataclass(frozen=True, slots=True)
class Note:
    """What is noted of one task.

    Attributes:
        points, max_points: of the last check.
        first: the first prediction, in words; "" where there is none.
        first_was_right: whether it was.
        mistakes: the codes of the mistakes that were met; whether a check passed since.
    """

    points: float = 0.0
    max_points: float = 0.0
    first: str = ""
    first_was_right: bool = False
    mistakes: Mapping[str, bool] = field(default_factory=dict)

    def after(self, record: Record, prediction: str) -> "Note":
        """Return the note after one more check."""
        met = dict.fromkeys(record.misconceptions, False)
        mistakes = {**self.mistakes, **met}
        if record.passed:
            mistakes = dict.fromkeys(mistakes, True)
        note = replace(self, points=record.points, max_points=record.max_points, mistakes=mistakes)
        if self.first or not prediction:
            return note
        return replace(note, first=prediction, first_was_right=record.passed)


#: What this process has seen; and whether it has said already that nothing can be kept.
_session: Notes = {}
_complaints: list[str] = []


def forget() -> None:
    """Forget what is kept in memory."""
    _session.clear()
    _complaints.clear()


def keep(record: Record, prediction: str = "") -> str:
    """Note a check, in the file where there is one.

    Args:
        record: what the check found.
        prediction: the number that a prediction task was answered with; "" elsewhere.

    Returns:
        What is to be said: that a first prediction is kept, or, once, why nothing can be.
    """
    path = place()
    complaint = _reread(path)
    before = _session.get(record.exercise, Note())
    after = before.after(record, prediction)
    _session[record.exercise] = after
    if path is None:
        return ""
    if not complaint and after != before:
        complaint = _write(path)
    if complaint:
        if _complaints:
            return ""
        _complaints.append(complaint)
        return f"[{complaint} Checks go on without it.]"
    if before.first or not after.first:
        return ""
    return f"[{after.first} is kept as your first prediction; progress() shows it.]"


def known() -> Notes:
    """Return all that is noted, here and in the file."""
    _reread(place())
    return dict(_session)


def _reread(path: Path | None) -> str:
    """Take over what the file holds; return why it cannot be used, or ""."""
    if path is None or not path.exists():
        return ""
    try:
        if path.stat().st_size > MOST:
            raise ValueError
        held = json.loads(path.read_text(encoding="utf-8"))
        if held["course"] != COURSE:
            raise ValueError
        _session.update({name: _note(**note) for name, note in held["tasks"].items()})
    except OSError as error:
        return f"Your table cannot be read from {path.name}: {error.strerror}."
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return (
            f"{path.name} beside this notebook is no table of this course, so it is left as it "
            "is. Rename or delete it, and a new one is begun."
        )
    return ""


def _note(
    points: float, max_points: float, first: str, first_was_right: bool, mistakes: dict[str, bool]
) -> Note:
    kinds = isinstance(first, str) and all(isinstance(code, str) for code in mistakes)
    if not kinds:
        raise ValueError
    kept = {code: bool(mended) for code, mended in mistakes.items()}
    return Note(float(points), float(max_points), first, bool(first_was_right), kept)


def _write(path: Path) -> str:
    """Write the file in one step; return why it cannot be, or ""."""
    tasks = {name: asdict(note) for name, note in _session.items()}
    held: dict[str, Any] = {"course": COURSE, "about": ABOUT, "tasks": tasks}
    half = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        half.write_text(json.dumps(held, indent=1, ensure_ascii=False), encoding="utf-8")
        half.replace(path)
    except (OSError, ValueError) as error:
        with suppress(OSError):
            half.unlink()
        why = error.strerror if isinstance(error, OSError) else str(error)
        return f"Your table cannot be kept beside this notebook: {why}."
    return ""
