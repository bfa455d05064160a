"""Stop code that catches whatever is raised in it: the next one comes before it can go on."""

import ctypes
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

__all__ = ["POLITE", "STUBBORN", "Insistence", "OutOfTimeError", "go_on", "last_one", "watched"]

#: Seconds of asking before anybody insists: whoever tidies up in a `finally` has them.
POLITE = 1.0
#: Seconds of insisting; what does not listen then is inside C.
STUBBORN = 2.0
#: Frames more for each try: where a recursion has used up all, no exception can be made.
ROOM = 30
#: Seconds between two looks, and how many without work end the watch.
TICK, IDLE = 0.1, 20


class OutOfTimeError(BaseException):
    """Raised inside the learner's function; no ``except Exception`` of theirs can swallow it."""


_signature = ctypes.PYFUNCTYPE(None, ctypes.c_ulong, ctypes.py_object)
_raise_in = _signature(("PyThreadState_SetAsyncExc", ctypes.pythonapi))


def last_one() -> Callable[[], None]:
    """Return what raises one more exception right where it is called, and none behind it.

    Whoever was insisted upon calls it, and catches that. It is made before a function is called:
    while somebody insists, nothing in Python can be. Taking back what waits would not do: Python
    3.11 notes that something waits until it has raised something, and under a profiler looks for
    it for ever.
    """
    return partial(_raise_in, threading.get_ident(), OutOfTimeError)


#: Who insists now, and the hook and the limit that stood before.
_insisting: set["Insistence"] = set()
_before: list[Any] = []


#: Python's own, from 3.12 on; the number is one that no debugger takes.
_monitoring: Any = getattr(sys, "monitoring", None)
TOOL = 4


def _strike(ident: int, runs: list[Any]) -> None:
    """Raise at each jump and at each call of a thread: Python 3.12 needs it.

    There what is raised at a jump counts for the place to which it leads, inside the `try`.
    """

    def strike(*_: Any) -> None:
        if threading.get_ident() == ident and runs:
            raise OutOfTimeError

    if _monitoring.get_tool(TOOL) is None:
        _monitoring.use_tool_id(TOOL, "course")
    events = _monitoring.events
    for event in (events.JUMP, events.PY_START):
        _monitoring.register_callback(TOOL, event, strike)
    _monitoring.set_events(TOOL, events.JUMP | events.PY_START)


class Insistence:
    """Raises in one thread, and each exception that is made asks for the next.

    Python raises what was asked for at each call and at each jump back. One is caught by the `try`
    around it. The next comes in whatever that handler calls, or at the jump back to the loop's
    start; there the handler does not reach, so it leaves the function. What asks is in C: a Python
    function would be the next place in which one is raised.

    Args:
        ident: the thread.
        runs: holds something as long as the function runs; whoever empties it is left alone.
    """

    def __init__(self, ident: int, runs: list[Any]) -> None:
        kind: Any = type("OutOfTimeError", (OutOfTimeError,), {})
        self.ident = ident
        self.again, self.runs = partial(_raise_in, ident, kind), runs
        kind.__init__ = staticmethod(self.again)
        self.ask = partial(_raise_in, ident, OutOfTimeError)

    def insist(self) -> None:
        """Raise until the thread takes it back, or ends."""
        if not _insisting:
            _before[:] = [sys.unraisablehook, sys.getrecursionlimit()]
        _insisting.add(self)
        # What leaves a `__del__` would be printed, by code that breaks the chain.
        sys.unraisablehook = id
        sys.setrecursionlimit(sys.getrecursionlimit() + ROOM)
        if sys.version_info[:2] == (3, 12):
            _strike(self.ident, self.runs)
        if self.runs:  # Python changes threads before this line or behind it, and not in it
            self.again()

    def end(self) -> None:
        """Put back what was changed, where nobody else insists."""
        _insisting.discard(self)
        if _before and not _insisting:
            limit, sys.unraisablehook = _before.pop(), _before.pop()
            sys.setrecursionlimit(limit)
            if sys.version_info[:2] == (3, 12):
                _monitoring.set_events(TOOL, 0)
                _monitoring.free_tool_id(TOOL)

    def stop(self, thread: threading.Thread) -> None:
        """Ask another thread to end, then insist; one that is inside C is left behind."""
        begun = time.monotonic()
        while self.runs and (late := time.monotonic() - begun) < POLITE + STUBBORN:
            (self.ask if late < POLITE else self.insist)()
            thread.join(TICK)
        self.end()
        with suppress(OutOfTimeError):
            last_one()()


def go_on() -> None:
    """Raise again what an inner call has taken back and an outer one still wants."""
    for one in list(_insisting):
        if one.ident == threading.get_ident() and one.runs:
            one.again()


class _Watched:
    """A function that runs on this thread, and insistence where it does not listen."""

    def __init__(self, runs: list[Any], is_late: Callable[[], bool]) -> None:
        self.ident, self.runs, self.is_late = threading.get_ident(), runs, is_late
        self.insistence: Insistence | None = None
        self.is_over = threading.Event()

    def look(self) -> None:
        """Insist if it is late; put all back once it has ended."""
        if self.runs and self.is_late():
            self.insistence = self.insistence or Insistence(self.ident, self.runs)
            self.insistence.insist()
        elif self.insistence is not None and not self.runs:
            self.insistence.end()
            self.is_over.set()


_lock = threading.Lock()
_all: list[_Watched] = []
_threads: list[threading.Thread] = []


@contextmanager
def watched(runs: list[Any], is_late: Callable[[], bool]) -> Iterator[_Watched]:
    """Insist, from another thread, as long as a function of this one runs and is late.

    An alarm alone is deaf where a recursion leaves its handler no frame, or where the function
    has set another.
    """
    one = _Watched(runs, is_late)
    with _lock:
        _all.append(one)
        if not _threads:
            _threads.append(threading.Thread(target=_watch, daemon=True, name="course: clock"))
            _threads[0].start()
    try:
        yield one
    finally:
        if one.insistence is not None:
            one.is_over.wait(10 * TICK)


def _watch() -> None:
    idle = 0
    while idle <= IDLE:
        time.sleep(TICK)
        with _lock:
            for one in _all:
                one.look()
            _all[:] = [one for one in _all if one.runs]
            idle = 0 if _all else idle + 1
            if idle > IDLE:
                _threads.clear()


def _forked() -> None:
    _threads.clear()
    _all.clear()


if hasattr(os, "register_at_fork"):  # a fork has none of its parent's threads
    os.register_at_fork(after_in_child=_forked)
