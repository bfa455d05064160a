"""Indent a piece of Python without touching its strings."""

import ast
import io
import tokenize

__all__ = ["indented"]

#: From Python 3.12 on, what lies within an f-string are tokens of their own.
STARTS = {getattr(tokenize, name, -1) for name in ("FSTRING_START", "TSTRING_START")}
ENDS = {getattr(tokenize, name, -1) for name in ("FSTRING_END", "TSTRING_END")}
DOCUMENTED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def indented(text: str, *, documents: bool) -> str:
    """Return a text whose lines start further right, but for those that start in a string.

    Args:
        text: whole statements.
        documents: whether the lines of docstrings move as well.
    """
    fixed = _lines_in_strings(text)
    if documents:
        fixed -= _lines_of_documents(text)
    return "\n".join(
        line if number in fixed or not line.strip() else f"    {line}"
        for number, line in enumerate(text.split("\n"), start=1)
    )


def _lines_in_strings(text: str) -> set[int]:
    """Return the numbers of the lines that start within a string."""
    inside: set[int] = set()
    started: list[int] = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.STRING:
            inside |= set(range(token.start[0] + 1, token.end[0] + 1))
        elif token.type in STARTS:
            started.append(token.start[0])
        elif token.type in ENDS:
            inside |= set(range(started.pop() + 1, token.end[0] + 1))
    return inside


def _lines_of_documents(text: str) -> set[int]:
    """Return the numbers of the lines of docstrings, but for the first of each."""
    found: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            document = node.body[0]
            found |= set(range(document.lineno + 1, (document.end_lineno or 0) + 1))
    return found
