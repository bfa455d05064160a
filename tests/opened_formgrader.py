"""The formgrader as `python -m grading formgrader` opens it, without a browser: pages and log."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TOKEN = "for-this-test"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Opened:
    """A server that runs, and what it has logged."""

    def __init__(self, port: int, log: Path) -> None:
        self.base = f"http://127.0.0.1:{port}"
        self.log = log

    def get(self, path: str) -> str:
        """Return a page; one that is no page raises."""
        headers = {"Authorization": f"token {TOKEN}"}
        request = urllib.request.Request(self.base + path, headers=headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return str(answer.read().decode())

    def alarms(self) -> list[str]:
        """Return what the log holds besides information."""
        lines = self.log.read_text(encoding="utf-8").splitlines()
        return [line for line in lines if line.strip() and not line.startswith(("[I ", "    "))]


@contextmanager
def opened_formgrader(course: Path, place: Path) -> Iterator[Opened]:
    """Run the formgrader on a course directory until the block ends."""
    port, log = free_port(), place / "server.log"
    options = ["--no-browser", f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]
    command = [sys.executable, "-m", "grading", "formgrader", str(course), *options]
    own = {"HOME": str(place), "PYTHONPATH": os.environ.get("PYTHONPATH", ""), "PATH": "/usr/bin"}
    own |= {f"JUPYTER_{kind}_DIR": str(place / kind) for kind in ("CONFIG", "RUNTIME")}
    environment = os.environ | own | {"JUPYTER_TOKEN": TOKEN}
    with log.open("w") as file:
        server = subprocess.Popen(
            command, env=environment, stdout=file, stderr=file, start_new_session=True
        )
        opened = Opened(port, log)
        try:
            wait_until_it_answers(opened, server)
            yield opened
        finally:
            if server.poll() is None:
                os.killpg(server.pid, 15)
                server.wait(timeout=30)


def wait_until_it_answers(opened: Opened, server: "subprocess.Popen[bytes]") -> None:
    for _ in range(480):
        assert server.poll() is None, opened.log.read_text()
        try:
            opened.get("/api")
            return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.25)
    raise TimeoutError(opened.base)
