"""The order of the pages, as `_toc.yml` has it: the only list of chapters that there is."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

TOC = Path(__file__).resolve().parents[1] / "_toc.yml"


def contents(toc: Path = TOC) -> dict[str, Any]:
    """Return the contents as they are written."""
    return dict(yaml.safe_load(toc.read_text(encoding="utf-8")))


def pages(toc: Path = TOC) -> list[str]:
    """Return the names of all pages, in their order."""
    whole = contents(toc)
    return [whole["root"], *(name for part in whole["parts"] for name in files(part["chapters"]))]


def files(entries: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the pages of a list of contents, each before those that stand below it."""
    for entry in entries:
        yield entry["file"]
        yield from files(entry.get("sections", []))


def chapters(toc: Path = TOC) -> list[str]:
    """Return the names of the chapters: the numbered parts of the contents."""
    numbered = [part for part in contents(toc)["parts"] if part.get("numbered")]
    return [name for part in numbered for name in files(part["chapters"])]


def demand_chapter(slug: str, toc: Path = TOC) -> str:
    """Return the name of a chapter; stop with the list of all where there is none of that name."""
    if slug not in chapters(toc):
        raise SystemExit(f"There is no chapter {slug!r}. Choose one of: {', '.join(chapters(toc))}")
    return slug
