"""Call a learner's function: within a time limit, and with every error kept as an outcome."""

import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

__all__ = ["Called", "call"]


class OutOfTimeError(BaseException):
    """Raised inside the learner's function; no ``except Exception`` of theirs can swallow it."""


@dataclass(frozen=True, slots=True)
class Called:
    """What one call did: it returned a value, raised an error, or ran out of time."""

    value: Any = None
    error: BaseException | None = None
    timed_out: bool = False

    @property
    def returned(self) -> bool:
        """Whether the function came to its end."""
        return self.error is None and not self.timed_out


def call(function: Callable[..., Any], arguments: list[Any], seconds: float) -> Called:
    """Call the function and keep whatever happens.

    On the main thread of POSIX an alarm interrupts a loop that does not end. Elsewhere the function
    runs in a thread of its own, which is left behind when its time is over.
    """
    in_main = threading.current_thread() is threading.main_thread()
    if hasattr(signal, "setitimer") and in_main:
        return _with_alarm(function, arguments, seconds)
    return _in_thread(function, arguments, seconds)


def _guarded(function: Callable[..., Any], arguments: list[Any]) -> Called:
    try:
        return Called(value=function(*arguments))
    except OutOfTimeError:
        return Called(timed_out=True)
    except BaseException as error:
        return Called(error=error)


def _with_alarm(function: Callable[..., Any], arguments: list[Any], seconds: float) -> Called:
    try:
        with _alarm(seconds):
            return _guarded(function, arguments)
    except OutOfTimeError:  # the alarm rang between the function's end and the timer's
        return Called(timed_out=True)


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    def ring(number: int, frame: FrameType | None) -> None:
        raise OutOfTimeError

    previous = signal.signal(signal.SIGALRM, ring)
    # It rings again and again: an answer may swallow the first one.
    signal.setitimer(signal.ITIMER_REAL, seconds, 0.2)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


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
        if "site-packages" not in frame.filename and frame.filename != __file__
    ]
    return (frames[-1].lineno or 0, frames[-1].line or "") if frames else None
