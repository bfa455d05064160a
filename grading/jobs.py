"""Work that is done once: what decides a result is hashed, and only what changed runs again."""

import hashlib
import json
import os
import threading
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import Any, TypeVar

Key = TypeVar("Key", bound=Hashable)
Result = TypeVar("Result")


def digest(parts: Iterable[bytes | str]) -> str:
    """Return one hash of several texts, each kept apart from the next."""
    total = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        total.update(len(data).to_bytes(8, "little") + data)
    return total.hexdigest()


def flat(files: Mapping[str, bytes]) -> list[bytes | str]:
    """Return names and contents in order, to be hashed."""
    return [part for name in sorted(files) for part in (name, files[name])]


class Stamps:
    """Under which hash each job was done last, and how it ended: one small file a job.

    Args:
        folder: where the files lie; it is made with the first of them.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def is_done(self, job: str, inputs: str) -> bool:
        """Return whether a job was done with these inputs."""
        return self.noted(job).get("inputs") == inputs

    def reason(self, job: str) -> str:
        """Return why a job gave nothing when it was done last; "" where it went well."""
        return str(self.noted(job).get("reason", ""))

    def noted(self, job: str) -> dict[str, Any]:
        """Return all that was noted of a job; nothing where no whole note is there."""
        try:
            text = self._path(job).read_text(encoding="utf-8")
            return dict(json.loads(text))
        except (FileNotFoundError, ValueError, TypeError):
            return {}

    def note(self, job: str, inputs: str, reason: str = "", **facts: object) -> None:
        """Note that a job was done; a process killed meanwhile leaves the old note or the new.

        Args:
            job: its name, which is a file's name too.
            inputs: the hash of what decides its result.
            reason: why it gave nothing.
            facts: what else is to be known of it, as JSON has it.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        unfinished = self.folder / f"{job}.unfinished"
        text = json.dumps({"inputs": inputs, "reason": reason, **facts})
        unfinished.write_text(text, encoding="utf-8")
        os.replace(unfinished, self._path(job))

    def _path(self, job: str) -> Path:
        return self.folder / f"{job}.json"


def in_processes(
    call: Callable[..., Result], jobs: Mapping[Key, tuple[Any, ...]], *, processes: int = 2
) -> Iterator[tuple[Key, "Future[Result]"]]:
    """Call a function once for each job, in processes of their own; one that fails stops no other.

    Args:
        call: what is called; a function of a module, since each process imports it anew.
        jobs: the arguments of each call.
        processes: as many run at a time.

    Yields:
        Each job with its finished future, the first to finish first. The future holds the result,
        or the exception that the call raised or its process died of.
    """
    waiting = dict(jobs)
    while waiting:
        suspects = {}
        for job, run in _until_one_dies(call, waiting, processes):
            if died(run):
                suspects[job] = jobs[job]
            else:
                yield job, run
        # A dead process takes all that ran beside it along; alone, a job dies of itself only.
        for job, arguments in suspects.items():
            yield from _until_one_dies(call, {job: arguments}, 1)


def died(run: "Future[Any]") -> bool:
    """Return whether a job's process ended before it gave a result."""
    return isinstance(run.exception(), BrokenProcessPool)


def _end_with_parent() -> None:
    """Let a process end when the one that started it was killed: nobody would take its result."""
    parent = parent_process()

    def wait_for_it() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=wait_for_it, daemon=True).start()


def _until_one_dies(
    call: Callable[..., Result], waiting: dict[Key, tuple[Any, ...]], processes: int
) -> Iterator[tuple[Key, "Future[Result]"]]:
    """Take jobs from those that wait until none is left or a process dies; yield those taken."""
    with ProcessPoolExecutor(processes, get_context("spawn"), _end_with_parent) as pool:
        runs: dict[Future[Result], Key] = {}
        is_whole = True
        while runs or (waiting and is_whole):
            while waiting and is_whole and len(runs) < processes:
                job, arguments = next(iter(waiting.items()))
                try:
                    runs[pool.submit(call, *arguments)] = job
                except BrokenProcessPool:  # a process died after it had given its result
                    is_whole = False
                else:
                    del waiting[job]
            for run in wait(runs, return_when=FIRST_COMPLETED).done:
                is_whole &= not died(run)
                yield runs.pop(run), run
