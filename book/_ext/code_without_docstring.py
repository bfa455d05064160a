"""`literalinclude` with one option more: `:without-docstring:` leaves out a function's contract.

A chapter shows what a function does; its contract (arguments, errors, sources) stands on the
API page.
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


class LiteralIncludeWithoutDocstring(LiteralInclude):
    """`literalinclude` as Sphinx has it, and the option `:without-docstring:`."""

    option_spec = LiteralInclude.option_spec | {"without-docstring": directives.flag}

    def run(self) -> list[nodes.Node]:
        """Include the code, then drop the docstring if asked to."""
        included = super().run()
        if "without-docstring" in self.options:
            blocks = [block for node in included for block in node.findall(nodes.literal_block)]
            for block in blocks:
                code = strip_docstring(block.astext())
                block.rawsource = code
                block.children = [nodes.Text(code)]
        return included


def setup(app: Sphinx) -> dict[str, Any]:
    """Put the directive in the place of Sphinx's own."""
    app.add_directive("literalinclude", LiteralIncludeWithoutDocstring, override=True)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
