"""Where a chapter's equation stands in the book: published, built here, or on localhost."""

import os
import re
from functools import cache
from pathlib import Path

import yaml

__all__ = ["SERVED", "equation_link", "is_for_building", "local_book"]

ROOT = Path(__file__).resolve().parent.parent.parent
SETTINGS = ROOT / "_config.yml"
BUILT = ROOT / "_build" / "html"
#: The owner in the repository's address, as long as nobody has published the course.
PLACEHOLDER = "your-organisation"
#: The variable in which `make lab` says where it serves the built book, as soon as there is one.
SERVED = "COURSE_BOOK_SERVED"


def equation_link(slug: str, label: str) -> str | None:
    """Return the address of an equation, or None where no page is known that holds it.

    The variable COURSE_BOOK names a book of one's own, on localhost for example. Then comes what
    `make lab` serves of the book that was built here, then the published book; as long as its
    address is a placeholder, the page that was built here.
    """
    is_built = (BUILT / f"{slug}.html").exists()
    served = os.environ.get(SERVED) if is_built else None
    base = os.environ.get("COURSE_BOOK") or served or _published()
    if base is None and is_built:
        base = BUILT.as_uri()
    return f"{base.rstrip('/')}/{slug}.html#equation-{label}" if base else None


def is_for_building() -> bool:
    """Return whether the book's sources lie here, so that `make book` builds it."""
    return SETTINGS.exists()


def local_book() -> Path | None:
    """Return the folder of the book that was built here; None where COURSE_BOOK names another."""
    wanted = not os.environ.get("COURSE_BOOK")
    return BUILT if wanted and (BUILT / "index.html").exists() else None


@cache
def _published() -> str | None:
    if not SETTINGS.exists():
        return None
    url = yaml.safe_load(SETTINGS.read_text(encoding="utf-8"))["repository"]["url"]
    owner = re.fullmatch(r"https://github\.com/([\w.-]+)/([\w.-]+?)/?", url)
    if owner is None or owner[1] == PLACEHOLDER:
        return None
    return f"https://{owner[1]}.github.io/{owner[2]}"
