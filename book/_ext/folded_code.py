"""Prose first: code that draws, and cells that check, are folded into one bar at a section's end.

A chapter's visible cells show the mechanism. Those that draw keep their figure where it stands, and
those that check prove a number of the text; their code waits beneath the section, under a name that
says what it is. The downloaded notebook keeps every cell in its place.
"""

from docutils import nodes
from myst_nb.sphinx_ import HideCodeCellNode
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxTranslator

__all__ = ["code_bar", "fold", "leave", "visit"]


class code_bar(nodes.General, nodes.Element):
    """A section's folded code; "name" is what its bar is called."""


def visit(self: SphinxTranslator, node: code_bar) -> None:
    """Open what unfolds without a script, and is announced by the words that it shows."""
    name = self.encode(node["name"])
    self.body.append(f'<details class="code-bar"><summary>{name}</summary>\n')


def leave(self: SphinxTranslator, node: code_bar) -> None:
    """Close it."""
    self.body.append("</details>\n")


def fold(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Gather the code that draws or checks at the end of the section in which it stands."""
    if app.builder.format != "html":
        return
    numbers = app.env.toc_fignumbers.get(docname, {}).get("figure", {})
    for section in list(doctree.findall(nodes.section)):
        own = [one for one in section.children if not isinstance(one, nodes.section)]
        drawn: list[str] = []
        checks: list[str] = []
        bar = code_bar()
        for cell in (one for one in own if is_cell(one)):
            number = drawing(cell, numbers)
            if number:
                drawn.append(number)
                bar += part(f"Figure {number}", source(cell))
            elif check := checking(cell):
                checks.append(check["prompt_show"])
                bar += part(check["prompt_show"], *check.children)
                section.remove(cell)
        if drawn or checks:
            bar["name"] = in_words(drawn, checks)
            left = [one for one in section.children if not isinstance(one, nodes.section)]
            section.insert(len(left), bar)


def is_cell(node: nodes.Node) -> bool:
    """Return whether a node is a cell of code."""
    return isinstance(node, nodes.container) and node.get("nb_element") == "cell_code"


def drawing(cell: nodes.Element, numbers: dict[str, tuple[int, ...]]) -> str | None:
    """Return the number of the figure that a cell draws, "3.1"; None where it draws none."""
    for figure in cell.findall(nodes.figure):
        for name in figure["ids"]:
            if name in numbers and isinstance(source(cell), nodes.Element):
                return ".".join(map(str, numbers[name]))
    return None


def checking(cell: nodes.Element) -> HideCodeCellNode | None:
    """Return what a cell hides as a whole; None where it shows itself."""
    return next((one for one in cell.children if isinstance(one, HideCodeCellNode)), None)


def source(cell: nodes.Element) -> nodes.Element | None:
    """Return the code of a cell without its output."""
    codes = (one for one in cell.children if one.get("nb_element") == "cell_code_source")
    return next(codes, None)


def part(title: str, *code: nodes.Element) -> nodes.Element:
    """Return one cell's code under its title, taken from where it stood."""
    whole = nodes.container(classes=["cell"])
    whole += nodes.paragraph("", title, classes=["code-bar-part"])
    for one in code:
        one.parent.remove(one)
        whole += one
    return whole


def in_words(drawn: list[str], checks: list[str]) -> str:
    """Return a bar's name: "Code of figures 3.1 and 3.2. Check the cliffs"."""
    names = []
    if drawn:
        listed = " and ".join(filter(None, [", ".join(drawn[:-1]), drawn[-1]]))
        names.append(f"Code of figure{'s' if len(drawn) > 1 else ''} {listed}")
    for check in dict.fromkeys(checks):
        times = checks.count(check)
        names.append(f"{check} ({times})" if times > 1 else check)
    return ". ".join(names)
