"""Colours and menus where scripts do not run: one style sheet, asked for by `<noscript>` alone.

The theme's script writes "light" or "dark" into the page, and every rule of colour waits for it.
Here each of those rules stands once more, for the page as it comes ("auto"), under the reader's own
preference. They are read from the sheets that are published, so that none can be forgotten.
"""

import re
from pathlib import Path

from sphinx.application import Sphinx

__all__ = ["SHEET", "for_scheme", "rules", "write_sheet"]

SHEET = "no-script.css"
MENUS = Path(__file__).resolve().parent.parent / "_templates" / SHEET
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
# Braces within quotes are no braces.
TOKEN = re.compile(r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[{}]""")
# Paper is light, whatever the reader prefers.
MEDIA = {
    "light": "print, (prefers-color-scheme: light)",
    "dark": "screen and (prefers-color-scheme: dark)",
}


def rules(css: str) -> list[tuple[str, str]]:
    """Return what stands before each outer pair of braces, and what stands within."""
    css = COMMENT.sub("", css)
    found, depth, start, opened = [], 0, 0, 0
    for token in TOKEN.finditer(css):
        if token[0] == "{":
            depth += 1
            if depth == 1:
                opened = token.end()
        elif token[0] == "}":
            depth -= 1
            if depth == 0:
                head = css[start : opened - 1].rsplit(";", 1)[-1].strip()
                found.append((head, css[opened : token.start()].strip()))
                start = token.end()
    return found


def for_scheme(css: str, scheme: str) -> str:
    """Return a sheet's rules that wait for a scheme, for a page on which no script chose one."""
    waiting = re.compile(rf'\[data-theme="?{scheme}"?\]')
    written = []
    for head, body in rules(css):
        if head.startswith("@media"):
            inner = for_scheme(body, scheme)
            written += [f"{head}{{{inner}}}"] if inner else []
        elif not head.startswith("@"):
            # A comma within brackets parts no selectors.
            selectors = re.split(r",(?![^(]*\))", head)
            chosen = [
                waiting.sub("[data-theme=auto]", s.strip()) for s in selectors if waiting.search(s)
            ]
            written += [f"{','.join(chosen)}{{{body}}}"] if chosen else []
    return "\n".join(written)


def write_sheet(app: Sphinx, exception: Exception | None) -> None:
    """Write the sheet, from those that the pages load and in their order."""
    if exception or app.builder.name != "html":
        return
    static = Path(app.outdir) / "_static"
    first = [static / "styles" / "pydata-sphinx-theme.css", static / "styles"]
    first[1] /= "sphinx-book-theme.css"
    last = static / "course.css"
    others = sorted(set(static.glob("*.css")) - {last, static / SHEET})
    sheets = [path.read_text(encoding="utf-8") for path in (*first, *others, last)]
    written = [
        f"@media {MEDIA[scheme]} {{\n{for_scheme(css, scheme)}\n}}"
        for css in sheets
        for scheme in MEDIA
        if for_scheme(css, scheme)
    ]
    menus = MENUS.read_text(encoding="utf-8")
    (static / SHEET).write_text("\n".join([*written, menus]), encoding="utf-8")
