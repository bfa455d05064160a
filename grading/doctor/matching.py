"""Which submitted cell is which released one: by nbgrader's name, by its id, by what it says."""

from collections import defaultdict
from collections.abc import Iterable

from nbformat.notebooknode import NotebookNode

from grading.doctor.choosing import grade_id_of
from grading.doctor.python_text import defined
from grading.doctor.released import Released, ReleasedCell, bare

#: How much each likeness says. nbgrader's name says most; but where two names were swapped, a
#: cell's id together with its type or its functions says more than the name.
SAME_TEXT = 5
SAME_STUB = 1
SAME_NAME = 4
SAME_ID = 3
SAME_FUNCTION = 3
SAME_TYPE = 2


def match(cells: list[NotebookNode], released: Released) -> dict[int, NotebookNode]:
    """Return the submitted cell of each released one, by its place in the release.

    The likeliest pairs are taken first; no cell is taken twice. What is missing has no entry.
    """
    likely = sorted(
        (-likeness(cells[place], released.cells[number]), place, number)
        for place, number in candidates(cells, released)
    )
    pairs: dict[int, NotebookNode] = {}
    taken = set()
    for _, place, number in likely:
        if number not in pairs and place not in taken:
            pairs[number] = cells[place]
            taken.add(place)
    return pairs


def candidates(cells: list[NotebookNode], released: Released) -> set[tuple[int, int]]:
    """Return the pairs of places whose cells have a name, an id, a text or a function in common."""
    by_key = defaultdict(list)
    for number, one in enumerate(released.cells):
        keys = [("name", one.grade_id), ("id", one.cell_id), ("text", one.bare)]
        for key in [*keys, *(("function", name) for name in one.defines)]:
            by_key[key].append(number)
    return {
        (place, number)
        for place, cell in enumerate(cells)
        for key in keys_of(cell)
        for number in by_key[key]
    }


def keys_of(cell: NotebookNode) -> Iterable[tuple[str, str]]:
    """Return all by which a submitted cell can be recognised."""
    keys = [("name", grade_id_of(cell)), ("id", cell["id"]), ("text", bare(cell.source))]
    keys += [("function", name) for name in defined(cell.source)]
    return [key for key in keys if key[1]]


def likeness(cell: NotebookNode, one: ReleasedCell) -> int:
    """Return how much a submitted cell is like a released one."""
    # A cell to write in that says what was given out is a copy in which nothing was written.
    text = SAME_STUB if one.is_answer or one.is_explanation else SAME_TEXT
    return (
        text * (bare(cell.source) == one.bare != "")
        + SAME_NAME * (grade_id_of(cell) == one.grade_id != "")
        + SAME_ID * bool(cell["id"] == one.cell_id)
        + SAME_FUNCTION * bool(one.defines & defined(cell.source))
        + SAME_TYPE * bool(cell.cell_type == one.cell_type)
    )
