"""Write mine.py in one step, and keep under its date what would be lost."""

import os
from datetime import datetime
from pathlib import Path

from grading.adoption.library import is_as_written, own_parts
from grading.classroom.workspace import backup_name

__all__ = ["write_library"]


def write_library(path: Path, text: str, moment: datetime | None = None) -> Path | None:
    """Write a mine.py; a process killed meanwhile leaves the old one, a dated copy of it, or both.

    A file that somebody edited is kept, and one with a part of the learner's that the new one
    lacks: that answer may stand nowhere else by now.

    Args:
        path: where it shall lie.
        text: what `library_text` returned.
        moment: the time in the copy's name; None means now.

    Returns:
        The dated copy, or None where there was nothing to keep.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.write_text(text, encoding="utf-8", newline="\n")
    kept = None
    if path.exists() and _is_worth_keeping(path, text):
        kept = backup_name(path, moment or datetime.now())
        path.rename(kept)  # and not copied: whatever an editor has saved by now is kept
    os.replace(unfinished, path)
    return kept


def _is_worth_keeping(path: Path, text: str) -> bool:
    old = path.read_bytes().decode("utf-8", errors="replace")
    return old != text and not (is_as_written(old) and own_parts(old) <= own_parts(text))
