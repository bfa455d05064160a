"""A notebook's code as the statements that a kernel runs, each with its text and its comments."""

import ast
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

from IPython.core.inputtransformer2 import TransformerManager
from nbformat.notebooknode import NotebookNode

from grading.adoption.names import Names, names_of

__all__ = ["Code", "Statement", "code_of"]

#: Cells of these magics run their Python in the notebook; cells of others hold none of it.
TRANSPARENT = re.compile(r"\s*%%(time|capture|prun)\b.*\n")


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement at the top of a cell.

    Attributes:
        node: its syntax.
        text: as it was written, with the comments above it and inside.
        names: what it does with names.
    """

    node: ast.stmt
    text: str
    names: Names


@dataclass(frozen=True, slots=True)
class Code:
    """What a notebook holds.

    Attributes:
        statements: in the order of the cells.
        unreadable: the text of each cell that Python cannot read, and what Python says.
    """

    statements: list[Statement]
    unreadable: list[tuple[str, str]]


def code_of(nb: NotebookNode) -> Code:
    """Return a notebook's code; a cell that Python cannot read runs nothing in a kernel either."""
    code = Code([], [])
    for cell in nb.cells:
        if cell.cell_type != "code":
            continue
        text = _python(str(cell.source))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what a text warns of is for its author's eyes
                compile(text, "a cell", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
                code.statements.extend(list(_statements(text)))
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            where = f"line {error.lineno}: " if isinstance(error, SyntaxError) else ""
            reason = error.msg if isinstance(error, SyntaxError) else str(error)
            code.unreadable.append((text, f"{where}{reason}"))
    return code


def _python(source: str) -> str:
    """Return a cell's text as Python: magics become calls of IPython, as in a kernel."""
    text = source.replace("\r\n", "\n").replace("\r", "\n")
    transparent = TRANSPARENT.match(text)
    if transparent:
        text = text[transparent.end() :]
    try:
        return str(TransformerManager().transform_cell(text))  # type: ignore[no-untyped-call]
    except SyntaxError:  # Python says more about it
        return text


def _statements(text: str) -> Iterator[Statement]:
    lines, body = text.split("\n"), ast.parse(text).body
    starts = [_first_line(node) for node in body]
    ends = [node.end_lineno or node.lineno for node in body]
    behind = _split(lines[: starts[0] - 1])[1] if body else []
    for number, node in enumerate(body):
        is_last = number + 1 == len(body)
        following = len(lines) + 1 if is_last else starts[number + 1]
        before, (tail, rest) = behind, _split(lines[ends[number] : following - 1])
        behind = [] if is_last else rest
        shares_line = starts[number] in ends[:number] or ends[number] in starts[number + 1 :]
        own = lines[starts[number] - 1 : ends[number]]
        if shares_line:  # ``a = 1; b = 2``
            own = (ast.get_source_segment(text, node) or ast.unparse(node)).split("\n")
        whole = [*before, *own, *tail, *(rest if is_last else [])]
        yield Statement(node, "\n".join(whole).strip("\n"), names_of(node))


def _first_line(node: ast.stmt) -> int:
    """Return the line at which a statement starts, with its decorators."""
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(one.lineno for one in decorators)])


def _split(between: list[str]) -> tuple[list[str], list[str]]:
    """Part the lines between two statements: indented comments belong to what stands above."""
    above = 0
    for number, line in enumerate(between, start=1):
        if line[:1].isspace() and line.strip().startswith("#"):
            above = number
    below = "\n".join(between[above:]).strip("\n")
    return between[:above], below.split("\n") if below.strip() else []
