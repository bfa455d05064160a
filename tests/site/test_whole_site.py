"""The site as a whole: its search, its answer to a wrong address, its files."""

import os
import re
from pathlib import Path

import pytest
from built_site import PREFIX, ROOT, SITE, chapters, load, pages
from playwright.sync_api import Browser, expect


@pytest.mark.parametrize("where", ["server", "folder"])
def test_the_search_finds_a_word(browser: Browser, server: str, where: str) -> None:
    root = server if where == "server" else SITE.as_uri() + "/"
    page = browser.new_page()
    errors: list[str] = []
    page.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
    page.goto(f"{root}index.html")
    page.keyboard.press("Control+k")
    page.locator("#pst-search-dialog input").fill("logarithm")
    page.locator("#pst-search-dialog input").press("Enter")
    page.wait_for_url("**/search.html?q=logarithm")
    result = page.locator("#search-results ul.search a", has_text="Softmax").first
    expect(result).to_be_visible()
    result.click()
    expect(page.locator("article h1")).to_contain_text("Softmax")
    page.goto(f"{root}search.html?q=qwertyzxcv")
    expect(page.locator("#search-results")).to_contain_text("did not match any documents")
    assert not errors
    page.close()


def test_a_missing_page_is_answered_at_any_depth(browser: Browser, server: str) -> None:
    for address in ("nothing.html", "deep/below/nothing.html"):
        page = browser.new_page()
        answer = page.goto(server + address)
        assert answer is not None
        assert answer.status == 404
        links = page.locator("a").evaluate_all("(all) => all.map((a) => a.getAttribute('href'))")
        assert len(links) >= len(chapters()) + 2
        for link in links:
            assert link.startswith(PREFIX + "/")
            assert (SITE / link[len(PREFIX) + 1 :]).exists(), link
        page.get_by_role("link", name="The start of the course").click()
        expect(page.locator("article h1")).to_be_visible()
        page.close()


def test_every_icon_has_its_glyph() -> None:
    from fontTools.ttLib import TTFont

    icons = load(ROOT / "book" / "_ext" / "icons.py")
    sheet = "styles/pydata-sphinx-theme.css"
    style = (icons.theme_static() / sheet).read_text(encoding="utf-8")
    points = icons.code_points(style)
    glyphs = TTFont(SITE / "_static" / icons.FONT).getBestCmap()
    used = set()
    for name in pages():
        html = (SITE / f"{name}.html").read_text(encoding="utf-8")
        used |= set(re.findall(r"\bfa-([a-z0-9-]+)\b", html)) & set(points)
    assert {"magnifying-glass", "download"} <= used
    assert not {name for name in used if points[name] not in glyphs}
    published = icons.code_points((SITE / "_static" / sheet).read_text(encoding="utf-8"))
    assert used <= set(published)
    assert len(published) < 50
    assert icons.wanted(style) <= set(glyphs)


def test_no_page_names_the_machine_that_built_it() -> None:
    texts = [path for path in SITE.rglob("*") if path.suffix in {".html", ".js", ".ipynb", ".txt"}]
    assert len(texts) > len(pages())
    own = (str(ROOT), str(Path.home()) + os.sep, "Warning:")
    named = {
        str(path.relative_to(SITE)): word
        for path in texts
        for word in own
        if word in path.read_text(encoding="utf-8") and "_live" not in path.parts
    }
    assert not named


def test_no_heavy_file_is_published() -> None:
    large = {
        str(path.relative_to(SITE)): path.stat().st_size
        for path in SITE.rglob("*")
        if path.is_file() and path.stat().st_size > 1_500_000
    }
    assert not large
    assert os.path.getsize(SITE / "_static/vendor/fontawesome/webfonts/fa-solid-900.woff2") < 4_000
