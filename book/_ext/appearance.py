"""What every page wears: when its styles, scripts, templates or extensions change, all are rebuilt.

Sphinx rebuilds a page when its own text changes. A change of a style sheet alone would leave the
site with the old one, and pages with the old one's checksum in their links.
"""

import hashlib
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

BOOK = Path(__file__).resolve().parents[1]
WORN = ("_static", "_templates", "_ext")


def digest(book: Path = BOOK) -> str:
    """Return one number for all that every page wears."""
    found = hashlib.sha256()
    for path in sorted(file for name in WORN for file in (book / name).rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            found.update(str(path.relative_to(book)).encode() + b"\0" + path.read_bytes())
    return found.hexdigest()


def read_again(
    app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]
) -> list[str]:
    """Name every page when what pages wear is not what the last build had."""
    mark = Path(app.outdir).parent / "appearance.txt"
    if mark.exists() and mark.read_text(encoding="utf-8") == digest():
        return []
    return sorted(set(env.found_docs) - added - removed)


def remember(app: Sphinx, exception: Exception | None) -> None:
    """Write down what the pages of a finished build wear."""
    if exception is None and app.builder.name == "html":
        mark = Path(app.outdir).parent / "appearance.txt"
        mark.write_text(digest(), encoding="utf-8")
