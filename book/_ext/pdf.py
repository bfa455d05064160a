"""Print the whole book into one file, _build/attention.pdf: `python book/_ext/pdf.py`.

The built site's pages become one document, which Chromium prints: links lead to their places,
headings become the outline, pages are numbered on and on. Always light, whatever the reader's
screen; Chinese in a font of our own, so that no machine needs one.
"""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright
from pypdf import PdfWriter
from pypdf.generic import NameObject, TextStringObject
from whole_book import BookPage, Rewriter, book_pages, headings_of

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "_build" / "html"
TARGET = ROOT / "_build" / "attention.pdf"
TITLE = "Attention, from queries to GPT-OSS"
STYLES = (
    "styles/theme.css", "styles/pydata-sphinx-theme.css", "pygments.css",
    "styles/sphinx-book-theme.css", "sphinx-design.min.css", "course.css", "live-figure.css",
    "katex/katex.min.css", "print.css",
)  # fmt: skip
# First in the row of fonts, and for Chinese alone: behind another font Chromium forgets it where
# words are bold, and prints boxes.
CHINESE_FONT = (
    "@font-face { font-family: 'Noto Sans SC'; src: url(_live/fonts/noto-sans-sc.woff2); "
    "unicode-range: U+2E80-9FFF, U+FF00-FFEF; }"
)
FOOTER = (
    '<div style="font: 8pt system-ui, sans-serif; width: 100%; text-align: center; color: #555">'
    '<span class="pageNumber"></span></div>'
)


def document(pages: list[BookPage]) -> str:
    """Return the book as one page of HTML, to be opened in the folder of the site."""
    names = {page.name for page in pages}
    styles = "".join(f'<link rel="stylesheet" href="_static/{name}">' for name in STYLES)
    parts, listed, part = [], [], None
    for page in pages:
        if page.part != part:
            part = page.part
            listed.append(f"<li class='book-part'>{escape(part)}</li>" if part else "")
        listed.append(f'<li><a href="#{page.name}">{escape(page.title)}</a></li>')
        rewriter = Rewriter(
            page.name, names, math="html", link=lambda name, place: f"#{place or name}",
            image=lambda address: address, drawing=lambda svg, said: svg,
        )  # fmt: skip
        article = rewriter.rewritten(page.article)
        parts.append(f'<section class="book-page" id="{page.name}">{article}</section>')
    return (
        f'<!DOCTYPE html><html lang="en" data-theme="light"><head><meta charset="utf-8">'
        f"<title>{escape(TITLE)}</title>{styles}<style>{CHINESE_FONT}</style></head>"
        f'<body class="whole-book"><header class="book-cover"><p class="book-title">'
        f"{escape(TITLE)}</p><p>The pages of the course as they were built, with the numbers of "
        f"that run. Code behind figures and checks stands in the notebooks.</p>"
        f"<p>Text and figures: CC BY 4.0. Code: MIT.</p></header>"
        f'<nav class="book-contents"><p class="book-title">Contents</p><ul>{"".join(listed)}</ul>'
        f"</nav>{''.join(parts)}</body></html>"
    )


@contextmanager
def laid_beside_the_site(html: str) -> Iterator[Path]:
    """Lay a document where it finds the files of the site, which stays as it was built.

    Yields:
        The document, in a folder that holds the site's files too and is gone afterwards.
    """
    with tempfile.TemporaryDirectory(dir=SITE.parent) as name:
        folder = Path(name) / "site"
        shutil.copytree(SITE, folder, copy_function=os.link)  # other names for the same files
        page_file = folder / "whole-book.html"
        page_file.write_text(html, encoding="utf-8")
        yield page_file


def print_book(html: str, target: Path) -> None:
    """Let Chromium print a document that finds the site's files."""
    with laid_beside_the_site(html) as page_file, sync_playwright() as driver:
        browser = driver.chromium.launch(**launch_options())
        page = browser.new_page(color_scheme="light")
        page.goto(page_file.as_uri())
        page.evaluate("document.fonts.ready.then(() => true)")
        page.pdf(
            path=str(target), format="A4", outline=True, tagged=True, print_background=True,
            display_header_footer=True, header_template="<div></div>", footer_template=FOOTER,
            margin={"top": "18mm", "bottom": "18mm", "left": "18mm", "right": "18mm"},
        )  # fmt: skip
        browser.close()


def name_outline(target: Path, headings: list[str]) -> None:
    """Write each heading into the outline once: Chromium says the words of some twice.

    Args:
        target: the PDF, which is changed.
        headings: those of the book, in words.
    """
    book = PdfWriter(clone_from=str(target))
    for one in _entries(book.root_object["/Outlines"].get_object()["/First"]):
        title = str(one["/Title"])
        one[NameObject("/Title")] = TextStringObject(said_once(title, headings))
    book.add_metadata({"/Title": TITLE})
    book.write(str(target))


def said_once(title: str, headings: list[str]) -> str:
    """Return the heading that an entry of the outline repeats, line by line or as a whole.

    Its letters stand in the entry in their order, which is at most twice as long.
    """

    def is_in(heading: str) -> bool:
        letters = iter(title)
        return all(letter in letters for letter in heading if letter != " ")

    meant = [text for text in headings if len(title) <= 2 * len(text) + 2 and is_in(text)]
    return max(meant, key=len, default=title)


def _entries(entry: Any) -> Iterator[Any]:
    """Give out the entries of an outline in the order in which they stand."""
    while entry is not None:
        one = entry.get_object()
        yield one
        if "/First" in one:
            yield from _entries(one["/First"])
        entry = one.get("/Next")


def launch_options() -> dict[str, str]:
    """Return which browser prints: the one that the set-up found, or Playwright's own."""
    sys.path.insert(0, str(ROOT / ".ci"))
    import browser

    found = browser.find()
    return {"executable_path": found} if found else {}


def main() -> None:
    """Print the book that was built."""
    started = time.monotonic()
    pages = book_pages(SITE, ROOT / "book" / "_toc.yml")
    print_book(document(pages), TARGET)
    name_outline(TARGET, [text for page in pages for text in headings_of(page.article)])
    megabytes = TARGET.stat().st_size / 1e6
    print(
        f"[book] _build/{TARGET.name}: {megabytes:.1f} MB in {time.monotonic() - started:.0f} s",
        flush=True,
    )


if __name__ == "__main__":
    main()
