"""Runs one page's code in a fresh kernel. Called in a process of its own, so it imports little."""

import os
from typing import Any

from jupyter_cache.executors.utils import single_nb_execution
from nbclient.exceptions import DeadKernelError


def run_page(notebook: Any, folder: str, timeout: int) -> tuple[Any, float, str]:
    """Execute a notebook.

    Returns:
        The notebook with its outputs, the CPU seconds that its kernel took, and the traceback of
        the cell that failed: empty when none did.
    """
    before = seconds_of_children()
    try:
        result = single_nb_execution(notebook, cwd=folder, timeout=timeout, allow_errors=False)
        failure = result.exc_string or ""
    except DeadKernelError as error:
        failure = str(error)
    return notebook, round(seconds_of_children() - before, 1), failure


def seconds_of_children() -> float:
    """Return the CPU seconds of this process's ended children: its kernels (0 on Windows)."""
    times = os.times()
    return times.children_user + times.children_system
