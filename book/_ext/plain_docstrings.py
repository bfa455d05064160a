"""Docstrings whose results and attributes are described by sentences, not by types.

The shapes stand in the annotations. Napoleon takes whatever comes before a colon in the first line
of "Returns:", or of an attribute's text, for a type. A line break before the colon keeps it a
sentence; where the first word carries the colon ("V: entries of the vocabulary"), an empty first
line does.
"""

import re
from enum import Enum
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

FIRST_WORD = re.compile(r"(\s*\S+) (?=.*:)")
# A backslash at the end of a line stands for nothing at all.
NOTHING = "\\"
# Letters of a value that are still read at one look.
LONG_VALUE = 240


def keep_sentence(line: str) -> list[str]:
    """Return the line, broken so that no colon stands in the first of its parts."""
    margin = " " * (len(line) - len(line.lstrip()))
    if ":" in line.split(maxsplit=1)[0]:
        return [margin + NOTHING, line]
    found = FIRST_WORD.match(line)
    if found is None:
        return [line]
    return [found[1], margin + line[found.end() :]]


def untype(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Break the lines which napoleon would misread; it reads them next."""
    changed: list[str] = []
    for position, line in enumerate(lines):
        after_returns = position > 0 and lines[position - 1].strip() == "Returns:"
        first_of_attribute = what in ("attribute", "data", "property") and position == 0
        changed += keep_sentence(line) if after_returns or first_of_attribute else [line]
    lines[:] = changed


def plain_shapes(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    """Keep the star of a shape ("*batch T") a star: napoleon copies types as they are."""
    lines[:] = [
        re.sub(r"(?<!\\)\*", r"\\*", line) if re.match(r"\s*:(var)?type\b", line) else line
        for line in lines
    ]


def plain_members(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, signature: str, returns: str
) -> tuple[str, str] | None:
    """Show an enumeration without a signature: its members are read, never called."""
    if what == "class" and issubclass(obj, Enum):
        return "", ""
    return None


def short_values(app: Sphinx, doctree: nodes.document) -> None:
    """Leave out a constant's value that is longer than three lines; its sentence says enough."""
    for note in list(doctree.findall(addnodes.desc_annotation)):
        value = note.astext().strip()
        if value.startswith("=") and len(value) > LONG_VALUE:
            note.parent.remove(note)


def setup(app: Sphinx) -> dict[str, Any]:
    """Run before napoleon, and once more after it."""
    app.connect("autodoc-process-docstring", untype, priority=400)
    app.connect("autodoc-process-docstring", plain_shapes, priority=600)
    app.connect("autodoc-process-signature", plain_members)
    app.connect("doctree-read", short_values)
    return {
        "version": "1",
        "env_version": 1,
        "parallel_read_safe": True,
        "parallel_write_safe": True,
    }
