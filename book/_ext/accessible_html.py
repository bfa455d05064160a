"""Where docutils' own HTML breaks a rule of accessibility, ours stands instead.

Footnotes come as `<aside>` within the article, which is a landmark within a landmark; entries of
the bibliography have a role that has been deprecated. Both are lists, and are written as such.
"""

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx


def visit_entry(writer: Any, node: nodes.Element) -> None:
    """Open a footnote or a reference's entry, and before the first one its list."""
    if not isinstance(node.previous_sibling(), type(node)):
        writer.body.append(f'<div role="list" class="{node.tagname}-list brackets">\n')
    classes = [node.tagname, "brackets"]
    writer.body.append(writer.starttag(node, "div", classes=classes, role="listitem"))


def depart_entry(writer: Any, node: nodes.Element) -> None:
    """Close an entry, and after the last one its list."""
    writer.body.append("</div>\n")
    if not isinstance(node.next_node(descend=False, siblings=True), type(node)):
        writer.body.append("</div>\n")


def load_images_late(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Let each image load when it comes near the screen."""
    for image in doctree.findall(nodes.image):
        image["loading"] = "lazy"


def setup(app: Sphinx) -> dict[str, Any]:
    """Replace the two writers, and mark the images."""
    for kind in (nodes.footnote, nodes.citation):
        app.add_node(kind, override=True, html=(visit_entry, depart_entry))
    app.connect("doctree-resolved", load_images_late)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
