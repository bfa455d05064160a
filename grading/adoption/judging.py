"""Whether sections pass now: each is run and judged in another process, which may hang or end."""

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection

from grading.adoption.section import Section
from grading.verdict.record import Record

__all__ = ["ENDED", "HANGS", "Judged", "judged"]

#: What is said of a section that took its process along, or of which nothing was heard.
ENDED = "it ends the process in which it runs"
HANGS = "it never comes to an end"
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

    Raises:
        RuntimeError: if no process starts.
    """
    waiting = list(todo)
    context = get_context("spawn")
    while waiting:
        mine, other = context.Pipe()
        process = context.Process(target=_serve, args=(other, waiting), daemon=True)
        process.start()
        other.close()
        try:
            if _receive(mine, STARTS).reason:
                raise RuntimeError("no process could be started in which answers are judged")
            while waiting:
                found = _receive(mine, longest)
                yield waiting.pop(0), found
                if found.record is None and found.reason in (ENDED, HANGS):
                    break
        finally:
            process.kill()
            process.join()
            mine.close()


def _receive(pipe: Connection, longest: float) -> Judged:
    """Return what a process says next."""
    try:
        if not pipe.poll(longest):
            return Judged(reason=HANGS)
        said = json.loads(pipe.recv_bytes())
        record = None if said["record"] is None else Record.from_json(said["record"])
        return Judged(record, said["reason"])
    except (EOFError, OSError, ValueError):
        return Judged(reason=ENDED)


def _serve(pipe: Connection, todo: list[Section]) -> None:
    """Judge sections, and say of each what became of it; what they print is read by nobody."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    from grading.adoption.trial import judge_one  # with PyTorch, which is needed here alone

    _send(pipe, Judged())
    for section in todo:
        _send(pipe, judge_one(section))


def _send(pipe: Connection, one: Judged) -> None:
    record = None if one.record is None else one.record.to_json()
    pipe.send_bytes(json.dumps({"record": record, "reason": one.reason}).encode())
