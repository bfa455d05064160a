"""Where a line may break on a narrow screen: listings line by line, long names at their joints.

Neither changes what is copied: a line keeps its letters and its end, and `<wbr>` is no letter.
"""

import re
from typing import Any

from sphinx.application import Sphinx

__all__ = ["breakable_names", "in_lines", "setup"]

LISTING = re.compile(r"(<pre>(?:<span></span>)?)(.*?)(</pre>)", re.DOTALL)
TAG = re.compile(r"(<[^>]*>)")
# Names stand in code and in the signatures of the library's pages.
NAMED = re.compile(r'<code\b[^>]*>.*?</code>|<dt class="sig\b[^>]*>.*?</dt>', re.DOTALL)
# Shorter names fit into any column.
LONG = re.compile(r"[A-Za-z_][\w.]{11,}")
JOINT = re.compile(r"(?<=[A-Za-z0-9])([._])(?=[A-Za-z0-9])")


def in_lines(html: str) -> str:
    """Return a highlighted listing with an element for each line, which knows its own indent.

    What does not fit goes on below, four columns deeper than its line began.
    """
    if 'class="hll"' in html or "linenos" in html:
        return html
    return LISTING.sub(lambda m: m[1] + "".join(map(_line, _ended(m[2]))) + m[3], html)


def _ended(text: str) -> list[str]:
    """Return the lines of a text, each with its end."""
    return re.findall(r"[^\n]*\n|[^\n]+$", text)


def _line(line: str) -> str:
    bare = TAG.sub("", line)
    own = len(bare) - len(bare.lstrip(" "))
    style = f' style="--own:{own}"' if own and bare.strip() else ""
    return f'<span class="line"{style}>{line}</span>'


def breakable_names(html: str) -> str:
    """Return a page on which a long name may break behind an underscore or a dot."""
    return NAMED.sub(lambda found: _joints(found[0]), html)


def _joints(element: str) -> str:
    parts = TAG.split(element)
    parts[::2] = [LONG.sub(lambda name: JOINT.sub(r"\1<wbr/>", name[0]), one) for one in parts[::2]]
    return "".join(parts)


def write_lines(app: Sphinx) -> None:
    """Let the builder's highlighter write each line as an element."""
    if app.builder.format != "html":
        return
    highlighter = app.builder.highlighter
    stock = highlighter.highlight_block
    highlighter.highlight_block = lambda *given, **named: in_lines(stock(*given, **named))


def break_names(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object
) -> None:
    """Mark the joints of a page's long names."""
    if "body" in context:
        context["body"] = breakable_names(context["body"])


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect both to the build."""
    app.connect("builder-inited", write_lines)
    app.connect("html-page-context", break_names)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
