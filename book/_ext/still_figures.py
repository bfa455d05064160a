"""Shows a still figure as the file that fits: one a scheme, one a width, loaded when it comes near.

A page cannot lend an image its colours, so each scheme has a file, and the style sheet shows one of
the two; the browser fetches no image that is not shown. A phone gets the narrow drawing.
"""

import re
from html import escape
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

from course_lib.plotting.standard import NARROW, WIDE, in_dark, in_two

# Where the theme's own layout becomes that of a phone.
PHONE = "(max-width: 576px)"
SCHEMES = {"light": lambda svg: svg, "dark": in_dark}


def drawings(path: Path) -> dict[str, str]:
    """Return the drawing for each sheet: from one file, or from a second one beside it."""
    found = in_two(path.read_text(encoding="utf-8"))
    beside = path.with_name(f"{path.stem}-narrow.svg")
    if beside.exists():
        found[NARROW.name] = beside.read_text(encoding="utf-8")
    return found


def size(svg: str) -> str:
    """Return a drawing's width and height as attributes: its place is kept until it has come."""
    opening = svg[: svg.index(">")]
    width, height = (re.search(rf'\b{side}="([\d.]+)"', opening)[1] for side in ("width", "height"))
    return f'width="{round(float(width))}" height="{round(float(height))}"'


def visit_image(writer: Any, node: nodes.image) -> None:
    """Write an SVG as two pictures, of which the page shows one; leave every other image alone."""
    source = Path(writer.builder.srcdir) / node["uri"]
    if source.suffix != ".svg" or not source.exists():
        HTML5Translator.visit_image(writer, node)
        return
    name = Path(writer.builder.images[node["uri"]]).stem
    found, alt = drawings(source), escape(node.get("alt", ""))
    for scheme, dressed in SCHEMES.items():
        address = {}
        for sheet, svg in found.items():
            address[sheet] = f"{writer.builder.imgpath}/{name}-{sheet}-{scheme}.svg"
            target = Path(writer.builder.outdir) / "_images" / Path(address[sheet]).name
            target.parent.mkdir(exist_ok=True)
            target.write_text(dressed(svg), encoding="utf-8")
        writer.body.append(f'<picture class="still-figure in-{scheme}">')
        if NARROW.name in found:
            small = f'srcset="{address[NARROW.name]}" {size(found[NARROW.name])}'
            writer.body.append(f'<source media="{PHONE}" {small}>')
        shown = f'src="{address[WIDE.name]}" {size(found[WIDE.name])}'
        writer.body.append(f'<img {shown} alt="{alt}" loading="lazy"></picture>')


def depart_image(writer: Any, node: nodes.image) -> None:
    """Leave an image."""


def remove_originals(app: Sphinx, exception: Exception | None) -> None:
    """Remove the files that the pictures were made of: no page asks for them."""
    if exception is None and app.builder.name == "html":
        folder = Path(app.outdir) / "_images"
        for made in folder.glob(f"*-{WIDE.name}-light.svg"):
            original = made.name.removesuffix(f"-{WIDE.name}-light.svg") + ".svg"
            (folder / original).unlink(missing_ok=True)


def setup(app: Sphinx) -> dict[str, Any]:
    """Take over how images are written in HTML."""
    app.add_node(nodes.image, override=True, html=(visit_image, depart_image))
    app.connect("build-finished", remove_originals)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
