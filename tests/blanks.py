"""What stands in a notebook before a learner has filled it in."""

from collections.abc import Callable
from typing import Any

from grading.exercise import Exercise

#: What a blank goes by among recorded answers.
BLANK = ("blank", 0)


def blank(exercise: Exercise) -> Callable[..., Any]:
    """Return the blank of an exercise."""
    # A default that a notebook gives by its name goes by it in the signature.
    space: dict[str, Any] = {repr(one): one for one in exercise.defaults.values()}
    exec(f"def {exercise.name}({exercise.signature}):\n    raise NotImplementedError()", space)
    function: Callable[..., Any] = space[exercise.name]
    return function
