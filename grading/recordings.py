"""What the functions of the catalogue do on the probes: kept in memory, and from run to run.

The files lie in `_build/` and hold the hash of everything that made them: whoever edits an
exercise, the witness or the library computes them again. Without them everything is run live.
"""

import hashlib
import importlib.metadata
import os
import sys
import tempfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from grading.exercise import Exercise
from grading.exercises import find
from grading.observation.seen import Observation
from grading.observation.values import Inputs, volume
from grading.observation.wire import pack, unpack
from grading.verdict.case import ANSWER, REFERENCE, Variant, Who

__all__ = ["Recording", "forget", "of", "save"]

PACKAGE = Path(__file__).resolve().parent
FOLDER = PACKAGE.parent / "_build" / "observations"
#: What makes an observation and its inputs, beside the exercise's own chapter.
MAKERS = (
    "observation", "witness", "steps.py", "exercise.py", "tolerance.py", "apart.py", "asking.py",
    "late.py", "exercises/shared", "verdict/case.py",
)  # fmt: skip
#: So many numbers may the inputs hold on which it is kept what a product of two mistakes does.
SMALL = 200
#: What a folder of code computes with.
CODE = {".py", ".npz"}


def _is_product(who: Who) -> bool:
    return isinstance(who, tuple) and "+" in who[0]


@dataclass(slots=True, eq=False)
class Recording:
    """The inputs of an exercise's probes, and what its own functions do on them.

    Attributes:
        inputs: by the probe's name and the variant.
        known: by who was asked, on which probe, in which variant, for what.
        read: how many observations came from a file.
    """

    inputs: dict[tuple[str, Variant], Inputs] = field(default_factory=dict)
    known: dict[tuple[Who, str, Variant, tuple[str, ...]], Observation] = field(
        default_factory=dict
    )
    read: int = 0

    def keep(self, who: Who, place: tuple[str, Variant], see: tuple[str, ...], seen: Observation,
             inputs: Inputs) -> None:  # fmt: skip
        """Keep an observation, if it is worth its room.

        There are thousands of products of two mistakes. Small inputs part them: what they do there
        is kept for the next check. On large ones hardly any is ever asked.
        """
        if not _is_product(who) or volume(inputs) <= SMALL:
            self.known[who, *place, see] = seen

    def place(self, who: Who, inputs: Inputs) -> tuple[str, Variant] | None:
        """Return under which probe and variant a run on these inputs is kept, or None if none.

        What a learner hands to an exercise's own functions is no probe; it goes by its content.
        """
        drawn = next((place for place, one in self.inputs.items() if one is inputs), None)
        if drawn is None and isinstance(who, str) and who not in (ANSWER, REFERENCE):
            return hashlib.sha256(pack(inputs)).hexdigest(), "as drawn"
        return drawn


# By the exercise's identity: two that differ in one function may share a name.
_kept: dict[int, tuple[Exercise, Recording]] = {}


def of(exercise: Exercise) -> Recording:
    """Return what is recorded of an exercise; what is added to it is kept."""
    if id(exercise) not in _kept:
        recording = _read(exercise) if find(exercise.name) is exercise else Recording()
        _kept[id(exercise)] = (exercise, recording)
    return _kept[id(exercise)][1]


def forget() -> None:
    """Forget what is kept in memory."""
    _kept.clear()


def save(exercise: Exercise) -> None:
    """Write what is recorded of an exercise, if that is more than was read."""
    recording = of(exercise)
    # Thousands of products would be read by each check, and are run in the time of reading them.
    known = {key: seen for key, seen in recording.known.items() if not _is_product(key[0])}
    if len(known) == recording.read or find(exercise.name) is not exercise:
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=FOLDER)
    with os.fdopen(handle, "wb") as file:
        file.write(pack((made_by(exercise), recording.inputs, known)))
    Path(name).replace(FOLDER / f"{exercise.name}.bin")
    recording.read = len(known)


def _read(exercise: Exercise) -> Recording:
    path = FOLDER / f"{exercise.name}.bin"
    try:
        made, inputs, known = unpack(path.read_bytes())
    except (OSError, ValueError):
        return Recording()
    is_current = made == made_by(exercise)
    return Recording(inputs, known, len(known)) if is_current else Recording()


def made_by(exercise: Exercise, *more: str) -> str:
    """Return the hash of all that an exercise's observations depend on, and of more files."""
    chapter = f"exercises/{exercise.slug.replace('-', '_')}"
    parts = [_hash(PACKAGE / part) for part in (*MAKERS, chapter, *more)]
    parts.append(_hash(PACKAGE.parent / "course_lib"))
    parts += [f"{name} {importlib.metadata.version(name)}" for name in ("torch", "numpy")]
    return hashlib.sha256("\n".join([*parts, sys.version]).encode()).hexdigest()


@cache
def _hash(place: Path) -> str:
    """Return the hash of a file, or of all Python files and arrays of a folder."""
    inside = (path for path in sorted(place.rglob("*")) if path.suffix in CODE)
    files = list(inside) if place.is_dir() else [place]
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.relative_to(place.parent)} ".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()
