"""Which file of a hand-in is the work: decided by what the files hold, not by their names."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from nbformat.notebooknode import NotebookNode

from grading.doctor.errors import UngradableError
from grading.doctor.python_text import defined
from grading.doctor.reading import AGAIN, read
from grading.doctor.released import Released, bare
from grading.doctor.shaping import shaped

#: Names that a notebook gets from browsers and mail programs.
SUFFIXES = (".ipynb", ".json", ".txt", "")
#: Folders of editors and of macOS; what lies there is a copy, or no notebook.
COPIES = (".ipynb_checkpoints", "__MACOSX")


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The file that is graded.

    Attributes:
        name: its name among the candidates.
        nb: the notebook that it holds, of format 4.5, without outputs; its cells still carry the
            metadata that they came with.
        repairs: what was mended and decided so far, one sentence each.
    """

    name: str
    nb: NotebookNode
    repairs: tuple[str, ...]


def best_notebook(candidates: Mapping[str, bytes], released: Released) -> Choice:
    """Return which file of one learner's hand-in holds the work for one released notebook.

    The file with the most written answers wins, then the one with the most released cells, then
    the one whose name is the notebook's. A tie of different files is decided by their names, and
    said. Other files (scripts, pictures, data) are passed over.

    Args:
        candidates: all files of the hand-in, by their paths below its folder with `/` between.
        released: the notebook that the class was given.

    Raises:
        UngradableError: if no file is a notebook that can be read and has released cells; the
            text says why the likeliest one is none.
    """
    choices, reasons = [], {}
    for name in sorted(candidates, key=lambda name: closeness(name, released)):
        if not may_be_notebook(name):
            continue
        try:
            choices.append(choice_of(name, candidates[name], released))
        except UngradableError as error:
            reasons[name] = str(error)
    whole = [choice for choice in choices if related(choice.nb, released)]
    if not whole:
        raise UngradableError(why_none(candidates, choices, reasons, released))
    return decided(whole, released)


def decided(choices: list[Choice], released: Released) -> Choice:
    """Return the fullest of the notebooks, the likeliest name first, and say what was decided."""
    real = [choice for choice in choices if not is_copy(choice.name)] or choices
    ranks = {choice.name: rank(choice.nb, released) for choice in real}
    best = max(real, key=lambda choice: ranks[choice.name])  # the first of equals
    equals = [
        choice.name
        for choice in real
        if ranks[choice.name] == ranks[best.name]
        and [cell.source for cell in choice.nb.cells] != [cell.source for cell in best.nb.cells]
    ]
    repairs = best.repairs
    if PurePosixPath(best.name).name != f"{released.name}.ipynb":
        repairs += (f'The notebook was handed in as "{best.name}".',)
    if equals:
        others = ", ".join(f'"{name}"' for name in equals)
        repairs += (f'"{best.name}" was graded; {others} holds as much, but other, work.',)
    elif len(real) > 1:
        repairs += (f'{len(real)} notebooks were handed in; "{best.name}" holds the work.',)
    return Choice(name=best.name, nb=best.nb, repairs=repairs)


def choice_of(name: str, content: bytes, released: Released) -> Choice:
    """Return one file as a notebook; of two sides of a conflict, the fuller one."""
    found = read(content)
    versions = [shaped(version) for version in found.versions]
    nb, repairs = max(versions, key=lambda version: rank(version[0], released))
    return Choice(name=name, nb=nb, repairs=(*found.repairs, *repairs))


def rank(nb: NotebookNode, released: Released) -> tuple[int, int]:
    """Return how many answers a notebook holds, and how many of the released cells."""
    return len(written(nb, released)), related(nb, released)


def written(nb: NotebookNode, released: Released) -> set[str]:
    """Return the grade_ids of the answers and explanations that a notebook holds text for."""
    given = {cell.bare for cell in released.cells}
    done = set()
    for cell in nb.cells:
        if not cell.source.strip() or bare(cell.source) in given:
            continue
        grade_id = grade_id_of(cell)
        functions = defined(cell.source)
        for one in released.by_grade_id.values():
            by_name = one.grade_id == grade_id and not one.is_check
            if by_name or (one.is_answer and one.defines & functions):
                done.add(one.grade_id)
    return done


def related(nb: NotebookNode, released: Released) -> int:
    """Return how many graded cells of the release a notebook knows: by name, text or function.

    Texts that every notebook of the course has (imports, "YOUR ANSWER HERE") say nothing.
    """
    names = {grade_id_of(cell) for cell in nb.cells}
    texts = {bare(cell.source) for cell in nb.cells}
    functions = {name for cell in nb.cells for name in defined(cell.source)}
    return sum(
        one.grade_id in names
        or (one.is_check and one.bare in texts)
        or bool(one.defines & functions)
        for one in released.by_grade_id.values()
    )


def grade_id_of(cell: NotebookNode) -> str:
    """Return the name by which nbgrader should know a submitted cell; anything may stand there."""
    marks = cell.metadata.get("nbgrader")
    name = marks.get("grade_id") if isinstance(marks, dict) else None
    return name if isinstance(name, str) else ""


def may_be_notebook(name: str) -> bool:
    """Return whether a file's name is one that a notebook can have got."""
    path = PurePosixPath(name)
    hidden = path.name.startswith("._") or path.name == "timestamp.txt"
    return path.suffix.lower() in SUFFIXES and not hidden


def is_copy(name: str) -> bool:
    """Return whether a file is a copy that an editor or macOS made for itself."""
    return any(part in COPIES for part in PurePosixPath(name).parts)


def closeness(name: str, released: Released) -> tuple[bool, bool, int, str]:
    """Return a key that sorts the likeliest names to the front."""
    path = PurePosixPath(name)
    wanted = f"{released.name}.ipynb"
    return path.name != wanted, path.suffix.lower() != ".ipynb", len(path.parts), name


def why_none(
    candidates: Mapping[str, bytes],
    choices: list[Choice],
    reasons: dict[str, str],
    released: Released,
) -> str:
    """Return why no file can be graded: what is said of the likeliest one."""
    notebooks = [name for name in reasons if PurePosixPath(name).suffix.lower() == ".ipynb"]
    if notebooks:
        name = notebooks[0]
        usual = name == f"{released.name}.ipynb"
        return reasons[name] if usual else f'"{name}": {reasons[name]}'
    if choices:
        name = choices[0].name
        return (
            f'"{name}" has none of the cells of {released.name}, so it belongs to another '
            f"assignment; hand in the notebook of {released.name}."
        )
    others = sorted(name for name in candidates if PurePosixPath(name).name != "timestamp.txt")
    if not others:
        return f"Nothing was handed in; {AGAIN}."
    listed = ", ".join(f'"{name}"' for name in others[:3])
    return f"No notebook was handed in, but {listed}, which cannot be graded; {AGAIN}."
