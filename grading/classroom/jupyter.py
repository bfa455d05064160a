"""Start JupyterLab, for learners on work/ and for instructors on a course directory."""

import functools
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from grading.classroom.course_directory import scripts_on_path
from grading.words import links


def server_command(folder: Path, options: list[str]) -> list[str]:
    """Return the command of a JupyterLab that only this machine can reach."""
    command = [sys.executable, "-m", "jupyter", "lab", "--ServerApp.ip=127.0.0.1"]
    command.append(f"--ServerApp.root_dir={folder}")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")  # in a container there is often no other user
    return [*command, *options]


class _Silent(SimpleHTTPRequestHandler):
    """Serve files and write no line for each of them into JupyterLab's own log."""

    def log_message(self, format: str, *values: Any) -> None:
        """Write nothing."""


#: The port of the book beside a lab, where it is free: links in saved outputs then work again.
PORT = 8765


@contextmanager
def book_served() -> Iterator[None]:
    """Serve the book of this machine, so that a notebook's links to its equations work.

    A browser follows no link from a page of a server to a file, and JupyterLab opens what its own
    server holds as a document of its own, without styles. So a server for the book alone stands
    beside it. It serves whatever is built by then: nobody waits for a build, and a book that is
    built later is linked from the next check on. Kernels inherit the variable that says where.
    """
    handler = functools.partial(_Silent, directory=str(links.BUILT))
    with _first_free(handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        os.environ[links.SERVED] = f"http://127.0.0.1:{server.server_port}"
        try:
            yield
        finally:
            os.environ.pop(links.SERVED)
            server.shutdown()


def _first_free(handler: Any) -> ThreadingHTTPServer:
    try:
        return ThreadingHTTPServer(("127.0.0.1", PORT), handler)
    except OSError:  # another lab has it
        return ThreadingHTTPServer(("127.0.0.1", 0), handler)


def open_lab(folder: Path, options: list[str]) -> int:
    """Run JupyterLab in a folder, with the book that was built here."""
    with book_served():
        return run_lab(folder.resolve(), options)


def open_formgrader(course: Path, options: list[str]) -> int:
    """Run the formgrader on a course directory.

    What its button grades is given back, so it links to the published book and to no server here.
    """
    return run_lab(course.resolve(), ["--LabApp.default_url=/formgrader", *options])


def run_lab(folder: Path, options: list[str]) -> int:
    """Run JupyterLab in a folder until it is stopped; nbgrader looks for its settings there."""
    scripts_on_path()
    try:
        return subprocess.call(server_command(folder, options), cwd=folder)
    except KeyboardInterrupt:
        return 0
