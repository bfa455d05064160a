"""Where a chapter's equation stands in the published book."""

import os
import re
from functools import cache
from pathlib import Path

import yaml

__all__ = ["equation_link"]

SETTINGS = Path(__file__).resolve().parent.parent / "_config.yml"


def equation_link(slug: str, label: str) -> str | None:
    """Return the address of an equation, or None where the book's address is not known.

    The variable COURSE_BOOK overrides the published address, for a book on localhost.
    """
    base = os.environ.get("COURSE_BOOK") or _published()
    return f"{base.rstrip('/')}/{slug}.html#equation-{label}" if base else None


@cache
def _published() -> str | None:
    if not SETTINGS.exists():
        return None
    url = yaml.safe_load(SETTINGS.read_text())["repository"]["url"]
    owner = re.fullmatch(r"https://github\.com/([\w.-]+)/([\w.-]+?)/?", url)
    return f"https://{owner[1]}.github.io/{owner[2]}" if owner else None
