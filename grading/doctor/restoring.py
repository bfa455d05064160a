"""What belongs to the release is put back: nbgrader's marks, checks, imports, their order."""

from collections.abc import Callable

from nbformat.notebooknode import NotebookNode

from grading.doctor.python_text import defined, imported
from grading.doctor.released import ReleasedCell, bare
from grading.doctor.treatment import Treatment
from grading.doctor.writing import behind
from grading.notebooks import NOTICE_ID

#: Tags that change what runs, or what an error means.
TAGS = {"skip-execution", "raises-exception"}
#: What of nbgrader's metadata decides a mark.
MARKS = ("grade_id", "grade", "solution", "locked", "task", "points", "schema_version")


def note_marks(treated: Treatment) -> None:
    """Say where nbgrader's marks are not as released, and where tags say what is not run."""
    roles = {cell["id"]: treated.released.cells[number] for number, cell in treated.pairs.items()}
    changed, tagged = 0, 0
    for cell in treated.cells:
        wanted = roles[cell["id"]].marks if cell["id"] in roles else {}
        found = cell.metadata.get("nbgrader")
        found = found if isinstance(found, dict) else {}
        changed += any(found.get(name) != wanted.get(name) for name in MARKS)
        tagged += bool(TAGS & tags_of(cell))
    if changed:
        cells = "1 cell were" if changed == 1 else f"{changed} cells were"
        treated.repairs.append(f"nbgrader's marks of {cells} not as released; they were reset.")
    if tagged:
        treated.repairs.append("Tags that keep a cell from being run as it is were removed.")


def set_marks(treated: Treatment) -> None:
    """Give each cell the metadata that the release gave it, and no other."""
    for cell in treated.cells:
        cell.metadata = type(cell)()
    for number, cell in treated.pairs.items():
        one = treated.released.cells[number]
        cell.metadata.update(one.shown)
        if one.marks:
            cell.metadata.update({"nbgrader": type(cell)(one.marks), "deletable": False})
        if one.is_check:
            cell.metadata["editable"] = False


def tags_of(cell: NotebookNode) -> set[str]:
    """Return a cell's tags; anything may stand there."""
    tags = cell.metadata.get("tags")
    return {tag for tag in tags if isinstance(tag, str)} if isinstance(tags, list) else set()


def reset_checks(treated: Treatment) -> None:
    """Give each check the text that was released."""
    for number, cell in sorted(treated.pairs.items()):
        one = treated.released.cells[number]
        if one.is_check and cell.source != one.source:
            if bare(cell.source) != one.bare:
                treated.repairs.append(f'The check "{one.grade_id}" was changed; it was put back.')
            cell.source = one.source


def restore_missing(treated: Treatment, answers: dict[int, NotebookNode]) -> None:
    """Put back what is missing: checks, stubs of answers, and cells that import or define."""
    for number, one in enumerate(treated.released.cells):
        if number in treated.pairs or not (one.is_check or one.is_answer or supports(one)):
            continue
        if number in answers or (supports(one) and bound_elsewhere(treated, one, treated.cells)):
            continue
        cell = treated.made(one, one.cell_id)
        treated.cells.insert(behind(treated, number), cell)
        treated.pairs[number] = cell
        kind = "check" if one.is_check else "cell"
        name = one.grade_id or one.cell_id
        treated.repairs.append(f'The {kind} "{name}" was missing and was put back.')


def supports(one: ReleasedCell) -> bool:
    """Return whether a cell without marks gives the others what they need."""
    is_other = one.cell_type == "code" and not one.grade_id and one.cell_id != NOTICE_ID
    return is_other and bool(provided(one.source))


def provided(source: str) -> set[str]:
    """Return the names that a cell imports or defines."""
    return set(imported(source)) | defined(source)


def bound_elsewhere(treated: Treatment, one: ReleasedCell, cells: list[NotebookNode]) -> bool:
    """Return whether some of these code cells import or define all that a released cell does."""
    known = {name for cell in cells if cell.cell_type == "code" for name in provided(cell.source)}
    return provided(one.source) <= known


def restore_imports(treated: Treatment) -> None:
    """Put the released imports before a cell of imports that was emptied or rewritten."""
    for number, cell in sorted(treated.pairs.items()):
        one = treated.released.cells[number]
        wanted = imported(one.source)
        if not supports(one) or not wanted or wanted.keys() <= imported(cell.source).keys():
            continue
        restored = treated.made(one, "")
        treated.cells.insert(treated.place(cell), restored)
        treated.repairs.append(
            f'The cell "{one.cell_id}" no longer imported all that the release imports; '
            "the released cell was put before it."
        )


def order(treated: Treatment, answers: dict[int, NotebookNode]) -> None:
    """Let imports stand before what needs them, and checks behind the answers up to their own.

    Nothing else is moved: a notebook is run from the top, in the order that its learner chose.
    """
    moved = False
    for number, cell in sorted(treated.pairs.items()):
        if supports(treated.released.cells[number]):
            moved |= move_up(treated, number, cell)
    moved_checks = [
        one.grade_id
        for number, one in enumerate(treated.released.cells)
        if one.is_check and move_down(treated, number, answers)
    ]
    if moved:
        treated.repairs.append("Cells that import or define stood too late; they were moved up.")
    if moved_checks:
        names = ", ".join(f'"{name}"' for name in moved_checks)
        treated.repairs.append(f"Checks that stood before their answers were moved down: {names}.")


def move_up(treated: Treatment, number: int, cell: NotebookNode) -> bool:
    """Move a cell before every released code cell that it preceded; return whether it had to."""
    return move(
        treated,
        cell,
        [other for later, other in treated.pairs.items() if later > number and is_code(other)],
        min,
    )


def move_down(treated: Treatment, number: int, answers: dict[int, NotebookNode]) -> bool:
    """Move a check behind the answers that precede it; return whether it had to."""
    cell = treated.pairs[number]
    return move(treated, cell, [one for early, one in answers.items() if early < number], max)


def move(
    treated: Treatment,
    cell: NotebookNode,
    others: list[NotebookNode],
    end: Callable[..., NotebookNode],
) -> bool:
    """Move a cell before the first of others (`min`), or behind the last of them (`max`)."""
    if not others:
        return False
    other = end(others, key=treated.place)
    here, there = treated.place(cell), treated.place(other)
    if end is min and here > there:
        treated.move_before(cell, other)
    elif end is max and here < there:
        treated.move_behind(cell, other)
    else:
        return False
    return True


def is_code(cell: NotebookNode) -> bool:
    """Return whether a cell is run."""
    return bool(cell.cell_type == "code")
