"""What mine.py is made with: a learner's function under the library's name and arguments."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

from grading.late import late

__all__ = ["own"]

Function = Callable[..., Any]


def own(part: str) -> Callable[[Callable[[], Function]], Function]:
    """Return a decorator that turns a scope into the function which it returns.

    That function is called as the library's is. A learner's arguments may have other names and no
    defaults; a check hands all of them over in order, and so does this. An option of the library's
    that a call leaves alone, such as a device, is no argument of the contract.

    Args:
        part: the full name of the library's function, "course_lib.softmax.softmax".
    """
    module, _, name = part.rpartition(".")

    def made(scope: Callable[[], Function]) -> Function:
        answer = scope()
        signature = inspect.signature(getattr(late(module), name))

        @functools.wraps(answer, updated=())
        def called(*arguments: Any, **named: Any) -> Any:
            given = signature.bind(*arguments, **named)
            given.apply_defaults()
            options = {name: value for name, value in given.kwargs.items() if name in named}
            return answer(*given.args, **options)

        called.__name__ = called.__qualname__ = name
        called.__signature__ = signature  # type: ignore[attr-defined]
        return called

    return made
