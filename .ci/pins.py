"""Resolve the pins for other versions of Python, installing nothing: python .ci/pins.py 3.12 3.14

Only wheels count, as set-up on a learner's machine cannot compile. PyTorch is asked for alone and
without its dependencies: on Linux the registry's wheel names gigabytes of CUDA.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from environment import TORCH

ROOT = Path(__file__).resolve().parent.parent


def requirements():
    """Return every requirement of a user and of a developer but PyTorch."""
    lines = []
    for name in ("requirements.txt", "requirements-dev.txt"):
        lines += (ROOT / name).read_text().splitlines()
    return [one for one in lines if one and not one.startswith(("#", "-r", "torch=="))]


def commands(version, folder):
    """Return the dry runs of pip that have to succeed for one version of Python."""
    run = [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--ignore-installed"]
    run += ["--only-binary=:all:", "--python-version", version, "--target", folder]
    constraints = Path(folder) / "constraints.txt"
    pins = (ROOT / "constraints.txt").read_text().splitlines()
    constraints.write_text("\n".join(pin for pin in pins if not pin.startswith("torch==")))
    return [
        [*run, "-c", str(constraints), *requirements()],
        [*run, "--no-deps", "torch==" + TORCH],
    ]


def main():
    """Say of each version whether all pins have wheels that go together."""
    failed = []
    for version in sys.argv[1:]:
        with tempfile.TemporaryDirectory() as folder:
            whole = all(subprocess.call(one) == 0 for one in commands(version, folder))
        print(version + (": resolved" if whole else ": refused"), flush=True)
        failed += [] if whole else [version]
    if failed or not sys.argv[1:]:
        sys.exit("Resolved for no Python" if not sys.argv[1:] else "Refused: " + ", ".join(failed))


if __name__ == "__main__":
    main()
