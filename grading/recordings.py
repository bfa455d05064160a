"""What the functions of the catalogue do on the probes: kept in memory, and from run to run.

The files lie in `_build/` and hold the hash of everything that made them: whoever edits an
exercise, the witness or the library computes them again. Without them everything is run live.
"""

import hashlib
import importlib.metadata
import os
import sys
import tempfile
from functools import cache
from pathlib import Path

from grading.exercise import Exercise
from grading.exercises import find
from grading.observation.seen import Observation
from grading.observation.wire import pack, unpack
from grading.verdict.case import Variant, Who

__all__ = ["Known", "forget", "of", "save"]

#: Who, on which probe, in which variant of its inputs, asked for what.
Key = tuple[Who, str, Variant, tuple[str, ...]]
Known = dict[Key, Observation]

PACKAGE = Path(__file__).resolve().parent
FOLDER = PACKAGE.parent / "_build" / "observations"
#: What makes an observation, beside the exercise's own chapter.
MAKERS = ("observation", "witness", "exercise.py", "asking.py", "late.py", "exercises/shared")

# By the exercise's identity: two that differ in one function may share a name.
_known: dict[int, tuple[Exercise, Known, int]] = {}


def of(exercise: Exercise) -> Known:
    """Return what is known of an exercise's functions; what is added to it is kept."""
    if id(exercise) not in _known:
        known = _read(exercise) if find(exercise.name) is exercise else {}
        _known[id(exercise)] = (exercise, known, len(known))
    return _known[id(exercise)][1]


def forget() -> None:
    """Forget what is kept in memory."""
    _known.clear()


def save(exercise: Exercise) -> None:
    """Write what is known of an exercise, if that is more than was read."""
    known = of(exercise)
    if len(known) == _known[id(exercise)][2] or find(exercise.name) is not exercise:
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=FOLDER)
    with os.fdopen(handle, "wb") as file:
        file.write(pack((made_by(exercise), known)))
    Path(name).replace(FOLDER / f"{exercise.name}.bin")
    _known[id(exercise)] = (exercise, known, len(known))


def _read(exercise: Exercise) -> Known:
    path = FOLDER / f"{exercise.name}.bin"
    try:
        made, known = unpack(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return dict(known) if made == made_by(exercise) else {}


def made_by(exercise: Exercise) -> str:
    """Return the hash of everything that an exercise's observations depend on."""
    chapter = f"exercises/{exercise.slug.replace('-', '_')}"
    parts = [_hash(PACKAGE / part) for part in (*MAKERS, chapter)]
    parts.append(_hash(PACKAGE.parent / "course_lib"))
    parts += [f"{name} {importlib.metadata.version(name)}" for name in ("torch", "numpy")]
    return hashlib.sha256("\n".join([*parts, sys.version]).encode()).hexdigest()


@cache
def _hash(place: Path) -> str:
    """Return the hash of a file, or of all Python files and arrays of a folder."""
    files = sorted(place.rglob("*.py")) if place.is_dir() else [place]
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.relative_to(place.parent)} ".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()
