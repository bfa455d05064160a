"""What a call costs: CPU seconds, peak memory, in a process of its own with one thread."""

import ctypes
import json
import math
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch

ROOT = Path(__file__).resolve().parent.parent
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "RAYON_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
MEMORY = Path("/proc/self/status")
#: In a table, for what this system does not tell.
UNKNOWN = "?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A claim that a measurement confirms or refutes.

    Attributes:
        claim: what is claimed, with its bound.
        measured: the number that came out.
        holds: whether the number is within the bound.
        why: where it may not be, for a reason that was measured: the reason.
    """

    claim: str
    measured: str
    holds: bool
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """What one benchmark tells.

    Attributes:
        title: what was measured.
        text: how, and how to read it.
        table: the numbers, in Markdown.
        bars: what they confirm.
    """

    title: str
    text: str
    table: str
    bars: tuple[Bar, ...]


def in_own_process(module: str, *arguments: object) -> Any:
    """Run ``python -m module arguments``, on one thread, and read the JSON that it prints.

    Args:
        module: a module of this package.
        arguments: what its command line expects.

    Returns:
        What it measured.
    """
    command = [sys.executable, "-m", module, *map(str, arguments)]
    result = subprocess.run(
        command, env=os.environ | ONE_THREAD, cwd=ROOT, capture_output=True, text=True
    )
    if result.returncode:
        raise RuntimeError(
            f"{' '.join(command[1:])} ended with {result.returncode}:\n{result.stderr}"
        )
    return json.loads(result.stdout)


def cpu_seconds(call: Callable[[], object], *, seconds: float = 1.0, rounds: int = 3) -> float:
    """Return the CPU seconds of a call: the median of several.

    Args:
        call: what is measured; the first call has been made before.
        seconds: measure for at least this long.
        rounds: measure at least as many calls.

    Returns:
        Seconds that this process spent computing; waiting for another process does not count.
    """
    times: list[float] = []
    while len(times) < rounds or sum(times) < seconds:
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return median(times)


def peak_bytes(call: Callable[[], object]) -> int | None:
    """Return how much memory a call needs at its worst moment, beyond what was there before.

    Args:
        call: what is measured; best the first of its size in this process, for freed memory that
            the process has kept would be used again and not be seen.

    Returns:
        VmHWM after the call minus VmRSS before it; what the call returns is included. None where
        the system has no /proc.
    """
    if not MEMORY.exists():
        return None
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)  # glibc: what was freed goes back to the system
    with suppress(OSError):  # where it is refused, an older peak may hide this one
        Path("/proc/self/clear_refs").write_text("5")  # the high-water mark falls to the present
    before = _status("VmRSS")
    result = call()
    after = _status("VmHWM")
    del result
    return max(after - before, 0)


def _status(field: str) -> int:
    found = re.search(rf"^{field}:\s+(\d+) kB$", MEMORY.read_text(), re.MULTILINE)
    if found is None:
        raise RuntimeError(f"{MEMORY} has no line {field}")
    return 1024 * int(found[1])


def exponent(sizes: Sequence[float], values: Sequence[float]) -> float:
    """Return the power of the size with which the values grow: the slope in logarithms.

    Args:
        sizes: positive, at least two different ones.
        values: positive, one per size.

    Returns:
        The least-squares slope; 2 if twice the size costs four times as much.
    """
    x, y = ([math.log(number) for number in numbers] for numbers in (sizes, values))
    x_mean, y_mean = sum(x) / len(x), sum(y) / len(y)
    covariance = sum((a - x_mean) * (b - y_mean) for a, b in zip(x, y, strict=True))
    return covariance / sum((a - x_mean) ** 2 for a in x)


def machine() -> str:
    """Return where this runs: processor, cores, instructions, versions."""
    info = Path("/proc/cpuinfo")
    names = re.search(r"^model name\s*:\s*(.+)$", info.read_text() if info.exists() else "", re.M)
    processor = names[1] if names else platform.machine()
    instructions = torch.backends.cpu.get_cpu_capability()
    return (
        f"{processor}, {os.cpu_count()} cores, {instructions}, one thread; {platform.system()}, "
        f"Python {platform.python_version()}, PyTorch {torch.__version__}"
    )


def megabytes(nbytes: int | None) -> str:
    """Write a number of bytes in MB, or that it is not known."""
    return UNKNOWN if nbytes is None else f"{nbytes / 1e6:.0f}"


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]], words: int = 1) -> str:
    """Set a table.

    Args:
        header: a title for each column.
        rows: the cells.
        words: how many columns from the left hold words; the others hold numbers.

    Returns:
        The table in Markdown.
    """
    rule = ["---" if column < words else "--:" for column in range(len(header))]
    return "\n".join("| " + " | ".join(line) + " |" for line in (header, rule, *rows))
