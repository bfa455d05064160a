"""A term's sentence is in the page: it shows where the pointer rests, the focus is, or one taps.

The sentence cannot be fetched when it is wanted: a page that was opened from a folder may not read
another file. It is drawn by the style sheet and is no part of the link's name; who listens to the
page follows the link.
"""

import re
from html import escape
from urllib.parse import urlsplit

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

__all__ = ["add_tips"]

GLOSSARY = "glossary"
SIGNS = {
    r"\sum": "Σ ",
    r"\ln": "ln ",
    r"\top": "ᵀ",
    r"\tanh": "tanh",
    r"\sqrt": "√",
    r"\times": "×",
    r"\cdot": "·",
}


def add_tips(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Give each link to a term what the glossary says of it."""
    if app.builder.format != "html" or GLOSSARY not in app.env.found_docs or docname == GLOSSARY:
        return
    said = sentences(app.env.get_doctree(GLOSSARY))
    for link in list(doctree.findall(nodes.reference)):
        target = urlsplit(link.get("refuri", ""))
        if target.path.endswith(f"{GLOSSARY}.html") and target.fragment in said:
            words, tip = escape(link.astext()), escape(said[target.fragment])
            address = escape(link["refuri"])
            html = (
                f'<a class="reference internal term" href="{address}" data-says="{tip}">{words}</a>'
            )
            link.replace_self(nodes.raw("", html, format="html"))


def sentences(glossary: nodes.document) -> dict[str, str]:
    """Return each term's name in Chinese and its first sentence, by the identifier of the term."""
    found = {}
    for item in glossary.findall(nodes.definition_list_item):
        if not isinstance(item.parent.parent, addnodes.glossary):
            continue
        text = "".join(plain(one) for one in item[-1].findall(nodes.Text))
        # The name, and one sentence; a full stop inside a word or an abbreviation ends none.
        parts = re.split(r"(?<=[.?]) (?=[A-Z])", " ".join(text.split()))
        for term in item.findall(nodes.term):
            found |= dict.fromkeys(term["ids"], " ".join(parts[:2]))
    return found


def plain(text: nodes.Text) -> str:
    """Return a piece of text; a formula without the signs of TeX."""
    if not isinstance(text.parent, nodes.math):
        return str(text)
    formula = str(text)
    for tex, sign in SIGNS.items():
        formula = formula.replace(tex, sign)
    return re.sub(r"[\\{}_^]", "", formula)
