"""What a cell's text says as Python: what it defines, and whether it can be read at all."""

import ast
import re
import warnings

#: A line for IPython alone; Python cannot read it.
MAGIC = re.compile(r"^(\s*)[%!].*$", flags=re.MULTILINE)


def parsed(source: str) -> ast.Module | None:
    """Return the syntax of a cell's text, or None where Python cannot read it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what a learner's text warns of concerns nobody here
        try:
            return ast.parse(MAGIC.sub(r"\1pass", source))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


def defined(source: str) -> frozenset[str]:
    """Return the functions and classes that a cell defines at its top level."""
    module = parsed(source)
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    body = module.body if module is not None else []
    return frozenset(statement.name for statement in body if isinstance(statement, kinds))


def imported(source: str) -> dict[str, str]:
    """Return the names that a cell's own imports bind, each with the statement that binds it."""
    module = parsed(source)
    found = {}
    for statement in module.body if module is not None else []:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            for alias in statement.names:
                name = alias.asname or alias.name.split(".")[0]
                found[name] = f"{origin(statement)}import {ast.unparse(alias)}"
    return found


def origin(statement: ast.Import | ast.ImportFrom) -> str:
    """Return how an import starts that takes names from a module; "" for a module itself."""
    if isinstance(statement, ast.Import):
        return ""
    return f"from {'.' * statement.level}{statement.module or ''} "


def names_read(source: str) -> frozenset[str]:
    """Return the names that a cell's text reads."""
    module = parsed(source)
    nodes = ast.walk(module) if module is not None else []
    return frozenset(node.id for node in nodes if isinstance(node, ast.Name))


def is_prose(source: str) -> bool:
    """Return whether a code cell holds text instead of code: no Python, or comments alone."""
    module = parsed(source)
    if module is None:
        return True
    return not any(
        not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
        for statement in module.body
    )
