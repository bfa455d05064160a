"""What a function prints and warns of: cut, kept, told, and shown again as its own."""

import builtins
import inspect
import io
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from typing import Any, TextIO

from grading.observation.seen import LONG, Warned
from grading.witness.calling import is_engine, is_foreign

__all__ = ["aloud", "show", "silence", "told", "warnings_kept"]

#: So many characters of what it prints are kept where nobody listens, and let through elsewhere.
KEPT, SHOWN = 10**5, 10**4
#: So many different warnings are told.
WARNED = 20


class _Cut(io.TextIOBase):
    """Hands so many characters on to another stream, and counts those behind them."""

    def __init__(self, stream: TextIO, most: int) -> None:
        self.stream, self.left, self.lost = stream, most, 0

    def writable(self) -> bool:
        """Return that it can be written to."""
        return True

    def write(self, text: str) -> int:
        """Hand on as much as there is room for."""
        if not isinstance(text, str):
            raise TypeError(f"string argument expected, got {type(text).__name__!r}")
        passed = text[: self.left]
        self.left -= len(passed)
        self.lost += len(text) - len(passed)
        if passed:
            self.stream.write(passed)
        return len(text)

    def flush(self) -> None:
        """Let the other stream show what it has."""
        self.stream.flush()


@contextmanager
def silence() -> Iterator[io.StringIO]:
    """Let nothing be printed; yield what collects the beginning of it."""
    said = io.StringIO()
    cut = _Cut(said, KEPT)
    with redirect_stdout(cut), redirect_stderr(cut):
        yield said


@contextmanager
def aloud() -> Iterator[None]:
    """Let the beginning of what is printed through, and say how much was cut."""
    out, err = _Cut(sys.stdout, SHOWN), _Cut(sys.stderr, SHOWN)
    with redirect_stdout(out), redirect_stderr(err):
        yield
    if lost := out.lost + err.lost:
        sys.stdout.write(f"\n[cut here: the function printed {lost:,} characters more]\n")


@contextmanager
def warnings_kept() -> Iterator[list[warnings.WarningMessage]]:
    """Let no warning be shown or made an error; yield the list that collects them."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield caught


def told(
    caught: Sequence[warnings.WarningMessage], function: Callable[..., Any]
) -> tuple[Warned, ...]:
    """Return the warnings of a function as plain data, each once, and never as a line of ours."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    warned: dict[Warned, None] = {}
    for one in caught:
        if len(warned) == WARNED:
            break
        place = (str(one.filename), one.lineno)
        if is_engine(place[0]):  # it was told to blame its caller, and that is the engine
            place = (code.co_filename, code.co_firstlineno) if code else ("<answer>", 1)
        # Some warnings are shown only where they come from the notebook itself.
        module = None if is_foreign(place[0]) else getattr(function, "__module__", None)
        category = f"{one.category.__module__}.{one.category.__qualname__}"
        warned[Warned(category, str(one.message)[:LONG], *place, module)] = None
    return tuple(warned)


def show(warned: Sequence[Warned], label: str = "") -> None:
    """Give warnings again, under their own names and at their own places."""
    for one in warned:
        module, _, name = one.category.rpartition(".")
        known = getattr(sys.modules.get(module, builtins), name, UserWarning)
        is_warning = isinstance(known, type) and issubclass(known, Warning)
        category = known if is_warning else UserWarning
        # Where warnings are errors they must be none of ours.
        with suppress(Warning):
            warnings.warn_explicit(
                f"{label}{one.text}", category, one.filename, one.line, module=one.module
            )
