"""Open nbgrader's own pages for instructors on a course directory."""

import subprocess
import sys
from pathlib import Path

from grading.course_directory import scripts_on_path


def server_command(course: Path, *options: str) -> list[str]:
    """Return the command of a Jupyter server on this machine only, with the formgrader in it."""
    return [
        sys.executable,
        "-m",
        "jupyter",
        "lab",
        f"--ServerApp.root_dir={course}",
        "--ServerApp.ip=127.0.0.1",
        "--LabApp.default_url=/formgrader",
        *options,
    ]


def open_formgrader(course: Path, options: list[str]) -> int:
    """Start the server in the course's folder, where nbgrader looks for the settings."""
    course = course.resolve()
    scripts_on_path()
    try:
        return subprocess.call(server_command(course, *options), cwd=course)
    except KeyboardInterrupt:
        return 0
