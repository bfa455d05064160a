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


# The glass beside the words: where it ends, and where they begin.
GLASS = """() => {
  const [glass, field] = ["i", "input"].map(
    (part) => document.querySelector(`main form.bd-search ${part}`));
  const inside = parseFloat(getComputedStyle(field).paddingLeft);
  return [glass.getBoundingClientRect().right, field.getBoundingClientRect().left + inside];
}"""


def test_what_the_search_shows_of_a_page_is_words(browser: Browser, server: str) -> None:
    page = browser.new_page()
    for word in ("scores", "variance", "additive"):
        page.goto(f"{server}search.html?q={word}")
        expect(page.locator("#search-results")).to_contain_text("Search finished")
        expect(page.locator("p.context").first).to_be_visible()
        page.wait_for_load_state("networkidle")
        extracts = page.locator("p.context").all_inner_texts()
        assert extracts
        for text in extracts:
            assert not re.search(r"\\[a-zA-Z]|[_^]\{|\$|On this page|\.ipynb", text), text
    glass, words = page.evaluate(GLASS)
    assert glass < words
    page.close()


@pytest.mark.parametrize("where", ["server", "folder"])
def test_a_part_of_a_chinese_phrase_is_found(browser: Browser, server: str, where: str) -> None:
    page = browser.new_page()
    for word in ("注意", "权重"):
        page.goto(f"{server if where == 'server' else SITE.as_uri() + '/'}search.html?q={word}")
        found = page.locator("#search-results ul.search a", has_text="Glossary")
        expect(found.first).to_be_visible()
    page.close()


@pytest.mark.parametrize("scripts", [True, False])
def test_a_link_to_an_exercise_of_the_kill_table_opens_its_fold(
    browser: Browser, server: str, scripts: bool
) -> None:
    context = browser.new_context(java_script_enabled=scripts)
    page = context.new_page()
    page.goto(f"{server}kill-table.html#project_qkv")
    fold = page.locator("details.exercise-fold[open]")
    expect(fold).to_have_count(1)
    expect(fold.locator("summary")).to_contain_text("6 mistakes")
    assert fold.locator("tbody tr").count() == 6
    # The contents name each chapter, with as many mistakes as its folds hold.
    total = page.locator("details.exercise-fold tbody tr").count()
    lines = page.locator("article li", has=page.locator("a")).all_inner_texts()
    assert len(lines) == len(chapters())
    told = [re.search(r": (\d+) exercises, (\d+) mistakes", line) for line in lines]
    assert sum(int(found[2]) for found in told if found) == total
    folds = page.locator("details.exercise-fold").count()
    assert sum(int(found[1]) for found in told if found) == folds > 20
    context.close()


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
    kinds = {".html", ".js", ".ipynb", ".txt"}
    texts = [path for path in SITE.rglob("*") if path.suffix in kinds]
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
