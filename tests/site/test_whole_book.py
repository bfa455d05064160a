"""The book in one file: a PDF with an outline and links that lead inside, an EPUB that is whole."""

import re
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from built_site import ROOT, demand_site, load
from pypdf import PdfReader

EXTENSIONS = ROOT / "book" / "_ext"
XHTML = "{http://www.w3.org/1999/xhtml}"


@pytest.fixture(scope="module")
def modules() -> dict[str, Any]:
    demand_site()
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(EXTENSIONS)
        names = ("whole_book", "pdf", "epub", "chinese_font")
        return {name: load(EXTENSIONS / f"{name}.py") for name in names}


@pytest.fixture(scope="module")
def pages(modules: dict[str, Any]) -> list[Any]:
    found: list[Any] = modules["whole_book"].book_pages(
        modules["pdf"].SITE, ROOT / "book" / "_toc.yml"
    )
    return found


@pytest.fixture(scope="module")
def pdf(modules: dict[str, Any], pages: list[Any], tmp_path_factory: Any) -> PdfReader:
    """Print three pages that lead to each other: a chapter, the glossary, the first page."""
    few = [page for page in pages if page.name in ("index", "softmax", "glossary")]
    target = tmp_path_factory.mktemp("pdf") / "few.pdf"
    modules["pdf"].print_book(modules["pdf"].document(few), target)
    headings = [text for page in few for text in modules["whole_book"].headings_of(page.article)]
    modules["pdf"].name_outline(target, headings)
    return PdfReader(target)


def entries(outline: list[Any], level: int = 0) -> Iterator[tuple[int, str]]:
    for one in outline:
        if isinstance(one, list):
            yield from entries(one, level + 1)
        else:
            yield level, one.title


def test_the_outline_holds_each_heading_once(pdf: PdfReader, pages: list[Any]) -> None:
    found = list(entries(pdf.outline))
    titles = [page.title for page in pages if page.name in ("index", "softmax", "glossary")]
    assert [title for level, title in found if level == 0] == titles
    chapter = next(page for page in pages if page.name == "softmax")
    sections = re.findall(r"<h2>(.*?)<", chapter.article)
    told = [title for level, title in found if level == 1]
    assert set(sections) <= set(told)
    assert len(sections) > 10


def test_every_link_inside_finds_its_place(pdf: PdfReader) -> None:
    links = [
        note.get_object()["/A"]
        for page in pdf.pages
        for note in page.get("/Annots", [])
        if "/A" in note.get_object()
    ]
    inside = [str(link["/D"]) for link in links if link["/S"] == "/GoTo"]
    addresses = [str(link["/URI"]) for link in links if link["/S"] == "/URI"]
    places = [
        note.get_object()["/Dest"]
        for page in pdf.pages
        for note in page.get("/Annots", [])
        if "/Dest" in note.get_object()
    ]
    assert len(inside) + len(places) > 25
    assert [place for place in [*inside, *places] if str(place) not in pdf.named_destinations] == []
    # A file of this machine is nobody else's.
    assert [address for address in addresses if not address.startswith("http")] == []


def test_the_pages_are_numbered_light_and_written_in_chinese_too(pdf: PdfReader) -> None:
    texts = [page.extract_text() for page in pdf.pages]
    assert [re.findall(r"\d+", text)[-1] for text in texts] == [
        str(number) for number in range(1, len(texts) + 1)
    ]
    assert "注意力" in "".join(texts)
    # Bold words too, which were boxes once: a box has no text. And no page is empty.
    assert "小结" in "".join(texts)
    assert [number for number, text in enumerate(texts, 1) if len(text.split()) < 10] == []
    fonts = {
        str(font.get_object().get("/BaseFont"))
        for page in pdf.pages
        for font in page["/Resources"].get("/Font", {}).values()
    }
    assert any("NotoSansSC" in font for font in fonts)
    assert not any("Show all code" in text for text in texts)


def test_nothing_is_wider_than_the_paper(
    browser: Any, modules: dict[str, Any], pages: list[Any]
) -> None:
    # Chromium makes every page smaller until the widest line of any page fits.
    between_margins = round((210 - 2 * 18) / 25.4 * 96)
    page = browser.new_page(viewport={"width": between_margins, "height": 900})
    page.emulate_media(media="print")
    with modules["pdf"].laid_beside_the_site(modules["pdf"].document(pages)) as place:
        page.goto(place.as_uri())
        assert page.locator(".still-figure.in-light img").first.evaluate("it => it.naturalWidth")
        assert page.evaluate("document.documentElement.scrollWidth") <= between_margins
    page.close()


def test_a_paragraph_stays_whole_and_a_term_stays_with_its_meaning(
    browser: Any, modules: dict[str, Any], tmp_path: Path
) -> None:
    words = "one word after the other fills this line and the next ones of the paragraph "
    body = "".join(
        f"<p>begins {words * (3 + number % 7)} ends</p><dl><dt>term</dt><dd>meaning</dd></dl>"
        for number in range(80)
    )
    style = (modules["pdf"].SITE / "_static" / "print.css").read_text(encoding="utf-8")
    page = browser.new_page()
    page.set_content(f"<!DOCTYPE html><style>{style}</style><body class='whole-book'>{body}")
    sides = dict.fromkeys(("top", "bottom", "left", "right"), "18mm")
    page.pdf(path=str(tmp_path / "book.pdf"), format="A4", margin=sides)
    page.close()
    texts = [page.extract_text() for page in PdfReader(tmp_path / "book.pdf").pages]
    assert len(texts) > 8
    for text in texts:
        assert text.count("begins") == text.count("ends") > 0
        assert text.count("term") == text.count("meaning")


def test_a_screen_in_the_dark_prints_on_white_paper(browser: Any, modules: dict[str, Any]) -> None:
    page = browser.new_page(color_scheme="dark")
    page.goto((modules["pdf"].SITE / "softmax.html").as_uri())
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    page.emulate_media(media="print")
    back = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert back == "rgb(255, 255, 255)"
    head = page.locator(".printed-from")
    assert head.is_visible()
    words = r"Attention, from queries to GPT-OSS · \d+\. Softmax: from scores to weights"
    assert re.fullmatch(words, head.text_content() or "")
    assert page.locator(".still-figure.in-dark").first.is_hidden()
    assert page.locator(".still-figure.in-light").first.is_visible()
    for gone in (".code-bar", ".headerlink", ".bd-sidebar-primary", ".copybtn"):
        assert page.locator(gone).first.is_hidden(), gone
    page.close()


def test_the_first_page_prints_its_cards_whole_and_its_title_once(
    browser: Any, modules: dict[str, Any], tmp_path: Path
) -> None:
    page = browser.new_page()
    page.goto((modules["pdf"].SITE / "index.html").as_uri())
    page.emulate_media(media="print")
    head = page.locator(".printed-from").text_content() or ""
    assert head.startswith("Attention, from queries to GPT-OSS")
    assert head.count("Attention, from queries to GPT-OSS") == 1
    cards = page.locator(".sd-card")
    widths = cards.evaluate_all("cards => cards.map(card => card.getBoundingClientRect().width)")
    row = page.locator(".sd-row").bounding_box()["width"]
    assert len(widths) == 3
    assert min(widths) > 0.9 * row
    page.pdf(path=str(tmp_path / "index.pdf"), format="A4")
    texts = [page.extract_text() for page in PdfReader(tmp_path / "index.pdf").pages]
    page.close()
    first, last = "Begin with The limits of RNNs", "small questions with answers"
    whole = [" ".join(text.split()) for text in texts]
    assert [first in text for text in whole] == [last in text for text in whole]
    assert any(first in text for text in whole)


def test_a_page_takes_off_the_dark_to_be_printed_and_puts_it_on_again(
    browser: Any, modules: dict[str, Any]
) -> None:
    page = browser.new_page(color_scheme="dark")
    page.goto((modules["pdf"].SITE / "softmax.html").as_uri())
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    colour = "getComputedStyle(document.querySelector('.highlight .k')).color"
    dark = page.evaluate(colour)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate(colour) != dark
    assert page.evaluate("document.documentElement.dataset.theme") == "light"
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate(colour) == dark
    page.close()


def test_a_phone_prints_a_picture_in_the_size_that_it_was_drawn_for(
    browser: Any, modules: dict[str, Any]
) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.goto((modules["pdf"].SITE / "softmax.html").as_uri())
    picture = page.locator(".still-figure.in-light img").first
    picture.scroll_into_view_if_needed()
    page.wait_for_function(
        "image => image.complete && image.naturalWidth", arg=picture.element_handle()
    )
    assert "-narrow-" in picture.evaluate("image => image.currentSrc")
    page.emulate_media(media="print")
    assert picture.evaluate("image => getComputedStyle(image).width") == "358px"
    page.close()


@pytest.fixture(scope="module")
def epub(modules: dict[str, Any], tmp_path_factory: Any) -> zipfile.ZipFile:
    target: Path = tmp_path_factory.mktemp("epub") / "book.epub"
    return zipfile.ZipFile(modules["epub"].pack(target))


def test_the_epub_holds_every_page_in_order(epub: zipfile.ZipFile, pages: list[Any]) -> None:
    assert epub.namelist()[0] == "mimetype"
    assert epub.read("mimetype") == b"application/epub+zip"
    package = ET.fromstring(epub.read("book/content.opf"))
    space = "{http://www.idpf.org/2007/opf}"
    files = {item.get("id"): item.get("href") for item in package.iter(f"{space}item")}
    spine = [files[one.get("idref")] for one in package.iter(f"{space}itemref")]
    assert spine == [f"{page.name}.xhtml" for page in pages]
    held = {name.removeprefix("book/") for name in epub.namelist() if name.startswith("book/")}
    assert held - {"content.opf"} == set(files.values())
    named = [link.text for link in ET.fromstring(epub.read("book/nav.xhtml")).iter(f"{XHTML}a")]
    assert named == [page.title for page in pages]


def test_every_link_and_image_of_the_epub_is_in_it(epub: zipfile.ZipFile) -> None:
    documents = {
        name.removeprefix("book/"): ET.fromstring(epub.read(name))
        for name in epub.namelist()
        if name.endswith(".xhtml")
    }
    places = {
        f"{name}#{one.get('id')}" for name, tree in documents.items() for one in tree.iter()
        if one.get("id")
    } | documents.keys()  # fmt: skip
    links = images = 0
    for tree in documents.values():
        for link in tree.iter(f"{XHTML}a"):
            address = link.get("href") or ""
            if not address.startswith("http"):
                assert address in places, address
                links += 1
        for image in tree.iter(f"{XHTML}img"):
            source = image.get("src") or ""
            svg = ET.fromstring(epub.read(f"book/{source}"))
            assert svg.tag == "{http://www.w3.org/2000/svg}svg"
            assert image.get("alt")
            images += 1
    assert links > 400
    assert images > 30
    assert sum(len(list(tree.iter("{http://www.w3.org/1998/Math/MathML}math")))
               for tree in documents.values()) > 300  # fmt: skip


def test_nothing_of_a_screen_is_left_in_the_epub(epub: zipfile.ZipFile) -> None:
    for name in epub.namelist():
        if name.endswith(".xhtml"):
            text = epub.read(name).decode()
            for tag in ("<script", "<button", "<input", "katex-html", "data-says", "var(--"):
                assert tag not in text, (name, tag)
            assert text.count("<details") == text.count('open="open"')


def test_what_is_left_out_is_there(modules: dict[str, Any], pages: list[Any]) -> None:
    held = {
        name
        for page in pages
        for given in re.findall(r'class="([^"]*)"', page.article)
        for name in given.split()
    }
    assert modules["whole_book"].LEFT_OUT_CLASSES - held == set()


def test_the_same_site_gives_the_same_bytes(modules: dict[str, Any], tmp_path: Path) -> None:
    made = [modules["epub"].pack(tmp_path / f"{n}.epub").read_bytes() for n in (1, 2)]
    assert made[0] == made[1]


def test_the_font_has_every_character_that_the_book_writes(modules: dict[str, Any]) -> None:
    from fontTools.ttLib import TTFont

    font = modules["chinese_font"]
    assert font.characters() - {chr(code) for code in TTFont(font.FONT).getBestCmap()} == set()
    assert len(font.characters()) > 200


def test_what_browsers_forgive_is_mended(modules: dict[str, Any]) -> None:
    rewriter = modules["whole_book"].Rewriter(
        "here", {"here", "there"}, math="mathml", link=lambda name, place: f"{name}|{place}",
        image=lambda address: address, drawing=lambda svg, said: "<img/>",
    )  # fmt: skip
    article = (
        '<p><p id="x">a<br>&nbsp;<a href="there.html#y">b</a> <a href="away.ipynb">c</a></p></p>'
        '<svg class="mechanism-narrow" viewBox="0 0 1 1"></svg>'
        '<details class="code-bar"><p>gone</p></details><details><summary>q</summary>d</details>'
        "<mo stretchy><mrow><mi>m</mi></mrow></mo>"
    )
    assert rewriter.rewritten(article) == (
        '<p>a<br />\u00a0<a href="there|there--y">b</a> <span>c</span></p>'
        '<details open="open"><summary>q</summary>d</details><mrow><mi>m</mi></mrow>'
    )


@pytest.mark.parametrize(
    ("article", "told"),
    [
        ('<svg class="marks"><g aria-label="X-axis"/></svg>', "what it shows"),
        (
            '<svg aria-label="its own &lt;words&gt;"><g aria-label="X-axis"/></svg>',
            "its own <words>",
        ),
        (
            '<svg class="live-figure-narrow"></svg><svg><path aria-label="a bar"/></svg>',
            "what it shows",
        ),
    ],
)
def test_a_drawing_says_what_it_shows_and_not_what_a_part_of_it_is(
    modules: dict[str, Any], article: str, told: str
) -> None:
    seen: list[str] = []
    rewriter = modules["whole_book"].Rewriter(
        "here", {"here"}, math="mathml", link=lambda name, place: "", image=lambda address: address,
        drawing=lambda svg, said: seen.append(said) or "<img/>",
    )  # fmt: skip
    rewriter.rewritten(
        '<nav aria-label="a menu">m</nav>'
        f'<div role="img" aria-label="what it shows">{article}</div><svg></svg>'
    )
    # A drawing without words around it has none of those that stand further up.
    assert seen == [told, ""]
    rewriter.rewritten('<a aria-label="a link" href="#x">x</a><svg></svg>')
    assert seen[-1] == ""


def test_each_live_figure_of_the_epub_has_the_words_of_the_page(
    pages: list[Any], epub: zipfile.ZipFile
) -> None:
    told = {
        image.get("alt")
        for name in epub.namelist()
        if name.endswith(".xhtml")
        for image in ET.fromstring(epub.read(name)).iter(f"{XHTML}img")
    }
    figures = re.compile(r'class="live-figure-static" role="img" aria-label="([^"]*)"')
    shown = {unescape(words) for page in pages for words in figures.findall(page.article)}
    assert len(shown) >= 2
    assert shown <= told
