"""What an answer needs of its notebook: the statements behind the names that it reads."""

import ast
import builtins
import importlib
import importlib.util
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from grading.adoption.names import root
from grading.adoption.statements import Statement

__all__ = ["Needed", "needed"]

#: What makes a statement one that acts, and not one that defines: it asks for a check, or IPython.
ACTS = {"check", "get_ipython", "display"}
#: They give their names a value whatever stood before. A loop may not run, ``x += 1`` reads x.
BINDS_ANEW = (
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.Assign,
    ast.AnnAssign,
    ast.ImportFrom,
)


@dataclass(slots=True)
class Needed:
    """What an answer needs.

    Attributes:
        statements: those that come along, in the notebook's order.
        missing: names that it reads and nothing here binds.
        acts: what a statement does with one of the names, and stays behind.
    """

    statements: list[Statement]
    missing: list[str] = field(default_factory=list)
    acts: list[str] = field(default_factory=list)


def needed(statements: list[Statement], reads: frozenset[str], end: int) -> Needed:
    """Return what names stand for that are read behind the first `end` statements.

    A name that is read when a function is called has its last value, one that is read where a
    statement stands has the value of that place: as in a kernel that runs from the top.
    """
    chosen: dict[int, set[str]] = {}
    missing: dict[str, None] = {}
    waiting = [(name, end) for name in sorted(reads)]
    done = set(waiting)
    while waiting:
        name, place = waiting.pop()
        found = list(_behind(statements, name, place))
        if not found and not hasattr(builtins, name):
            missing[name] = None
        for number in found:
            chosen.setdefault(number, set()).add(name)
            names = statements[number].names
            # What is called here may also be kept, and called again at the end.
            more = {(one, number) for one in names.now}
            more |= {(one, at) for one in names.later for at in (place, end)}
            waiting += sorted(more - done)
            done |= more
    bound = {name for names in chosen.values() for name in names}
    taken = [_without_star(statements[n], chosen[n]) for n in sorted(chosen)]
    left = [one for n, one in enumerate(statements[:end]) if n not in chosen]
    return Needed(taken, [name for name in missing if name not in bound], list(_acts(taken, left)))


def _behind(statements: list[Statement], name: str, place: int) -> Iterator[int]:
    """Yield the statements that make what a name is at a place, the last one first."""
    changes: list[int] = []
    is_module = False
    for number in range(place - 1, -1, -1):
        one = statements[number]
        if one.names.now & ACTS:
            continue
        if name in one.names.binds or name in _all_of(one.node):
            if isinstance(one.node, ast.Import):
                # ``import torch.nn`` adds to what ``import torch`` binds, in either order.
                if not is_module or "." in ast.unparse(one.node):
                    yield number
                is_module = True
                continue
            if is_module:
                return
            yield number
            if isinstance(one.node, BINDS_ANEW):
                break
        elif name in one.names.changes:
            changes.append(number)
    if not is_module:  # to write into a module would change it for everybody
        yield from changes


def _all_of(node: ast.stmt) -> frozenset[str]:
    """Return the names that ``from math import *`` binds; none of a module of the learner's."""
    if not (isinstance(node, ast.ImportFrom) and node.names[0].name == "*" and not node.level):
        return frozenset()
    module = _installed(node.module or "")
    if module is None:
        return frozenset()
    public = [name for name in vars(module) if not name.startswith("_")]
    return frozenset(getattr(module, "__all__", public))


def _installed(name: str) -> Any:
    """Return a module of Python's own or of an installed package; None where it is another."""
    top = name.partition(".")[0]
    try:
        found = importlib.util.find_spec(top)
        parts = Path(found.origin or "").parts if found is not None else ()
        if top in sys.stdlib_module_names or {"site-packages", "dist-packages"} & set(parts):
            return importlib.import_module(name)
    except Exception:  # a module may do anything while it is imported
        return None
    return None


def _without_star(statement: Statement, names: set[str]) -> Statement:
    """Return a statement that can stand in a function, where no star may."""
    node = statement.node
    if not _all_of(node):
        return statement
    assert isinstance(node, ast.ImportFrom)
    listed = [ast.alias(name) for name in sorted(names)]
    named = ast.ImportFrom(node.module, listed, 0)
    return replace(statement, node=named, text=ast.unparse(named))


def _acts(taken: list[Statement], left: list[Statement]) -> Iterator[str]:
    """Yield what statements that stay behind do with the objects of those that come along."""
    assigned = {
        name for one in taken if isinstance(one.node, ast.Assign) for name in one.names.binds
    }
    imported = {
        name
        for one in taken
        if isinstance(one.node, ast.Import | ast.ImportFrom)
        for name in one.names.binds
    }
    for one in left:
        called = [node.func for node in ast.walk(one.node) if isinstance(node, ast.Call)]
        on = {root(function) for function in called if isinstance(function, ast.Attribute)}
        if (on & assigned) or (one.names.changes & (assigned | imported)):
            yield ast.unparse(one.node).split("\n")[0]
