"""Write a page's resolved document as plain Markdown, which any notebook reader shows.

The document has been through Sphinx: terms, equation and figure numbers, citations, and included
code stand in it as they stand on the page, so no directive has to be recognised by its text. A node
that is not known here stops the build: nothing of a page is lost in silence.
"""

import html
import re
from collections.abc import Callable
from urllib.parse import urljoin, urlsplit

from docutils import nodes
from sphinx import addnodes
from sphinx.environment import BuildEnvironment
from sphinx.errors import ExtensionError
from sphinx_design.dropdown import dropdown_main

ENVIRONMENT = re.compile(r"\s*\\begin\{(align|equation|gather|multline)")
ADMONITION_TITLES = {"seealso": "See also"}
SILENT = (
    *(nodes.comment, nodes.target, nodes.substitution_definition, nodes.pending, nodes.meta),
    *(addnodes.index, addnodes.highlightlang, nodes.system_message, nodes.colspec, nodes.Invisible),
)


def indent(text: str, first: str, rest: str | None = None) -> str:
    """Return text with `first` before its first line and `rest` before the others."""
    rest = " " * len(first) if rest is None else rest
    head, *tail = text.split("\n")
    return "\n".join([first + head, *((rest + line).rstrip() for line in tail)])


class MarkdownWriter:
    """Turns nodes of one page into Markdown; links lead to the published book, if there is one."""

    def __init__(self, env: BuildEnvironment, docname: str, address: str | None) -> None:
        self.env = env
        self.docname = docname
        self.address = address and urljoin(address, f"{docname}.html")
        self.images: dict[str, str] = {}
        self.in_table = False

    # -- inside a line -----------------------------------------------------------------------------

    def line(self, node: nodes.Node) -> str:
        """Return an inline node, or all the inline children of a block, as Markdown."""
        if isinstance(node, nodes.Text):
            return re.sub(r"([\\*_`$<\[\]])", r"\\\1", node.astext().replace("\n", " "))
        if isinstance(node, nodes.math):
            # Within a table a bar would end the cell.
            tex = node.astext().replace("|", r"\vert ") if self.in_table else node.astext()
            return f"${tex}$"
        if isinstance(node, nodes.literal):
            return f"`{node.astext()}`"
        if isinstance(node, nodes.image):
            return self.image(node)
        if isinstance(node, nodes.raw):
            return node.astext() if "html" in node.get("format", "").split() else ""
        if isinstance(node, nodes.problematic):
            raise ExtensionError(f"{self.docname}: {node.astext()!r} could not be resolved")
        if isinstance(node, SILENT):
            return ""
        text = "".join(self.line(child) for child in node.children)
        return self.dressed(node, text)

    def dressed(self, node: nodes.Node, text: str) -> str:
        """Return inline text with the marks of its node."""
        if isinstance(node, nodes.emphasis | nodes.title_reference):
            return f"*{text}*"
        if isinstance(node, nodes.strong):
            return f"**{text}**"
        if isinstance(node, nodes.reference):
            target = node.get("refuri") or "#" + node.get("refid", "")
            if self.address is None and not urlsplit(target).scheme:
                return text
            return f"[{text}]({urljoin(self.address or '', target)})"
        if isinstance(node, nodes.footnote_reference):
            return f"[{text}]"
        return text

    def html(self, node: nodes.Node) -> str:
        """Return an inline node for the inside of HTML, where no Markdown is read but maths is."""
        if isinstance(node, nodes.Text):
            return html.escape(node.astext(), quote=False)
        if isinstance(node, nodes.math):
            return f"${html.escape(node.astext(), quote=False)}$"
        text = "".join(self.html(child) for child in node.children)
        tag = {nodes.literal: "code", nodes.emphasis: "em", nodes.strong: "b"}.get(type(node))
        return f"<{tag}>{text}</{tag}>" if tag else text

    def image(self, node: nodes.image) -> str:
        """Return an image; a file of the book travels inside the notebook."""
        uri = node["uri"]
        if "://" not in uri:
            name = uri.rsplit("/", 1)[-1]
            self.images[name] = uri
            uri = f"attachment:{name}"
        return f"![{node.get('alt', '')}]({uri})"

    # -- blocks ------------------------------------------------------------------------------------

    def children(self, node: nodes.Node) -> str:
        """Return the blocks within a node, with an empty line between them."""
        return "\n\n".join(text for child in node.children if (text := self.block(child)))

    def block(self, node: nodes.Node) -> str:
        """Return a block as Markdown."""
        if isinstance(node, SILENT):
            return ""
        for kinds, write in self.writers():
            if isinstance(node, kinds):
                return write(node)
        if isinstance(node, nodes.Inline | nodes.Text):
            return self.line(node)
        raise ExtensionError(
            f"{self.docname}: plain_markdown.py cannot write <{node.__class__.__name__}> yet"
        )

    def writers(self) -> list[tuple[tuple[type, ...], Callable[[nodes.Node], str]]]:
        """Return which kind of node is written by what; the first that fits."""
        return [
            ((nodes.paragraph, nodes.rubric, nodes.attribution), self.paragraph),
            ((nodes.math_block,), self.formula),
            ((nodes.literal_block, nodes.doctest_block), self.code),
            ((nodes.bullet_list, nodes.enumerated_list), self.items),
            ((nodes.definition_list,), self.definitions),
            ((nodes.table,), self.table),
            ((nodes.figure,), self.figure),
            ((nodes.Admonition,), self.admonition),
            ((dropdown_main,), self.dropdown),
            ((nodes.block_quote,), lambda node: indent(self.children(node), "> ", "> ")),
            ((nodes.footnote, nodes.citation), self.footnote),
            ((nodes.transition,), lambda node: "---"),
            ((nodes.raw, nodes.image), self.line),
            ((nodes.container, nodes.compound, nodes.topic, nodes.line_block), self.children),
            ((nodes.line,), self.line),
            ((nodes.title, nodes.caption), lambda node: f"**{self.line(node)}**"),
        ]

    def paragraph(self, node: nodes.Node) -> str:
        """Return a paragraph as one line."""
        text = self.line(node)
        return f"**{text}**" if isinstance(node, nodes.rubric) else text

    def formula(self, node: nodes.Node) -> str:
        """Return a formula on its own line, with the number that the page gives it."""
        tex = node.astext().strip()
        number = self.number("displaymath", node)
        if number and not ENVIRONMENT.match(tex):
            tex += rf" \tag{{{number}}}"
        return f"$$\n{tex}\n$$"

    def number(self, kind: str, node: nodes.Node) -> str:
        """Return the number of an equation, figure or table, or nothing."""
        numbers = self.env.toc_fignumbers.get(self.docname, {}).get(kind, {})
        found = (numbers[name] for name in node.get("ids", []) if name in numbers)
        return ".".join(map(str, next(found, ())))

    def code(self, node: nodes.Node) -> str:
        """Return code between fences."""
        language = node.get("language", "")
        language = "" if language in ("default", "none") else language
        return f"```{language}\n{node.astext().rstrip()}\n```"

    def items(self, node: nodes.Node) -> str:
        """Return a list, each item's blocks aligned beneath its mark."""
        start = node.get("start", 1)
        numbered = isinstance(node, nodes.enumerated_list)
        marks = (f"{start + i}. " if numbered else "- " for i in range(len(node.children)))
        return "\n".join(
            indent(self.children(item), mark)
            for mark, item in zip(marks, node.children, strict=False)
        )

    def definitions(self, node: nodes.Node) -> str:
        """Return a definition list as terms in bold, each with its meaning."""
        blocks = []
        for item in node.findall(nodes.definition_list_item):
            term = ", ".join(self.line(t) for t in item.children if isinstance(t, nodes.term))
            meaning = "\n\n".join(
                self.children(d) for d in item.children if isinstance(d, nodes.definition)
            )
            blocks.append(f"**{term}**: {meaning}")
        return "\n\n".join(blocks)

    def table(self, node: nodes.Node) -> str:
        """Return a table with pipes between its cells."""
        self.in_table = True
        rows = [
            [
                " ".join(self.children(entry).split("\n")).replace("|", r"\|")
                for entry in row.children
            ]
            for row in node.findall(nodes.row)
        ]
        self.in_table = False
        width = len(rows[0])
        lines = ["| " + " | ".join(row) + " |" for row in rows]
        lines.insert(1, "|" + "---|" * width)
        title = next(iter(node.findall(nodes.title)), None)
        caption = f"**Table {self.number('table', node)}**: {self.line(title)}\n\n" if title else ""
        return caption + "\n".join(lines)

    def figure(self, node: nodes.Node) -> str:
        """Return a figure: its picture, then its numbered caption."""
        parts = [
            self.block(child) for child in node.children if not isinstance(child, nodes.caption)
        ]
        caption = next(iter(node.findall(nodes.caption)), None)
        if caption is not None:
            parts.append(self.caption(node, caption))
        return "\n\n".join(part for part in parts if part)

    def caption(self, figure: nodes.Node, caption: nodes.Node) -> str:
        """Return the caption of a figure with the number that the page gives it."""
        return f"**Fig. {self.number('figure', figure)}** {self.line(caption)}"

    def admonition(self, node: nodes.Node) -> str:
        """Return a note as a quotation under its title; a folded one stays folded."""
        title = next((child for child in node.children if isinstance(child, nodes.title)), None)
        kind = node.__class__.__name__
        heading = self.line(title) if title else ADMONITION_TITLES.get(kind, kind.capitalize())
        body = "\n\n".join(
            text for child in node.children if child is not title and (text := self.block(child))
        )
        if {"dropdown", "toggle"} & set(node.get("classes", [])):
            heading = self.html(title) if title else heading
            return f"<details><summary><b>{heading}</b></summary>\n\n{body}\n\n</details>"
        return indent(f"**{heading}**\n\n{body}", "> ", "> ")

    def dropdown(self, node: nodes.Node) -> str:
        """Return a folded answer, still folded; its title without the sign that it opens."""
        title, *body = node.children
        words = [part for part in title.children if "sd-summary-text" in part.get("classes", [])]
        heading = "".join(self.html(part) for part in words)
        content = "\n\n".join(self.children(part) for part in body)
        return f"<details><summary><b>{heading}</b></summary>\n\n{content}\n\n</details>"

    def footnote(self, node: nodes.Node) -> str:
        """Return a footnote or a reference's entry as a paragraph of its own."""
        label = next(iter(node.findall(nodes.label)), None)
        body = "\n\n".join(
            self.block(child) for child in node.children if not isinstance(child, nodes.label)
        )
        return f"[{label.astext() if label else ''}] {body}"
