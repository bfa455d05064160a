"""Which names a statement binds and changes, and which it reads: at once, or when it is called."""

import ast
import symtable
from dataclasses import dataclass

__all__ = ["Names", "names_of", "root"]

#: Scopes that are entered where they stand, though Python's tables call them functions.
AT_ONCE = {"listcomp", "setcomp", "dictcomp", "genexpr"}


@dataclass(frozen=True, slots=True)
class Names:
    """What a statement at the top of a cell does with the names of the notebook.

    Attributes:
        binds: the names that it gives a value.
        changes: the names whose object it writes into, as ``table[0] = 1`` does.
        now: the names that it reads where it stands; a default argument is one.
        later: the names that its functions read when they are called.
        outside: the names that its functions bind in the notebook, by ``global``.
    """

    binds: frozenset[str]
    changes: frozenset[str]
    now: frozenset[str]
    later: frozenset[str]
    outside: frozenset[str]


def names_of(node: ast.stmt) -> Names:
    """Return what a statement does with names."""
    table = symtable.symtable(ast.unparse(node), "cell", "exec")
    symbols = table.get_symbols()
    now = {one.get_name() for one in symbols if one.is_referenced()}
    later: set[str] = set()
    outside: set[str] = set()
    _read_inside(table, now, later, outside)
    is_bare = isinstance(node, ast.AnnAssign) and node.value is None  # ``x: int`` gives no value
    bound = [one.get_name() for one in symbols if one.is_assigned() or one.is_imported()]
    return Names(
        binds=frozenset([] if is_bare else bound),
        changes=frozenset(_changed(node)),
        now=frozenset(now),
        later=frozenset(later),
        outside=frozenset(outside),
    )


def _read_inside(
    table: symtable.SymbolTable, reads: set[str], later: set[str], outside: set[str]
) -> None:
    """Collect what the scopes inside read of the names outside all of them."""
    for inner in table.get_children():
        is_function = str(inner.get_type()).lower().rpartition(".")[2] == "function"
        inside = later if is_function and inner.get_name() not in AT_ONCE else reads
        for one in inner.get_symbols():
            if one.is_global() and one.is_referenced():
                inside.add(one.get_name())
            if one.is_declared_global():
                outside.add(one.get_name())
        _read_inside(inner, inside, later, outside)


def _changed(node: ast.AST) -> set[str]:
    """Return the names into whose objects a statement writes where it stands."""
    found = set()
    if isinstance(node, ast.Subscript | ast.Attribute) and not isinstance(node.ctx, ast.Load):
        found.add(root(node))
    for inner in ast.iter_child_nodes(node):
        if not isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            found |= _changed(inner)
    return found - {""}


def root(node: ast.AST) -> str:
    """Return the name at which ``a.b[0].c`` starts; "" where it starts with none."""
    while isinstance(node, ast.Subscript | ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""
