"""The learners of the sample class: invented ids, each with a file that says what they hand in.

A file `sample_answers/learner-05.py` is a docstring (who this is), up to three settings, and the
functions that this learner wrote. A function stands for the solution cell of the same function.
"""

import ast
import json
from dataclasses import dataclass
from pathlib import Path

from nbformat.notebooknode import NotebookNode

from grading.notebooks import notebook, read_notebook

ANSWERS = Path(__file__).resolve().parent / "sample_answers"
MARKERS = ("### BEGIN SOLUTION", "### END SOLUTION")


@dataclass(frozen=True, kw_only=True)
class Learner:
    """One invented learner.

    Attributes:
        name: the id, which says nothing of a person.
        about: what is special about the submission, in a few words.
        functions: the learner's own code, by function name.
        starts_from: "solution" for the right answers elsewhere, "blank" for the released stubs.
        hands_in: the notebooks handed in; empty means all.
        damaged: True cuts the file in the middle.
    """

    name: str
    about: str
    functions: dict[str, str]
    starts_from: str = "solution"
    hands_in: tuple[str, ...] = ()
    damaged: bool = False


def read_learner(path: Path) -> Learner:
    """Read one learner's file."""
    source = path.read_text(encoding="utf-8")
    module = ast.parse(source)
    settings = {
        statement.targets[0].id.lower(): ast.literal_eval(statement.value)
        for statement in module.body
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name)
    }
    functions = {
        statement.name: ast.get_source_segment(source, statement) or ""
        for statement in module.body
        if isinstance(statement, ast.FunctionDef)
    }
    about = (ast.get_docstring(module) or "").strip()
    return Learner(name=path.stem, about=about, functions=functions, **settings)


def learners(folder: Path = ANSWERS) -> list[Learner]:
    """Return all learners in the order of their ids."""
    return [read_learner(path) for path in sorted(folder.glob("learner-*.py"))]


def grade_id(cell: NotebookNode) -> str:
    """Return the name by which nbgrader knows a cell, or an empty string."""
    return str(cell.metadata.get("nbgrader", {}).get("grade_id", ""))


def solution_sources(solutions: Path, slug: str) -> dict[str, str]:
    """Return the solved text of each solution cell, without nbgrader's markers and the rubric."""
    cells = read_notebook(notebook(solutions, slug)).cells
    return {
        grade_id(cell): "\n".join(
            line
            for line in cell.source.split("\n**Rubric")[0].rstrip().split("\n")
            if line.strip() not in MARKERS
        )
        for cell in cells
        if cell.metadata.get("nbgrader", {}).get("solution")
    }


def function_names(source: str) -> list[str]:
    """Return the functions that a cell defines; a cell that is no Python defines none."""
    try:
        body = ast.parse(source).body
    except SyntaxError:
        return []
    return [statement.name for statement in body if isinstance(statement, ast.FunctionDef)]


def submission(learner: Learner, slug: str, *, solutions: Path, exercises: Path) -> bytes | None:
    """Return the file that a learner hands in, or None where this notebook is not handed in."""
    if learner.hands_in and slug not in learner.hands_in:
        return None
    nb = read_notebook(notebook(exercises, slug))
    solved = solution_sources(solutions, slug) if learner.starts_from == "solution" else {}
    for cell in nb.cells:
        written = [
            learner.functions[name]
            for name in function_names(cell.source)
            if name in learner.functions
        ]
        if cell.cell_type == "code" and written:
            cell.source = "\n\n\n".join(written)
        elif grade_id(cell) in solved:
            cell.source = solved[grade_id(cell)]
    content = json.dumps(nb, indent=1, ensure_ascii=False, sort_keys=True).encode() + b"\n"
    return content[: len(content) // 2] if learner.damaged else content
