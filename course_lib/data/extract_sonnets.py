"""Write ``sonnets.txt``: the first thirty of Shakespeare's sonnets.

Run from the repository's root, with the development requirements installed::

    python course_lib/data/extract_sonnets.py

The text comes from the package ``shakespeare``; no network is used.
"""

import re

from course_lib.data.extract_shakespeare import play_file
from course_lib.trained.corpus import SONNETS

COUNT = 30


def extract() -> str:
    """Return the sonnets, one after another, without numbers, spaces at line ends and indents."""
    text = play_file().with_name("sonnets_gut.txt").read_text(encoding="ascii")
    _, *sonnets = re.split(r"^[IVXLC]+$\n", text, flags=re.MULTILINE)
    lines = [[line.strip() for line in one.strip().splitlines()] for one in sonnets[:COUNT]]
    return "\n\n".join("\n".join(one) for one in lines) + "\n"


if __name__ == "__main__":
    SONNETS.write_text(extract(), encoding="utf-8", newline="\n")
    print(f"{SONNETS.name}: {SONNETS.stat().st_size:,} bytes")
