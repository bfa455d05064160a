"""Start JupyterLab, for learners on work/ and for instructors on a course directory."""

import os
import subprocess
import sys
from pathlib import Path

from grading.course_directory import scripts_on_path


def server_command(folder: Path, options: list[str]) -> list[str]:
    """Return the command of a JupyterLab that only this machine can reach."""
    command = [sys.executable, "-m", "jupyter", "lab", "--ServerApp.ip=127.0.0.1"]
    command.append(f"--ServerApp.root_dir={folder}")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")  # in a container there is often no other user
    return [*command, *options]


def open_lab(folder: Path, options: list[str]) -> int:
    """Run JupyterLab in a folder until it is stopped; nbgrader looks for its settings there."""
    folder = folder.resolve()
    scripts_on_path()
    try:
        return subprocess.call(server_command(folder, options), cwd=folder)
    except KeyboardInterrupt:
        return 0
