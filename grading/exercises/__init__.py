"""The exercises of every chapter. A new module here is found by itself."""

import importlib
import pkgutil
from functools import cache

from grading.exercise import Exercise

__all__ = ["all_exercises", "find", "names"]


@cache
def all_exercises() -> tuple[Exercise, ...]:
    """Return every exercise of every chapter, in the modules' alphabetical order."""
    found: dict[str, Exercise] = {}
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda module: module.name):
        for exercise in getattr(
            importlib.import_module(f"{__name__}.{module.name}"), "EXERCISES", ()
        ):
            if exercise.name in found:
                raise ValueError(
                    f"an exercise's name is unique in the course; {exercise.name} stands in "
                    f"{found[exercise.name].slug} and in {exercise.slug}"
                )
            found[exercise.name] = exercise
    return tuple(found.values())


def find(name: str) -> Exercise | None:
    """Return the exercise of that name, or None."""
    return next((exercise for exercise in all_exercises() if exercise.name == name), None)


def names() -> list[str]:
    """Return the names of all exercises."""
    return [exercise.name for exercise in all_exercises()]
