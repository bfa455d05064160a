"""Every link of the built site that stays within it leads to a file and to a place in that file."""

import re
from collections import Counter
from functools import cache
from html import unescape
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from bs4 import BeautifulSoup
from built_site import SITE, chapters, demand_site, pages


@cache
def soup(name: str) -> BeautifulSoup:
    demand_site()
    return BeautifulSoup((SITE / f"{name}.html").read_bytes(), "html.parser")


@cache
def identifiers(path: Path) -> set[str]:
    """Return the identifiers of a page; a file of another kind has the whole as its place."""
    if path.suffix != ".html":
        return {""}
    return set(map(unescape, re.findall(r'\bid="([^"]*)"', path.read_text(encoding="utf-8"))))


def broken(soup: BeautifulSoup, path: Path) -> list[str]:
    """Return each link of a page that leads nowhere."""
    wrong = []
    for tag in soup.find_all(["a", "img", "script", "link", "source"]):
        link = tag.get("href") or tag.get("src") or ""
        parts = urlsplit(link)
        if parts.scheme or parts.netloc or not link:
            continue
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        if not target.is_file():
            wrong.append(f"{path.name}: {link} is no file")
        elif parts.fragment and unquote(parts.fragment) not in identifiers(target):
            wrong.append(f"{path.name}: {link} is no place in {target.name}")
    return wrong


EVERY_PAGE = pytest.mark.parametrize("page_name", pages())


@EVERY_PAGE
def test_links_and_anchors_resolve(page_name: str) -> None:
    assert len(soup(page_name).find_all("a", href=True)) > 10
    assert not broken(soup(page_name), SITE / f"{page_name}.html")


def test_a_broken_link_and_a_missing_anchor_are_seen() -> None:
    demand_site()
    page = SITE / "index.html"
    for link in ("no-such-page.html", "index.html#no-such-place", "#no-such-place"):
        assert broken(BeautifulSoup(f'<a id="x" href="{link}">x</a>', "html.parser"), page)


@EVERY_PAGE
def test_no_identifier_stands_twice(page_name: str) -> None:
    names = Counter(tag["id"] for tag in soup(page_name).find_all(id=True))
    assert names
    assert not {name for name, number in names.items() if number > 1}


@EVERY_PAGE
def test_no_letter_of_an_axis_became_the_number_of_a_list(page_name: str) -> None:
    # reStructuredText reads "H." at the start of a line as the eighth entry of a list.
    lists = soup(page_name).find_all("ol", class_=["upperalpha", "loweralpha", "upperroman"])
    assert not [entry.get_text(" ", strip=True)[:60] for entry in lists]


def test_every_reference_leads_to_its_source_once() -> None:
    entries = soup("references").select("article .citation")
    assert len(entries) >= 20
    for entry in entries:
        label = entry.select_one(".label")
        assert label is not None
        assert re.search(r"[\w.], \d{4}[a-z]?\]", label.get_text()), label.get_text()
        links = [a["href"] for a in entry.find_all("a", href=re.compile("^https?:"))]
        assert len(links) == 1, f"{label.get_text()}: {links}"
        text = entry.get_text()
        numbers = re.findall(r"\d{4}\.\d{5}", text)
        assert len(numbers) <= 1, f"{label.get_text()} prints {numbers}"


def test_each_line_of_the_notes_leads_to_its_section() -> None:
    rows = soup("from-the-notes").select("article tbody tr")
    assert len(rows) >= 27
    linked = 0
    for row in rows:
        for link in row.find_all("td")[-1].find_all("a", href=True):
            assert urlsplit(link["href"]).fragment, f"{row.get_text()}: the top of a chapter"
            linked += 1
    assert linked >= 15
    words = soup("from-the-notes").get_text()
    for line in ("6.S191", "极大地提升了", "海量训练数据不现实", "128 × 12,288"):
        assert line in words
    [root] = [row for row in rows if row.get_text().strip().startswith("√d_k in step 3")]
    places = [urlsplit(link["href"]).fragment for link in root.find_all("a", href=True)]
    assert "equation-eq-variance" in places


def test_every_term_of_the_glossary_has_its_chinese_name() -> None:
    terms = soup("glossary").select("article dl.glossary > dt")
    assert len(terms) > 50
    without = [
        term.get_text() for term in terms
        if not re.match(r"[^.]*[\u4e00-\u9fff]", term.find_next_sibling("dd").get_text())
    ]  # fmt: skip
    assert not without


@pytest.mark.parametrize("term", ["projection", "gradient", "online softmax", "RoPE", "μP"])
def test_a_term_that_a_chapter_needs_leads_to_the_glossary(term: str) -> None:
    anchors = {
        name.get_text().removesuffix("#").strip(): name["id"]
        for name in soup("glossary").select("article dl.glossary > dt")
    }
    links = {
        unquote(urlsplit(link["href"]).fragment)
        for chapter in chapters()
        for link in soup(chapter).select("article a[href]")
    }
    assert anchors[term] in links


@pytest.mark.parametrize("slug", chapters())
def test_the_sections_at_the_end_of_a_chapter_have_one_order(slug: str) -> None:
    last = [
        "What it costs", "Exercises", "Where implementations differ", "Find what’s wrong",
        "Summary", "Sources",
    ]  # fmt: skip
    found = soup(slug).select("article h2")
    names = [heading.get_text().removesuffix("#").strip() for heading in found]
    assert names[-len(last) :] == last


def test_no_page_of_the_site_is_outside_its_contents() -> None:
    demand_site()
    assert {path.stem for path in SITE.glob("**/*.html")} == {*pages(), "404"}
