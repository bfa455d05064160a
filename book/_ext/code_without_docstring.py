"""`literalinclude` with two options more: `:without-docstring:` and `:without-guards:`.

A chapter shows what a function does. Its contract (arguments, errors, sources) stands on the API
page, and the lines that refuse bad input stand in the library.
"""

import ast
from typing import Any

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.directives.code import LiteralInclude


def strip_docstring(source: str) -> str:
    """Return the source of one function or class without its docstring."""
    definition = ast.parse(source).body[0]
    if not isinstance(definition, ast.FunctionDef | ast.ClassDef) or not ast.get_docstring(
        definition
    ):
        raise ValueError("without-docstring needs a pyobject that has a docstring")
    docstring = definition.body[0]
    lines = source.splitlines()
    del lines[docstring.lineno - 1 : docstring.end_lineno]
    return "\n".join(lines)


def strip_guards(source: str) -> str:
    """Return the source of one function, or of some of its lines, without what refuses bad input.

    That is a call of `require_…` as a statement, and an `if` which does nothing but raise.
    """
    shown = ast.parse(source).body
    of_function = shown[0].body if isinstance(shown[0], ast.FunctionDef) else shown
    guards = [one for one in of_function if is_guard(one)]
    if not guards:
        raise ValueError("without-guards needs a pyobject that refuses something")
    lines = source.splitlines()
    for guard in reversed(guards):
        del lines[guard.lineno - 1 : guard.end_lineno]
    return "\n".join(lines)


def is_guard(statement: ast.stmt) -> bool:
    """Return whether a statement only refuses bad input."""
    if isinstance(statement, ast.If):
        return not statement.orelse and all(isinstance(one, ast.Raise) for one in statement.body)
    call = statement.value if isinstance(statement, ast.Expr) else None
    return (
        isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id.lstrip("_").startswith("require_")
    )


class LiteralIncludeWithoutDocstring(LiteralInclude):
    """`literalinclude` as Sphinx has it, and the two options."""

    option_spec = LiteralInclude.option_spec | {
        "without-docstring": directives.flag,
        "without-guards": directives.flag,
    }

    def run(self) -> list[nodes.Node]:
        """Include the code, then drop what was asked to be dropped."""
        included = super().run()
        strips = {"without-docstring": strip_docstring, "without-guards": strip_guards}
        for strip in (strip for name, strip in strips.items() if name in self.options):
            blocks = [block for node in included for block in node.findall(nodes.literal_block)]
            for block in blocks:
                code = strip(block.astext())
                block.rawsource = code
                block.children = [nodes.Text(code)]
        return included


def setup(app: Sphinx) -> dict[str, Any]:
    """Put the directive in the place of Sphinx's own."""
    app.add_directive("literalinclude", LiteralIncludeWithoutDocstring, override=True)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
