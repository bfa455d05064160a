"""The pages of the built site, one after the other, as a book: what a PDF and an EPUB are made of.

Nothing is executed and nothing is written again: the articles are taken from the site as they are.
What only a screen can use is left out (buttons, controls, scripts, the dark picture), answers are
open, and the code behind figures and checks stays where it can be run. Ids get their page's name
before them, so that pages may stand in one file and a link still finds its place.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from html import escape, unescape
from html.parser import HTMLParser
from pathlib import Path

import yaml

VOID = {"area", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"}
LEFT_OUT = {"script", "style", "button", "source", "template", "noscript"}
LEFT_OUT_CLASSES = {
    "headerlink", "code-bar", "printed-from", "mechanism-controls", "mechanism-narrow",
    "live-figure-narrow", "live-figure-mount", "in-dark", "chapter-facts",
    "sd-summary-state-marker",
}  # fmt: skip
# Two slips of KaTeX's MathML: an operator that holds a row, and an index with the sign behind it.
ROW_IN_OPERATOR = re.compile(r"<mo\b[^>]*>(<mrow>(?:(?!</?mo\b).)*?</mrow>)</mo>", re.DOTALL)
SIGN_IN_INDEX = re.compile(r"(<mo>\u2061</mo>)(</msub>)")
SVG = re.compile(r"<svg\b.*?</svg>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class BookPage:
    """One page: its name, its title in words, the part that it stands in, and its article."""

    name: str
    title: str
    part: str
    article: str


def book_pages(site: Path, contents: Path) -> list[BookPage]:
    """Return the pages of the table of contents in their order, with their articles as built."""
    listed = yaml.safe_load(contents.read_text(encoding="utf-8"))
    names = [(listed["root"], "")] + [
        (page["file"], part["caption"]) for part in listed["parts"] for page in part["chapters"]
    ]
    pages = []
    for name, part in names:
        html = (site / f"{name}.html").read_text(encoding="utf-8")
        found = re.search(r'<article class="bd-article"[^>]*>(.*?)</article>', html, re.DOTALL)
        headings = headings_of(found[1]) if found else []
        if not headings:
            raise ValueError(f"{name}.html has no article with a heading; build the book anew")
        pages.append(BookPage(name, headings[0], part, found[1] if found else ""))
    return pages


def headings_of(article: str) -> list[str]:
    """Return the headings of an article in words, in their order."""
    found = re.findall(
        r"<h[1-6][^>]*>(.*?)(?:<a class=\"headerlink\"|</h[1-6]>)", article, re.DOTALL
    )
    return [" ".join(unescape(re.sub(r"<[^>]*>", "", one)).split()) for one in found]


class Rewriter(HTMLParser):
    """Writes an article again as XHTML, less what paper cannot use.

    Args:
        page: the page's name.
        names: the names of all pages of the book.
        math: "mathml" or "html": which of KaTeX's two forms is kept.
        link: makes the address of a place in the book from a page's name and an id or "".
        image: makes the address of an image from the one in the site.
        drawing: what becomes of an SVG that stands in the page, and of what it is said to show.
    """

    def __init__(
        self,
        page: str,
        names: set[str],
        *,
        math: str,
        link: Callable[[str, str], str],
        image: Callable[[str], str],
        drawing: Callable[[str, str], str],
    ) -> None:
        super().__init__(convert_charrefs=False)
        self.page, self.names, self.link, self.image = page, names, link, image
        self.drawing = drawing
        other = {"mathml": "katex-html", "html": "katex-mathml"}[math]
        self.left_out = LEFT_OUT_CLASSES | {other}
        self.written: list[str] = []
        self.skipped = 0  # how deep we are in something that is left out
        self.svgs: list[str] = []
        self.said = ""  # of what stands around a drawing
        self.closing: dict[str, list[str]] = {"a": [], "p": []}  # how the open ones are closed

    def rewritten(self, article: str) -> str:
        """Return the article as XHTML."""

        def keep(found: re.Match[str]) -> str:
            classes = re.match(r'<svg\b[^>]*class="([^"]*)"', found[0])
            if classes and set(classes[1].split()) & self.left_out:
                return ""
            self.svgs.append(found[0])
            return f'<img data-svg="{len(self.svgs) - 1}">'

        article = SIGN_IN_INDEX.sub(r"\2\1", ROW_IN_OPERATOR.sub(r"\1", article))
        self.feed(SVG.sub(keep, article))
        self.close()
        return "".join(self.written)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Write a tag, or leave out what it opens."""
        given = {name: value or "" for name, value in attrs}
        classes = set(given.get("class", "").split())
        if self.skipped or tag in LEFT_OUT or classes & self.left_out:
            self.skipped += tag not in VOID
            return
        if "data-svg" in given:
            svg = self.svgs[int(given["data-svg"])]
            # Its own words, or those of the picture that it stands in; its parts have some too.
            own = re.match(r'<svg\b[^>]*\baria-label="([^"]*)"', svg)
            self.written.append(self.drawing(svg, unescape(own[1]) if own else self.said))
            self.said = ""  # which was of this one alone
            return
        if given.get("role") == "img":
            self.said = unescape(given.get("aria-label", ""))
        for name, value in self._attributes(tag, given).items():
            given[name] = value
        kept = {
            name: value
            for name, value in given.items()
            if not self._is_for_a_screen(name) and (name, value) != ("href", "")
        }
        if tag == "p":  # none holds another, though browsers forgive it
            self.closing["p"].append("" if self.closing["p"] else "</p>")
            if len(self.closing["p"]) > 1:
                return
        if tag == "a":  # a link to what is no part of the book is a word
            tag = "a" if kept.get("href") else "span"
            self.closing["a"].append(f"</{tag}>")
            kept.pop("download", None)
        text = "".join(f' {name}="{escape(unescape(value))}"' for name, value in kept.items())
        self.written.append(f"<{tag}{text}{' /' if tag in VOID else ''}>")

    def _attributes(self, tag: str, given: dict[str, str]) -> dict[str, str]:
        """Return the attributes that change."""
        changed = {}
        if "id" in given:
            changed["id"] = f"{self.page}--{given['id']}"
        if tag == "a" and "href" in given:
            changed["href"] = self._address(unescape(given["href"]))
        if "lang" in given:
            changed["xml:lang"] = given["lang"]
        if tag == "img":
            changed["src"] = self.image(given["src"])
        if tag == "details":
            changed["open"] = "open"
        return changed

    def _address(self, address: str) -> str:
        """Return where a link leads in the book; an address elsewhere stays, a file is no place."""
        name, _, place = address.partition("#")
        page = name.removesuffix(".html") if name else self.page
        if "://" in address:
            return address
        if page not in self.names:
            return ""
        return self.link(page, f"{page}--{place}" if place else "")

    @staticmethod
    def _is_for_a_screen(name: str) -> bool:
        return name.startswith(("data-", "aria-", "on")) or name in {
            "tabindex", "loading", "srcset", "hidden", "role",
        }  # fmt: skip

    def handle_endtag(self, tag: str) -> None:
        """Close a tag, or the part that is left out."""
        if self.skipped:
            self.skipped -= tag not in VOID
        elif tag not in VOID:
            known = self.closing.get(tag)
            self.written.append(known.pop() if known else f"</{tag}>")

    def handle_data(self, data: str) -> None:
        """Write text."""
        if not self.skipped:
            self.written.append(escape(data, quote=False))

    def handle_entityref(self, name: str) -> None:
        """Write a named character as itself: XHTML knows five names only."""
        self.handle_data(unescape(f"&{name};"))

    def handle_charref(self, name: str) -> None:
        """Write a numbered character as itself."""
        self.handle_data(unescape(f"&#{name};"))
