"""The contract of a task, read from its notebook: what the probes have to draw."""

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from grading.exercise import Exercise
from grading.notebooks import ROOT, notebook, read_notebook

__all__ = ["Contract", "contract_of"]

#: "(..., T, D)", "(D,)": the letters of a shape.
_SHAPE = re.compile(r"\(((?:\.\.\.|[A-Z][a-z]*)(?:, [A-Z][a-z]*)*),?\)")
#: A line of "Args:", or one that goes on with it: "w_q, w_k: parameters, (C, D)."
_ARGUMENT = re.compile(r"^ {4}(\w+(?:, \w+)*): (.*)$|^ {8}(.*)$")


@dataclass(frozen=True, slots=True)
class Contract:
    """What a learner is promised, as the notebook says it.

    Attributes:
        parameters: the names in the signature.
        defaults: what stands behind their signs of equality.
        arguments: what the docstring says of each argument.
        text: the task's paragraphs from "**Contract.**" to the example.
    """

    parameters: tuple[str, ...]
    defaults: Mapping[str, Any] = field(default_factory=dict)
    arguments: Mapping[str, str] = field(default_factory=dict)
    text: str = ""

    def shape(self, name: str) -> tuple[str, ...] | None:
        """Return the letters of an argument's axes, "..." for leading ones; None: no shape."""
        found = _SHAPE.search(self.arguments.get(name, ""))
        return tuple(found[1].split(", ")) if found else None

    def says(self, name: str, words: str) -> bool:
        """Return whether the docstring says this of an argument."""
        return words in self.arguments.get(name, "")


def contract_of(exercise: Exercise) -> Contract | None:
    """Return what the exercise's notebook promises; None where it has no such task."""
    text, answer = "", None
    for kind, grade_id, source in _cells(exercise.slug):
        if answer is not None:
            break
        if kind == "markdown" and "**Contract.**" in source:
            text = source.split("**Contract.**")[1].split("**Example")[0]
        if grade_id == f"{exercise.cell}-answer":
            answer = source
    if answer is None:
        return None
    functions = (one for one in ast.parse(answer).body if isinstance(one, ast.FunctionDef))
    function = next(one for one in functions if one.name == exercise.name)
    given = function.args
    several = given.vararg is not None and given.vararg.arg == exercise.several
    names = exercise.parameters if several else tuple(one.arg for one in given.args)
    values = [_default(one, exercise.slug) for one in given.defaults]
    defaults = dict(zip(names[len(names) - len(values) :], values, strict=True))
    arguments = _arguments(ast.get_docstring(function) or "")
    return Contract(names, defaults, arguments, " ".join(text.split()) if names else "")


def _default(written: ast.expr, slug: str) -> Any:
    """Return a default: as it stands there, or what a given cell calls by that name."""
    if not isinstance(written, ast.Name):
        return ast.literal_eval(written)
    for kind, _, source in _cells(slug):
        for line in ast.parse(source).body if kind == "code" else ():
            named = isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == written.id
            if named and isinstance(line, ast.Assign):
                return ast.literal_eval(line.value)
    raise ValueError(f"{written.id} is a default, and no cell of {slug} gives it as a literal")


@cache
def _cells(slug: str) -> tuple[tuple[str, str, str], ...]:
    path = notebook(ROOT / "solutions", slug)
    cells = read_notebook(path).cells if path.exists() else []
    return tuple(
        (cell.cell_type, cell.metadata.get("nbgrader", {}).get("grade_id", ""), cell.source)
        for cell in cells
    )


def _arguments(docstring: str) -> dict[str, str]:
    """Return what the part "Args:" says of each argument."""
    _, _, behind = docstring.partition("Args:\n")
    arguments: dict[str, str] = {}
    names: list[str] = []
    for line in behind.splitlines():
        found = _ARGUMENT.match(line)
        if not found:
            break
        names = found[1].split(", ") if found[1] else names
        for name in names:
            arguments[name] = f"{arguments.get(name, '')} {found[2] or found[3]}".strip()
    return arguments
