"""Which pages are notebooks, and what stands in them."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from myst_nb.core.read import create_nb_reader
from sphinx.environment import BuildEnvironment

from grading.imported_files import run_digest

ROOT = Path(__file__).resolve().parents[2]
CODE_CELL = "```{code-cell}"
# A page's name: only that page and what it needs is executed; the others stay as they were.
ONLY = "COURSE_ONLY"


@dataclass
class ExecutedPage:
    """A page with code, as its text is now."""

    docname: str
    path: Path
    notebook: Any
    digest: str


def is_executed_page(source: str) -> bool:
    """Return whether a page's text asks to be executed: it has a jupytext header or a code cell."""
    header = source.split("\n---", 1)[0] if source.startswith("---") else ""
    return "jupytext:" in header or CODE_CELL in source


def executed_pages(env: BuildEnvironment) -> Iterator[ExecutedPage]:
    """Yield the pages that are notebooks, read as myst-nb reads them."""
    for docname in sorted(env.found_docs):
        path, text = Path(env.doc2path(docname)), read(env, docname)
        reader = create_nb_reader(str(path), env.myst_config, env.mystnb_config, text)
        if reader is not None and is_executed_page(text):
            notebook = reader.read(text)
            yield ExecutedPage(
                docname, path, notebook, run_digest(sources(notebook), docname, ROOT)
            )


def needed(env: BuildEnvironment, pages: list[ExecutedPage]) -> set[str]:
    """Name the pages to be executed: all, or one and those with figures that it refers to."""
    names = {page.docname for page in pages}
    if ONLY not in os.environ:
        return names
    only = os.environ[ONLY]
    text = read(env, only)
    figures = {page.docname: cell_names(page.notebook) for page in pages}
    others = {name for name in names if any(f"`{figure}`" in text for figure in figures[name])}
    return (others | {only}) & names


def cell_names(notebook: Any) -> set[str]:
    """Return the names that cells give to their figures."""
    options = [cell["metadata"].get("mystnb", {}) for _, cell in code_cells(notebook)]
    return {option["figure"]["name"] for option in options if "name" in option.get("figure", {})}


def read(env: BuildEnvironment, docname: str) -> str:
    """Return a page's source text."""
    return Path(env.doc2path(docname)).read_text(encoding="utf-8")


def code_cells(notebook: dict[str, Any]) -> list[tuple[int, dict[str, Any]]]:
    """Return the cells that hold code, each with its position."""
    return [
        (position, cell)
        for position, cell in enumerate(notebook["cells"])
        if cell["cell_type"] == "code" and "".join(cell["source"]).strip()
    ]


def sources(notebook: dict[str, Any]) -> list[str]:
    """Return the code of a notebook's cells."""
    return ["".join(cell["source"]) for _, cell in code_cells(notebook)]
