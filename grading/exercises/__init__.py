"""The exercises of every chapter. A new module here is found by itself."""

import importlib
import pkgutil
from collections.abc import Iterator
from functools import cache
from itertools import chain

from grading.exercise import Exercise

__all__ = ["all_exercises", "find", "names", "parts", "retired"]


@cache
def all_exercises() -> tuple[Exercise, ...]:
    """Return every exercise of every chapter, in the modules' alphabetical order."""
    exercises = tuple(_listed("EXERCISES"))
    found: dict[str, Exercise] = {}
    for exercise in chain(exercises, retired()):
        for name in (exercise.name, *exercise.formerly):
            if name in found:
                raise ValueError(
                    f"an exercise's name is unique in the course, a former one too; {name} "
                    f"stands in {found[name].slug} and in {exercise.slug}"
                )
            found[name] = exercise
    return exercises


def retired() -> tuple[Exercise, ...]:
    """Return what only older copies of the notebooks ask, and is still checked there."""
    return tuple(_listed("RETIRED"))


def _listed(name: str) -> Iterator[Exercise]:
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda module: module.name):
        yield from getattr(importlib.import_module(f"{__name__}.{module.name}"), name, ())


def find(name: str) -> Exercise | None:
    """Return the exercise that has that name, or had it once, or None."""
    known = chain(all_exercises(), retired())
    return next((one for one in known if name in (one.name, *one.formerly)), None)


def names() -> list[str]:
    """Return the names of all exercises of today."""
    return [exercise.name for exercise in all_exercises()]


def parts() -> tuple[Exercise, ...]:
    """Return the exercises whose answers can stand for a function of the library."""
    return tuple(one for one in all_exercises() if one.part)
