"""What `make mine` says: how many parts are the learner's, and of the others why they are not."""

import textwrap
from collections.abc import Mapping
from pathlib import Path

from grading.adoption.adopting import Adopted

__all__ = ["told"]

#: As many characters fit on a line of what is printed.
WIDTH = 80


def told(adopted: Adopted, path: Path, kept: Path | None = None) -> str:
    """Return what to print: the parts that are missing, then the count.

    Args:
        adopted: what was gathered.
        path: where mine.py was written.
        kept: where the one before was moved, if it was.
    """
    count, total = len(adopted.own), len(adopted.own) + len(adopted.reasons)
    last = f"{_short(path)}: {count} of {total} parts are yours."
    if adopted.reasons:
        last += " The course's own functions stand in for the others."
    lines = [*_missing(adopted.reasons), last]
    if kept is not None:
        lines.append(f"Your earlier file is kept in {_short(kept)}")
    return "\n".join(lines)


def _missing(reasons: Mapping[str, str]) -> list[str]:
    """Return the parts that are missing, those with one reason together."""
    names: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        names.setdefault(reason, []).append(name)
    lines = []
    for reason, alike in names.items():
        lines += textwrap.wrap(", ".join(alike), WIDTH)
        lines += textwrap.wrap(reason, WIDTH, initial_indent="    ", subsequent_indent="    ")
    return lines


def _short(path: Path) -> Path:
    """Return a path as it is typed here."""
    own, here = path.resolve(), Path.cwd()
    return own.relative_to(here) if own.is_relative_to(here) else own
