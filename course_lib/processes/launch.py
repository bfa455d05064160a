"""Start several processes on this machine, and bring their results home or say who failed."""

import multiprocessing
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from datetime import timedelta
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from course_lib.sizes import require_above_zero, require_positive

__all__ = ["run_ranks"]

#: Seconds that the others have, once a rank has failed, to see it and say so. Who needs them all
#: waits for something that the failed rank has nothing to do with.
GRACE = 20.0

#: The loopback's name. On Windows gloo finds it by itself.
LOOPBACK = {"linux": "lo", "darwin": "lo0"}


def run_ranks(
    work: Callable[..., Any], num_ranks: int, *arguments: Any, timeout: float = 60.0
) -> list[Any]:
    """Run the same function in P processes that can reach each other, one thread each.

    The processes speak over the loopback, by gloo, and find each other through a file, so no port
    has to be free. In ``work`` the default group of ``torch.distributed`` is ready.

    Args:
        work: called as ``work(rank, num_ranks, *arguments)``; a function of a module, since each
            process imports it anew. A script that calls ``run_ranks`` does so under
            ``if __name__ == "__main__"``.
        num_ranks: P, the processes.
        arguments: what each of them gets besides, sent by pickle.
        timeout: seconds for all of it, and for a message that does not come.

    Returns:
        What each rank returned, by rank: tensors, numbers, strings, and lists, tuples and dicts of
        them.

    Raises:
        ValueError: if there is no process, or no time.
        RuntimeError: if a rank raised, died or was late; the error names each that did, and the
            others are ended. No process is left.

    Source: ``torch.distributed``; the file store and gloo's own time limit are its.
    """
    require_positive(num_ranks=num_ranks)
    require_above_zero("timeout", timeout, "a time limit in seconds")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        context = multiprocessing.get_context("spawn")
        processes = [
            context.Process(
                target=_run, args=(work, rank, num_ranks, arguments, folder, timeout), daemon=True
            )
            for rank in range(num_ranks)
        ]
        for process in processes:
            process.start()
        try:
            patience = _wait(processes, timeout)
            failures = _failures(processes, folder, patience)
        finally:
            _end(processes)
        if failures:
            raise RuntimeError(f"of {num_ranks} ranks not all came back: " + "; ".join(failures))
        return [torch.load(_result(folder, rank)) for rank in range(num_ranks)]


def _run(
    work: Callable[..., Any],
    rank: int,
    num_ranks: int,
    arguments: tuple[Any, ...],
    folder: Path,
    timeout: float,
) -> None:
    if sys.platform in LOOPBACK:
        os.environ["GLOO_SOCKET_IFNAME"] = LOOPBACK[sys.platform]
    torch.set_num_threads(1)
    try:
        dist.init_process_group(
            "gloo",
            init_method=(folder / "meeting").as_uri(),
            rank=rank,
            world_size=num_ranks,
            timeout=timedelta(seconds=timeout),
        )
        torch.save(work(rank, num_ranks, *arguments), _result(folder, rank))
        dist.barrier()  # whoever leaves early closes connections that others still read
    except BaseException as error:
        _reason(folder, rank).write_text(f"{type(error).__name__}: {error}", encoding="utf-8")
        traceback.print_exc()
        # Without the farewell of a group whose other members may be gone.
        os._exit(1)
    dist.destroy_process_group()


def _wait(processes: Sequence[BaseProcess], timeout: float) -> str:
    """Return when all have ended, or their time has: how long that was, for the message."""
    deadline, patience, failed = time.monotonic() + timeout, f"limit {timeout:g} s", False
    while any(process.is_alive() for process in processes) and time.monotonic() < deadline:
        if not failed and any(process.exitcode for process in processes):
            failed, last = True, time.monotonic() + GRACE
            if last < deadline:
                deadline, patience = last, f"{GRACE:g} s after another failed"
        time.sleep(0.01)
    return patience


def _failures(processes: Sequence[BaseProcess], folder: Path, patience: str) -> list[str]:
    found = []
    for rank, process in enumerate(processes):
        if process.exitcode == 0 and _result(folder, rank).exists():
            continue
        if _reason(folder, rank).exists():
            found.append(f"rank {rank}: {_reason(folder, rank).read_text(encoding='utf-8')}")
        elif process.exitcode is None:
            found.append(f"rank {rank} had not come back when it was ended ({patience})")
        else:
            found.append(f"rank {rank} died without a word, with exit code {process.exitcode}")
    return found


def _end(processes: Sequence[BaseProcess]) -> None:
    for process in processes:
        if process.is_alive():
            process.kill()
    for process in processes:
        process.join()


def _result(folder: Path, rank: int) -> Path:
    return folder / f"{rank}.pt"


def _reason(folder: Path, rank: int) -> Path:
    return folder / f"{rank}.txt"
