"""Among several notebooks of one learner for one assignment: the one with the learner's work."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Choice:
    """Which notebook was taken.

    Attributes:
        name: its name among the candidates.
        work: how many cells hold something of the learner's own; None where it cannot be read.
        tied: the names of others with as much work and other contents.
    """

    name: str
    work: int | None
    tied: tuple[str, ...] = ()


def best_notebook(candidates: Mapping[str, bytes], released: bytes) -> Choice:
    """Return the notebook that holds most of the learner's own work.

    Args:
        candidates: notebooks by name, at least one; of equal ones the first is taken.
        released: the notebook as it was handed out.

    Returns:
        The choice. One that cannot be read comes before a blank one and after any with work.
    """
    given = set(sources(released) or [])
    work = {name: own_cells(data, given) for name, data in candidates.items()}
    rank = {name: 0.5 if cells is None else float(cells) for name, cells in work.items()}
    best = max(rank, key=lambda name: rank[name])
    tied = tuple(
        name
        for name in candidates
        if rank[name] == rank[best] and candidates[name] != candidates[best]
    )
    return Choice(best, work[best], tied)


def own_cells(data: bytes, given: set[str]) -> int | None:
    """Return how many cells of a notebook were not handed out; None where it cannot be read."""
    cells = sources(data)
    return None if cells is None else len({cell for cell in cells if cell} - given)


def sources(data: bytes) -> list[str] | None:
    """Return the texts of a notebook's cells, in the formats 3 and 4; None where there are none."""
    try:
        nb: Any = json.loads(data.decode("utf-8-sig"))
        sheets = nb.get("worksheets", [nb])
        cells = [cell for sheet in sheets for cell in sheet["cells"]]
        return [text(cell.get("source", cell.get("input", ""))) for cell in cells]
    except (ValueError, AttributeError, KeyError, TypeError):
        return None


def text(source: Any) -> str:
    """Return a cell's text as it counts: one line break, no blanks around lines."""
    whole = source if isinstance(source, str) else "".join(source)
    return "\n".join(line.rstrip() for line in whole.strip().splitlines())
