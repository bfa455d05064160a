"""Pack the whole book for an e-reader, _build/attention.epub: `python book/_ext/epub.py`.

EPUB 3, from the pages of the built site: formulas as MathML, figures as SVG files in the colours of
a light page, answers open, one file a page. The same site gives the same bytes.
"""

import re
import zipfile
from html import escape
from pathlib import Path

from whole_book import BookPage, Rewriter, book_pages

from course_lib.plotting import colors

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "_build" / "html"
TARGET = ROOT / "_build" / "attention.epub"
TITLE = "Attention, from queries to GPT-OSS"
AUTHOR = "The authors of the attention course"
NAME = "urn:uuid:6f1d2a7e-7f53-5f0e-9b7e-0a11e4e57a0c"
DATE = (2020, 1, 1, 0, 0, 0)
COLORS = {"on-part": colors.ON_PART, "none": "none"} | {
    name.lower(): getattr(colors, name)
    for name in ("QUERY", "KEY", "VALUE", "OUTPUT", "MUTED", "INK")
}
STYLE = """@font-face { font-family: "Noto Sans SC"; src: url(fonts/noto-sans-sc.woff2);
  unicode-range: U+2E80-9FFF, U+FF00-FFEF; }
body { line-height: 1.45; font-family: "Noto Sans SC", serif; }
:lang(zh) { font-family: "Noto Sans SC", sans-serif; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font-size: 0.85em; }
pre { background: #f3f4f5; padding: 0.5em; }
code { overflow-wrap: anywhere; }
img { max-width: 100%; height: auto; }
figcaption, .caption { font-size: 0.9em; }
figure, table, .admonition { break-inside: avoid; margin: 1em 0; }
table { border-collapse: collapse; font-size: 0.9em; }
th, td { border: 1px solid #c9ced8; padding: 0.2em 0.4em; vertical-align: top; }
.admonition, details { border-left: 3px solid #9aa3b2; padding-left: 0.7em; }
.admonition-title, summary { font-weight: bold; }
.eqno { float: right; }
div.math { display: flow-root; overflow-x: auto; }
.sd-card-title { font-weight: bold; }
.mechanism::after, .live-figure::after { content: "On a screen this figure can be moved."; }
.mechanism::after, .live-figure::after { display: block; font-size: 0.85em; }
"""
CONTAINER = """<?xml version="1.0" encoding="UTF-8"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>
<rootfile full-path="book/content.opf" media-type="application/oebps-package+xml"/>
</rootfiles></container>
"""
KINDS = {".svg": "image/svg+xml", ".png": "image/png", ".woff2": "font/woff2"}


class Packing:
    """The files of the book, by their names in the archive."""

    def __init__(self, pages: list[BookPage]) -> None:
        self.pages = pages
        self.files: dict[str, bytes] = {}
        for page in pages:
            self.files[f"{page.name}.xhtml"] = self.written(page).encode()
        font = SITE / "_live" / "fonts" / "noto-sans-sc.woff2"
        self.files["fonts/noto-sans-sc.woff2"] = font.read_bytes()
        self.files["style.css"] = STYLE.encode()
        self.files["cover.svg"] = cover().encode()
        self.files["nav.xhtml"] = navigation(pages).encode()
        self.files["content.opf"] = self.package().encode()

    def written(self, page: BookPage) -> str:
        """Return a page as XHTML; its images are put beside it."""
        drawings = 0

        def drawing(svg: str, said: str) -> str:
            nonlocal drawings
            drawings += 1
            name = f"images/{page.name}-{drawings}.svg"
            self.files[name] = standalone(svg).encode()
            return f'<img src="{name}" alt="{escape(said)}" />'

        def image(address: str) -> str:
            name = f"images/{Path(address).name}"
            self.files[name] = (SITE / address).read_bytes()
            return name

        rewriter = Rewriter(
            page.name, {one.name for one in self.pages}, math="mathml",
            link=lambda name, place: f"{name}.xhtml" + (f"#{place}" if place else ""),
            image=image, drawing=drawing,
        )  # fmt: skip
        return xhtml(page.title, rewriter.rewritten(page.article))

    def package(self) -> str:
        """Return the list of all files and their order."""
        items, order = [], []
        for number, name in enumerate(sorted(self.files)):
            known = {"style.css": "text/css"} | dict.fromkeys([name], KINDS.get(Path(name).suffix))
            kind = known[name] or {"style.css": "text/css"}.get(name, "application/xhtml+xml")
            properties = {"nav.xhtml": "nav", "cover.svg": "cover-image"}.get(name, "")
            if name.endswith(".xhtml") and b"<math" in self.files[name]:
                properties = "mathml"
            given = f' properties="{properties}"' if properties else ""
            items.append(f'<item id="f{number}" href="{name}" media-type="{kind}"{given}/>')
        numbers = {name: number for number, name in enumerate(sorted(self.files))}
        order = [f'<itemref idref="f{numbers[f"{page.name}.xhtml"]}"/>' for page in self.pages]
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\n<package xmlns="http://www.idpf.org/2007/opf" '
            'version="3.0" unique-identifier="id" xml:lang="en"><metadata '
            'xmlns:dc="http://purl.org/dc/elements/1.1/">'
            f'<dc:identifier id="id">{NAME}</dc:identifier><dc:title>{escape(TITLE)}</dc:title>'
            "<dc:language>en</dc:language><dc:language>zh-Hans</dc:language>"
            f"<dc:creator>{escape(AUTHOR)}</dc:creator>"
            "<dc:rights>Text and figures: CC BY 4.0. Code: MIT.</dc:rights>"
            '<meta property="dcterms:modified">2020-01-01T00:00:00Z</meta></metadata>'
            f"<manifest>{''.join(items)}</manifest><spine>{''.join(order)}</spine></package>\n"
        )


def xhtml(title: str, body: str) -> str:
    """Return a whole document."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE html>\n'
        '<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops" '
        f'lang="en" xml:lang="en"><head><title>{escape(title)}</title>'
        f'<link rel="stylesheet" href="style.css" /></head><body>{body}</body></html>\n'
    )


def standalone(svg: str) -> str:
    """Return a drawing as a file of its own: with a name space, and colours for variables."""
    svg = re.sub(r"var\(--([\w-]+)\)", lambda found: COLORS[found[1]], svg)
    svg = re.sub(r' (?:data|aria)-[\w-]+="[^"]*"| role="[^"]*"', "", svg)
    opening = svg[: svg.index(">")]
    if "xmlns=" not in opening:
        svg = svg.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1)
    if " font" not in opening:
        svg = svg.replace("<svg", '<svg font-family="sans-serif" font-size="14"', 1)
    return svg


def cover() -> str:
    """Return the cover: four bars in the colours of query, key, value and output."""
    bars = "".join(
        f'<rect x="{60 + 125 * n}" y="{560 - height}" width="95" height="{height}" fill="{color}"/>'
        for n, (color, height) in enumerate(
            zip((colors.QUERY, colors.KEY, colors.VALUE, colors.OUTPUT), (180, 260, 120, 320),
                strict=True)
        )
    )  # fmt: skip
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 600 800" width="600" height="800">'
        f'<rect width="600" height="800" fill="{colors.LIGHT_PAGE}"/>{bars}'
        f'<text x="60" y="130" font-family="sans-serif" font-size="58" fill="{colors.INK}">'
        f'Attention</text><text x="60" y="180" font-family="sans-serif" font-size="30" '
        f'fill="{colors.INK}">from queries to GPT-OSS</text></svg>\n'
    )


def navigation(pages: list[BookPage]) -> str:
    """Return the table of contents: parts, and the pages in them."""
    listed: list[str] = []
    part = ""
    for page in pages:
        if page.part != part:
            listed.append(f"{'</ol></li>' if part else ''}<li><span>{escape(page.part)}</span><ol>")
            part = page.part
        listed.append(f'<li><a href="{page.name}.xhtml">{escape(page.title)}</a></li>')
    listed.append("</ol></li>" if part else "")
    return xhtml(
        "Contents", f'<nav epub:type="toc"><h1>Contents</h1><ol>{"".join(listed)}</ol></nav>'
    )


def pack(target: Path = TARGET) -> Path:
    """Write the book into one file; its first entry says what it is, uncompressed."""
    packing = Packing(book_pages(SITE, ROOT / "book" / "_toc.yml"))
    entries = {"META-INF/container.xml": CONTAINER.encode()}
    entries |= {f"book/{name}": content for name, content in sorted(packing.files.items())}
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr(zipfile.ZipInfo("mimetype", date_time=DATE), "application/epub+zip")
        for name, content in entries.items():
            entry = zipfile.ZipInfo(name, date_time=DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return target


if __name__ == "__main__":
    made = pack()
    print(f"[book] _build/{made.name}: {made.stat().st_size / 1e6:.1f} MB", flush=True)
