"""Whether sections pass now: each is run and judged in another process, which may hang or end."""

import json
import linecache
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from types import ModuleType
from typing import Any

from grading.adoption.section import Section
from grading.asking import Live, called_back
from grading.exercises import find
from grading.observation.seen import UnanswerableError
from grading.verdict.judge import judge
from grading.verdict.record import Record
from grading.witness.calling import call
from grading.witness.observe import Witness

__all__ = ["Judged", "judged"]

#: Seconds for what a section does before its function is there.
SECONDS = 5.0
#: Seconds on the wall after which a section's process is ended. A check keeps its own, shorter
#: time; this is for what cannot be interrupted.
LONGEST = 60.0
#: Seconds for a process to start, PyTorch and all.
STARTS = 120.0


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of a section: the record of its check, or why there is none."""

    record: Record | None = None
    reason: str = ""


def judged(todo: Iterable[Section], longest: float = LONGEST) -> Iterator[tuple[Section, Judged]]:
    """Yield each section with what became of it.

    One process does one after the other. Where it ends or hangs, that section is to blame, and a
    new one does the rest.
    """
    waiting = list(todo)
    context = get_context("spawn")
    while waiting:
        mine, other = context.Pipe()
        process = context.Process(target=_serve, args=(other, waiting), daemon=True)
        process.start()
        other.close()
        try:
            _receive(mine, STARTS)
            while waiting:
                found = _receive(mine, longest)
                yield waiting.pop(0), found
                if found.record is None and found.reason in (ENDED, HANGS):
                    break
        finally:
            process.kill()
            process.join()
            mine.close()


ENDED = "it ends the process in which it runs"
HANGS = "it never comes to an end"


def _receive(pipe: Connection, longest: float) -> Judged:
    """Return what a process says next."""
    try:
        if not pipe.poll(longest):
            return Judged(reason=HANGS)
        said = json.loads(pipe.recv_bytes())
    except (EOFError, OSError, ValueError):
        return Judged(reason=ENDED)
    record = said.get("record")
    return Judged(None if record is None else Record.from_json(record), said.get("reason", ""))


def _serve(pipe: Connection, todo: list[Section]) -> None:
    """Judge sections, and say of each what became of it; what they print is read by nobody."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    pipe.send_bytes(b"{}")
    for section in todo:
        pipe.send_bytes(json.dumps(_judged(section)).encode())


def _judged(section: Section) -> dict[str, Any]:
    exercise = find(section.name)
    assert exercise is not None
    made = call(_made, [section], SECONDS)
    if made.timed_out:
        return {"reason": f"what it needs takes longer than {SECONDS:g} seconds to be defined"}
    if made.error is not None:
        return {"reason": f"{type(made.error).__name__}: {made.error}"}
    witness = Witness(made.value, lambda name, given: called_back(exercise, name, given))
    try:
        return {"record": judge(exercise, Live(exercise, witness)).record.to_json()}
    except UnanswerableError as error:
        return {"reason": f"it was not judged, and that is our fault: {error}"}


def _made(section: Section) -> Callable[..., Any]:
    """Run a section as mine.py does, in a module of its own whose text can be looked up."""
    name = f"<{section.name} in mine.py>"
    linecache.cache[name] = (len(section.text), None, section.text.splitlines(True), name)
    module = ModuleType("mine")
    sys.modules["mine"] = module  # where a class of the learner's looks for its own
    exec(compile(section.text, name, "exec", dont_inherit=True), vars(module))
    answer: Callable[..., Any] = vars(module)[section.name]()
    return answer
