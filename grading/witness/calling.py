"""Call a learner's function: within a time limit, and with every error kept as an outcome."""

import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch

from grading.observation.seen import PATIENCE, Error
from grading.witness.insisting import POLITE, Insistence, OutOfTimeError, go_on, last_one, watched

__all__ = [
    "Called",
    "Clock",
    "call",
    "is_engine",
    "is_foreign",
    "outcome",
    "settings_kept",
    "told_error",
    "undisturbed",
]

# Whose lines are no learner's: Python's own, installed packages', and the engine's.
_STANDARD_LIBRARY = str(Path(os.__file__).parent)
_ENGINE = str(Path(__file__).parent.parent)


#: Holds an entry while a message is half written or half read; the alarm then rings later.
_exchanges: list[None] = []
#: Holds an entry where it rang meanwhile.
_rang: list[None] = []


@contextmanager
def undisturbed() -> Iterator[None]:
    """Let no alarm tear a message apart; one that rings meanwhile counts as soon as it is whole."""
    _exchanges.append(None)
    try:
        yield
    finally:
        _exchanges.pop()
    if _rang and threading.current_thread() is threading.main_thread():
        raise OutOfTimeError


@dataclass(frozen=True, slots=True)
class Called:
    """What one call did: it returned a value, raised an error, or ran out of time.

    Attributes:
        deaf: whether it caught, again and again, what was raised to stop it.
    """

    value: Any = None
    error: BaseException | None = None
    timed_out: bool = False
    deaf: bool = False

    @property
    def returned(self) -> bool:
        """Whether the function came to its end."""
        return self.error is None and not self.timed_out


class Clock:
    """Tells the seconds since it was made, of which a busy machine gives a process only some.

    Where others have the machine, what the process computed counts and not the clock on the wall;
    where it sleeps, a part of what it slept.
    """

    def __init__(self) -> None:
        self.start, self.computed = time.monotonic(), time.process_time()

    @property
    def spent(self) -> float:
        """The seconds that count."""
        wall, computed = time.monotonic() - self.start, time.process_time() - self.computed
        return min(wall, max(computed, wall / PATIENCE))


def call(function: Callable[..., Any], arguments: list[Any], seconds: float) -> Called:
    """Call the function and keep whatever happens.

    On the main thread of POSIX an alarm interrupts a loop that does not end. Elsewhere the function
    runs in a thread of its own, in which it is stopped. Whoever catches that is made to stop; a
    call into C that never ends is left behind, and on the main thread waited for.
    """
    in_main = threading.current_thread() is threading.main_thread()
    by = _with_alarm if hasattr(signal, "setitimer") and in_main else _in_thread
    with settings_kept():
        return by(function, arguments, seconds)


@contextmanager
def settings_kept() -> Iterator[None]:
    """Run with NumPy's usual warnings and on the CPU, whatever a learner has set for all code.

    What is set inside is undone: it would spoil every check after its own.
    """
    gradients, dtype = torch.is_grad_enabled(), torch.get_default_dtype()
    device = torch.get_default_device()
    _set_device(torch.device("cpu"))
    try:
        with np.errstate(all="warn", under="ignore"):
            yield
    finally:
        torch.set_grad_enabled(gradients)
        torch.set_default_dtype(dtype)
        _set_device(device)


def _set_device(device: torch.device) -> None:
    # Setting it makes every later call slower, so the CPU is set by setting none.
    if torch.get_default_device() != device:
        torch.set_default_device(None if device.type == "cpu" else device)


def outcome(function: Callable[..., Any], arguments: list[Any]) -> Called:
    """Return what a function does, where a clock is running already; its end passes through."""
    try:
        return Called(value=function(*arguments))
    except OutOfTimeError:
        raise
    except BaseException as error:  # SystemExit and KeyboardInterrupt are outcomes as well
        return Called(error=error)


#: A call that was stopped; made before, because while somebody insists nothing can be called.
STOPPED = Called(timed_out=True)


def _caught(function: Callable[..., Any], arguments: list[Any]) -> Called:
    # A function of its own: Python 3.11 passes over a handler in the frame of `while True: pass`.
    try:
        return outcome(function, arguments)
    except OutOfTimeError:  # with it goes what its frames hold, while somebody may insist still
        return STOPPED


def _guarded(function: Callable[..., Any], arguments: list[Any], runs: list[Any]) -> Called:
    """Call the function; whatever is raised to stop it ends here, and `runs` is empty then."""
    last = last_one()
    try:
        try:
            return _caught(function, arguments)
        finally:
            runs.clear()
    except OutOfTimeError:
        try:
            last()
        except OutOfTimeError:
            go_on()  # a check may stand inside a function that is stopped itself
    return STOPPED


def _with_alarm(function: Callable[..., Any], arguments: list[Any], seconds: float) -> Called:
    over = has_rung = False
    runs = [function]

    def ring(number: int, frame: FrameType | None) -> None:
        nonlocal has_rung
        if over or clock.spent < limit:
            return
        has_rung = True
        if not _exchanges:
            raise OutOfTimeError
        _rang.append(None)

    _rang.clear()
    handler = signal.signal(signal.SIGALRM, ring)
    earlier, interval = signal.getitimer(signal.ITIMER_REAL)
    clock, limit = Clock(), min(seconds, earlier or seconds)
    with watched(runs, lambda: clock.spent > limit + POLITE and not _exchanges) as watch:
        # It rings again and again: an answer may swallow the first one.
        signal.setitimer(signal.ITIMER_REAL, limit, 0.2)
        try:
            called = _guarded(function, arguments, runs)
        except OutOfTimeError:  # it rang between the function's end and the timer's
            called = STOPPED
        finally:
            over = True
            _rang.clear()
            # Whoever had set an alarm gets it back, with the time that it has left.
            left = max(earlier - (time.monotonic() - clock.start), 1e-3) if earlier else 0.0
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, signal.SIG_DFL if handler is None else handler)
            signal.setitimer(signal.ITIMER_REAL, left, interval)
    deaf = watch.insistence is not None
    # Python itself swallows what is raised in a `__del__`: whoever returns late was stopped.
    return Called(timed_out=True, deaf=deaf) if has_rung or deaf else called


def _in_thread(function: Callable[..., Any], arguments: list[Any], seconds: float) -> Called:
    done: list[Called] = []
    runs = [function]
    thread = threading.Thread(
        target=lambda: done.append(_guarded(function, arguments, runs)), daemon=True
    )
    clock = Clock()
    thread.start()
    insistence = Insistence(thread.ident or 0, runs)
    try:
        while thread.is_alive() and clock.spent < seconds:
            thread.join(max(seconds - clock.spent, 0.01))
        if not done:
            insistence.stop(thread)
            return STOPPED
    except BaseException:  # this thread is stopped itself, in a check inside a check
        insistence.again()
        raise
    return done[0]


def told_error(error: BaseException) -> Error:
    """Return an error as plain data; one whose text raises is still an error."""
    return Error.of(error, _learner_line(error))


def _learner_line(error: BaseException) -> tuple[int, str] | None:
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
