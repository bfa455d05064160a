"""Where a learner wrote: answers and explanations count, in whatever cell they stand."""

from nbformat.notebooknode import NotebookNode

from grading.doctor.choosing import grade_id_of
from grading.doctor.python_text import is_prose, parsed
from grading.doctor.reading import CONFLICT, sides_of
from grading.doctor.released import ReleasedCell, bare
from grading.doctor.treatment import Treatment, defines, is_blank, retype


def resolve_conflicts(cells: list[NotebookNode], given: set[str]) -> list[str]:
    """Take one side of each conflict of Git's inside a code cell; return what was done."""
    repairs = []
    for cell in cells:
        if cell.cell_type != "code" or not CONFLICT.search(cell.source):
            continue
        sides = [side for side in sides_of(cell.source) if parsed(side) is not None]
        written = [side for side in sides if bare(side) not in given]
        if sides:
            cell.source = (written or sides)[0]
            line = cell.source.strip().split("\n")[0]
            repairs.append(
                f'The cell that starts "{line[:60]}" held the marks of a conflict that Git could '
                "not merge; the side that was written and can be run was kept."
            )
    return repairs


def join_split(treated: Treatment) -> None:
    """Join a cell to write in that was split in two where only the whole can be run.

    Editors copy nbgrader's marks to both halves, so the second half follows with the same name.
    """
    for number, cell in sorted(treated.pairs.items()):
        one = treated.released.cells[number]
        if not one.is_answer:
            continue
        own = {other["id"] for other in treated.unpaired() if grade_id_of(other) == one.grade_id}
        halves = [cell]
        for other in treated.cells[treated.place(cell) + 1 :]:
            if other["id"] not in own:
                break
            halves.append(other)
        whole = "\n".join(half.source for half in halves)
        if parsed(whole) is None or all(parsed(half.source) is not None for half in halves):
            continue
        cell.source = whole
        for half in halves[1:]:
            treated.remove(half)
        treated.repairs.append(f'The answer "{one.grade_id}" was split into cells; they are one.')


def find_answers(treated: Treatment) -> dict[int, NotebookNode]:
    """Return the cell that holds each answer, by the answer's place in the release.

    An answer in another cell than its own counts like one in its own. The stub of an answered task
    is then removed, wherever it stands: it would replace the answer.
    """
    found = {}
    for number, one in enumerate(treated.released.cells):
        if not one.is_answer:
            continue
        cell = treated.pairs.get(number)
        if cell is not None and (not one.defines or defines(cell, one)):
            found[number] = cell
        elif (other := elsewhere(treated, one)) is not None:
            found[number] = other
            take_as_answer(treated, number, other)
        if number in found:
            for stub in treated.unpaired():
                if bare(stub.source) == one.bare:
                    treated.remove(stub)
    return found


def elsewhere(treated: Treatment, one: ReleasedCell) -> NotebookNode | None:
    """Return the cell that defines an answer's function though it is not the answer's own."""
    own = [cell for cell in treated.unpaired() if defines(cell, one)]
    shared = [cell for cell in treated.pairs.values() if defines(cell, one)]
    code = [cell for cell in [*shared, *own] if cell.cell_type == "code"]
    found = code or own
    return found[-1] if found else None


def take_as_answer(treated: Treatment, number: int, cell: NotebookNode) -> None:
    """Let a cell be the answer of a task; of its own cell only what was written there stays."""
    one = treated.released.cells[number]
    before = treated.pairs.pop(number, None)
    if before is not None and is_blank(before, one):
        treated.remove(before)
    if any(cell is other for other in treated.unpaired()):
        treated.pairs[number] = cell
    treated.repairs.append(
        f'The answer "{one.grade_id}" was written in another cell than its own; it counts.'
    )


def find_explanations(treated: Treatment) -> None:
    """Let every explanation be read that was written, in whatever cell it stands."""
    for number, one in enumerate(treated.released.cells):
        if not one.is_explanation:
            continue
        cell = treated.pairs.get(number)
        if cell is not None and not is_blank(cell, one):
            continue
        texts = copies(treated, one) or neighbours(treated, number)
        added = added_to_task(treated, number)
        if cell is None:
            cell = treated.made(one, one.cell_id)
            treated.cells.insert(behind(treated, number), cell)
            treated.pairs[number] = cell
            gone = f'The cell of the explanation "{one.grade_id}" was missing and was put back'
            if not texts and not added:
                treated.repairs.append(f"{gone}; no text was found.")
        cell.source = one.source
        if texts or added:
            cell.source = "\n\n".join([text.source.strip() for text in texts] + added)
            for text in texts:
                keep_attachments(cell, text)
                treated.remove(text)
            treated.repairs.append(
                f'The explanation "{one.grade_id}" was written in another cell than its own; '
                "it will be read."
            )


def copies(treated: Treatment, one: ReleasedCell) -> list[NotebookNode]:
    """Return the copies of an explanation's cell that hold text."""
    named = [cell for cell in treated.unpaired() if grade_id_of(cell) == one.grade_id]
    return [cell for cell in named if not is_blank(cell, one)]


def neighbours(treated: Treatment, number: int) -> list[NotebookNode]:
    """Return a learner's own cells of prose around an explanation, up to the next released cell."""
    given = {cell.bare for cell in treated.released.cells}
    own = {cell["id"] for cell in treated.unpaired()}
    around = [treated.pairs[number]] if number in treated.pairs else []
    middle = treated.place(around[0]) if around else behind(treated, number) - 0.5
    found: list[NotebookNode] = []
    before = [cell for place, cell in enumerate(treated.cells) if place < middle]
    after = [cell for place, cell in enumerate(treated.cells) if place > middle]
    for cells, is_before in ((before[::-1], True), (after, False)):
        for cell in cells:
            if cell["id"] not in own:
                break
            if holds_prose(cell) and bare(cell.source) not in given:
                found = [cell, *found] if is_before else [*found, cell]
    return found


def holds_prose(cell: NotebookNode) -> bool:
    """Return whether a cell holds text for a person."""
    if not cell.source.strip():
        return False
    return cell.cell_type != "code" or is_prose(cell.source)


def added_to_task(treated: Treatment, number: int) -> list[str]:
    """Return what a learner wrote behind the text of an explanation's task, in the task's cell."""
    task = treated.released.cells[number - 1] if number else None
    cell = treated.pairs.get(number - 1)
    if task is None or cell is None or task.cell_type != "markdown" or task.grade_id:
        return []
    if not cell.source.strip().startswith(task.source.strip()):
        return []
    added = cell.source.strip()[len(task.source.strip()) :].strip()
    return [added] if added else []


def behind(treated: Treatment, number: int) -> int:
    """Return where a released cell belongs: behind the nearest one before it that is there."""
    for earlier in range(number - 1, -1, -1):
        if earlier in treated.pairs:
            return treated.place(treated.pairs[earlier]) + 1
    return 0


def keep_attachments(cell: NotebookNode, text: NotebookNode) -> None:
    """Take the pictures of a text along."""
    if "attachments" in text:
        cell["attachments"] = {**cell.get("attachments", {}), **text["attachments"]}


def set_types(treated: Treatment) -> None:
    """Give each released cell the type that it was given out with."""
    for number, cell in sorted(treated.pairs.items()):
        one = treated.released.cells[number]
        if cell.cell_type != one.cell_type:
            name = one.grade_id or one.cell_id
            treated.repairs.append(
                f'The cell "{name}" had become a {cell.cell_type} cell; '
                f"it is a {one.cell_type} cell again."
            )
            retype(cell, one.cell_type)
