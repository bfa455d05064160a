"""A function whose kernel Triton interprets runs in a process that is told so before it starts."""

import importlib
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch

ROOT = Path(__file__).resolve().parent.parent


def interpreted(
    function: Callable[..., Any], calls: Sequence[tuple[Any, ...]], folder: Path
) -> list[Any]:
    """Return what the function gives for each tuple of arguments, all from one process.

    Triton reads TRITON_INTERPRET when it is imported, and other libraries import it too.
    """
    if find_spec("triton") is None:
        pytest.fail(
            "the package triton is not installed; requirements-dev.txt names it for Linux, and "
            "`make env-dev` installs it"
        )
    asked, given = folder / "asked.pt", folder / "given.pt"
    torch.save((function.__module__, function.__name__, list(calls)), asked)
    settings = {"TRITON_INTERPRET": "1", "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    ran = subprocess.run(
        [sys.executable, __file__, asked, given],
        env=os.environ | settings,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    return list(torch.load(given))


def answer(asked: str, given: str) -> None:
    """Call the function as often as the file says, and write what it returned."""
    module, name, calls = torch.load(asked)
    function = getattr(importlib.import_module(module), name)
    torch.save([function(*arguments) for arguments in calls], given)


if __name__ == "__main__":
    answer(*sys.argv[1:])
