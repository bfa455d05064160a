"""The JSON of any notebook -> one of format 4.5: every field there, and of its type."""

import re
import warnings
from typing import Any

import nbformat
from nbformat.notebooknode import NotebookNode, from_dict

from grading.doctor.errors import UngradableError
from grading.doctor.reading import AGAIN

#: What a cell's id may be (nbformat 4.5).
CELL_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
TYPES = ("code", "markdown", "raw")
#: Types of other formats that hold text for people.
TEXTS = {"heading": "markdown", "html": "markdown", "text": "markdown", "rich": "markdown"}
MOST_CELLS = 5000


def shaped(notebook: dict[str, Any]) -> tuple[NotebookNode, list[str]]:
    """Return a notebook of format 4.5 without outputs, and what was mended.

    What every editor does in its own way (a missing id, a minor version, fields of its own) is
    brought into order without a word; a sentence is made of what may have lost something.

    Raises:
        UngradableError: if there is no list of cells.
    """
    cells, repairs = cells_of(notebook)
    if len(cells) > MOST_CELLS:
        raise UngradableError(f"The notebook has {len(cells)} cells; delete most and {AGAIN}.")
    kept = [cell for cell in cells if isinstance(cell, dict)]
    if len(kept) < len(cells):
        repairs.append(
            f"{counted(len(cells) - len(kept))} of the file was no cell and was left out."
        )
    seen: set[str] = set()
    made = [shaped_cell(cell, seen) for cell in kept]
    nb = from_dict({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})  # type: ignore[no-untyped-call]
    return nb, repairs


def counted(number: int) -> str:
    """Return a number of entries in words."""
    return "1 entry" if number == 1 else f"{number} entries"


def cells_of(notebook: dict[str, Any]) -> tuple[list[Any], list[str]]:
    """Return the cells of a notebook of any format, and a sentence where it was an unusual one."""
    if "cells" not in notebook:
        return older_cells(notebook), ["The notebook had a format older than 4 and was converted."]
    cells = notebook["cells"]
    if not isinstance(cells, list):
        raise UngradableError(f"The notebook's cells are no list; {AGAIN}.")
    version = notebook.get("nbformat", 4)
    if version == 4:
        return cells, []
    return cells, [f"The notebook said that its format is {version!r}; it was read as format 4."]


def older_cells(notebook: dict[str, Any]) -> list[Any]:
    """Return the cells of a notebook of format 3 or older."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            old = nbformat.from_dict(notebook | {"nbformat": 3, "nbformat_minor": 0})  # type: ignore[no-untyped-call]
            return list(nbformat.convert(old, 4).cells)  # type: ignore[no-untyped-call]
        except Exception as error:  # the conversion raises whatever the damage leads to
            reason = f"The notebook has a format older than 4 and cannot be converted; {AGAIN}."
            raise UngradableError(reason) from error


def shaped_cell(cell: dict[str, Any], seen: set[str]) -> dict[str, Any]:
    """Return one cell of format 4.5; ids that others have, or that are none, get another."""
    kind = cell.get("cell_type")
    kind = kind if kind in TYPES else TEXTS.get(str(kind), "raw")
    name = cell.get("id")
    if not isinstance(name, str) or not CELL_ID.fullmatch(name) or name in seen:
        name = next(new for n in range(len(seen) + 1) if (new := f"unnamed-{n}") not in seen)
    seen.add(name)
    metadata = cell.get("metadata")
    made = {"id": name, "cell_type": kind, "source": text_of(cell.get("source"))}
    made["metadata"] = metadata if isinstance(metadata, dict) else {}
    if kind == "code":
        made |= {"outputs": [], "execution_count": None}
    elif isinstance(cell.get("attachments"), dict):
        made["attachments"] = cell["attachments"]
    return made


def text_of(source: Any) -> str:
    """Return a cell's text, whatever holds it.

    Half of a surrogate pair, which no file can hold, becomes a question mark. A zero byte, over
    which a kernel hangs, is left out.
    """
    if isinstance(source, list):
        source = "".join(part for part in source if isinstance(part, str))
    text = source if isinstance(source, str) else ""
    text = text.replace("\0", "").replace("\r\n", "\n").replace("\r", "\n")
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
