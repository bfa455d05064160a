"""The exercises of every chapter. A new module here is found by itself."""

import importlib
import pkgutil
from functools import cache

from grading.exercise import Exercise

__all__ = ["all_exercises", "find", "names", "parts"]


@cache
def all_exercises() -> tuple[Exercise, ...]:
    """Return every exercise of every chapter, in the modules' alphabetical order."""
    found: dict[str, Exercise] = {}
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda module: module.name):
        for exercise in getattr(
            importlib.import_module(f"{__name__}.{module.name}"), "EXERCISES", ()
        ):
            for name in (exercise.name, *exercise.formerly):
                if name in found:
                    raise ValueError(
                        f"an exercise's name is unique in the course, a former one too; {name} "
                        f"stands in {found[name].slug} and in {exercise.slug}"
                    )
                found[name] = exercise
    return tuple(exercise for name, exercise in found.items() if name == exercise.name)


def find(name: str) -> Exercise | None:
    """Return the exercise that has that name, or had it once, or None."""
    return next((one for one in all_exercises() if name in (one.name, *one.formerly)), None)


def names() -> list[str]:
    """Return the names of all exercises."""
    return [exercise.name for exercise in all_exercises()]


def parts() -> tuple[Exercise, ...]:
    """Return the exercises whose answers can stand for a function of the library."""
    return tuple(one for one in all_exercises() if one.part)
