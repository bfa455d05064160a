"""Call a learner's function: within a time limit, and with every error kept as an outcome."""

import math
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any

import torch

__all__ = ["Called", "all_calls_within", "call", "is_engine", "learner_line", "time_is_over"]

#: Seconds that all calls of one answer may take together.
TOTAL = 10.0
# The answer under check and the moment at which its time ends; other functions are not counted.
_under_check: list[tuple[Callable[..., Any], float]] = []

# Whose lines are no learner's: Python's own, installed packages', and the engine's.
_STANDARD_LIBRARY = str(Path(os.__file__).parent)
_ENGINE = str(Path(__file__).parent)


class OutOfTimeError(BaseException):
    """Raised inside the learner's function; no ``except Exception`` of theirs can swallow it."""


@dataclass(frozen=True, slots=True)
class Called:
    """What one call did: it returned a value, raised an error, or ran out of time.

    ``in_total`` says that not this call alone was too long, but all calls together.
    """

    value: Any = None
    error: BaseException | None = None
    timed_out: bool = False
    in_total: bool = False

    @property
    def returned(self) -> bool:
        """Whether the function came to its end."""
        return self.error is None and not self.timed_out


def call(function: Callable[..., Any], arguments: list[Any], seconds: float) -> Called:
    """Call the function and keep whatever happens.

    On the main thread of POSIX an alarm interrupts a loop that does not end. Elsewhere the function
    runs in a thread of its own, which is left behind when its time is over.
    """
    left = _left(function)
    if left <= 0:
        return Called(timed_out=True, in_total=True)
    in_main = threading.current_thread() is threading.main_thread()
    by = _with_alarm if hasattr(signal, "setitimer") and in_main else _in_thread
    with _settings_kept():
        called = by(function, arguments, min(seconds, left))
    return replace(called, in_total=True) if called.timed_out and left < seconds else called


@contextmanager
def all_calls_within(answer: Callable[..., Any], seconds: float = TOTAL) -> Iterator[None]:
    """Let all calls of an answer together take no longer than this."""
    _under_check.append((answer, time.monotonic() + seconds))
    try:
        yield
    finally:
        _under_check.pop()


def _left(function: Callable[..., Any]) -> float:
    ends = [end for answer, end in _under_check if answer is function]
    return ends[-1] - time.monotonic() if ends else math.inf


def time_is_over(answer: Callable[..., Any]) -> bool:
    """Return whether an answer has used up the time of all its calls."""
    return _left(answer) <= 0


@contextmanager
def _settings_kept() -> Iterator[None]:
    """Undo what an answer sets for all of PyTorch: it would spoil every check after its own."""
    gradients, dtype = torch.is_grad_enabled(), torch.get_default_dtype()
    try:
        yield
    finally:
        torch.set_grad_enabled(gradients)
        torch.set_default_dtype(dtype)


def _guarded(function: Callable[..., Any], arguments: list[Any]) -> Called:
    # A function of its own: Python 3.11 passes over a handler in the frame of `while True: pass`.
    try:
        return Called(value=function(*arguments))
    except OutOfTimeError:
        return Called(timed_out=True)
    except BaseException as error:  # SystemExit and KeyboardInterrupt are outcomes as well
        return Called(error=error)


def _with_alarm(function: Callable[..., Any], arguments: list[Any], seconds: float) -> Called:
    over = False

    def ring(number: int, frame: FrameType | None) -> None:
        if not over:
            raise OutOfTimeError

    handler = signal.signal(signal.SIGALRM, ring)
    earlier, _ = signal.getitimer(signal.ITIMER_REAL)
    start = time.monotonic()
    # It rings again and again: an answer may swallow the first one.
    signal.setitimer(signal.ITIMER_REAL, min(seconds, earlier or seconds), 0.2)
    try:
        called = _guarded(function, arguments)
    except OutOfTimeError:  # it rang between the function's end and the timer's
        called = Called(timed_out=True)
    finally:
        over = True
        # Whoever had set an alarm gets it back, with the time that it has left.
        left = max(earlier - (time.monotonic() - start), 1e-3) if earlier else 0.0
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL if handler is None else handler)
        signal.setitimer(signal.ITIMER_REAL, left)
    return called


def _in_thread(function: Callable[..., Any], arguments: list[Any], seconds: float) -> Called:
    done: list[Called] = []
    thread = threading.Thread(
        target=lambda: done.append(_guarded(function, arguments)), daemon=True
    )
    thread.start()
    thread.join(seconds)
    return done[0] if done else Called(timed_out=True)


def learner_line(error: BaseException) -> tuple[int, str] | None:
    """Return the line of the learner's own code at which an error arose, and its text."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not is_foreign(frame.filename)
    ]
    return (frames[-1].lineno or 0, frames[-1].line or "") if frames else None


def is_foreign(filename: str) -> bool:
    """Return whether a file is no learner's: Python's own, an installed package's, the engine's."""
    if "site-packages" in filename or filename.startswith("<frozen"):
        return True
    return is_engine(filename) or filename.startswith(_STANDARD_LIBRARY)


def is_engine(filename: str) -> bool:
    """Return whether a file is one of the engine's own, and none of its catalogue."""
    return filename.startswith(_ENGINE) and f"{os.sep}exercises{os.sep}" not in filename
