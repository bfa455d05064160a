"""Whether the site is already that of the sources that lie here, so that nothing need be asked.

Sphinx takes seconds to find that out, because it starts, reads what it knew and asks every page.
The bytes of everything that a page can show are hashed, which takes a fraction of one, together
with the files of the site: a file that is missing or was changed there is built again.
"""

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path

# Folders and files whose bytes a page may show or run, or from which the build itself is made; the
# packages beside them count as well. A class that lies in the same folder does not.
FOLDERS = ("book", "exercises", "solutions")
FILES = ("*.yml", "*.txt", "*.toml", "*.md", "*.cff", "Makefile", "LICENSE*")
STAMP = "site.stamp"


def sources(root: Path) -> Iterator[Path]:
    """Give out the files on which the site depends."""
    for pattern in FILES:
        yield from sorted(root.glob(pattern))
    packages = sorted(file.parent for file in root.glob("*/__init__.py"))
    for folder in [*packages, *(root / name for name in FOLDERS)]:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path


def fingerprint(root: Path) -> str:
    """Return a hash of the sources, of the site that lies in _build, and of the interpreter."""
    digest = hashlib.sha256(f"{sys.version} {sys.prefix}".encode())
    for path in sources(root):
        digest.update(f"{path.relative_to(root).as_posix()} {path.stat().st_size}\n".encode())
        digest.update(path.read_bytes())
    for path in sorted((root / "_build" / "html").rglob("*")):
        state = path.stat()
        digest.update(f"{path.relative_to(root).as_posix()} {state.st_size}".encode())
        digest.update(f" {state.st_mtime_ns}\n".encode() if path.is_file() else b"\n")
    return digest.hexdigest()


def is_unchanged(root: Path) -> bool:
    """Return whether the site was built whole of these sources, and still lies there."""
    stamp = root / "_build" / STAMP
    return stamp.exists() and stamp.read_text() == fingerprint(root)


def remember(root: Path, is_whole: bool) -> None:
    """Keep the fingerprint of a whole site; forget it where a part alone was built."""
    stamp = root / "_build" / STAMP
    if is_whole:
        stamp.write_text(fingerprint(root))
    else:
        stamp.unlink(missing_ok=True)
