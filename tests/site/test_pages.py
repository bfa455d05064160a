"""Every page in a real browser: from a server and from a folder, two widths, two colour modes."""

import json
import os
import re
import zipfile
from collections import defaultdict
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from built_site import PREFIX, ROOT, SITE, axe_source, chapters, demand_site, load, pages, weight
from playwright.sync_api import Browser, expect
from site_visits import Visit, visits

LIMIT = 300_000
LIBRARY = "/_live/"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as a reader has it who unzipped site.zip."""
    demand_site()
    build = load(ROOT / "book" / "_ext" / "build.py")
    target = tmp_path_factory.mktemp("unzipped")
    with zipfile.ZipFile(build.zip_site(target / "site.zip")) as archive:
        archive.extractall(target)
    return target / "site"


@pytest.fixture(scope="module")
def served(browser: Browser, server: str) -> list[Visit]:
    return list(visits(browser, server, axe_source()))


@pytest.fixture(scope="module")
def unzipped(browser: Browser, folder: Path) -> list[Visit]:
    return list(visits(browser, folder.as_uri() + "/", None))


@pytest.fixture(scope="module")
def seen(served: list[Visit], unzipped: list[Visit]) -> list[Visit]:
    return [*served, *unzipped]


def test_every_page_was_visited_in_every_way(seen: list[Visit]) -> None:
    ways = {(visit.page, visit.width, visit.theme, visit.where) for visit in seen}
    assert len(ways) == len(seen) == len(pages()) * 2 * 2 * 2
    assert {visit.page for visit in seen} >= set(chapters())
    assert all(visit.seen["theme"] == visit.theme for visit in seen)
    assert all(len(visit.seen["text"]) > 100 for visit in seen if visit.page != "search")


def test_no_other_host_is_asked(served: list[Visit], unzipped: list[Visit], server: str) -> None:
    host = urlsplit(server).netloc
    for visit in served:
        assert visit.requests
        foreign = [url for url in visit.requests if urlsplit(url).netloc not in (host, "")]
        assert not foreign, f"{visit}: {foreign}"
    for visit in unzipped:
        assert visit.requests
        foreign = [
            url for url in visit.requests if urlsplit(url).scheme not in ("file", "data", "blob")
        ]
        assert not foreign, f"{visit}: {foreign}"


def test_nothing_fails_and_the_console_is_silent(seen: list[Visit]) -> None:
    troubles = {str(visit): visit.errors + visit.failed for visit in seen}
    assert not {where: what for where, what in troubles.items() if what}


def test_axe_finds_no_violation(served: list[Visit]) -> None:
    found = {str(visit): visit.violations for visit in served if visit.violations}
    assert not found, json.dumps(found, indent=1)


def test_no_page_scrolls_sideways(seen: list[Visit]) -> None:
    assert not {str(visit): visit.seen["overflow"] for visit in seen if visit.seen["overflow"] > 0}


def test_every_picture_has_words(seen: list[Visit]) -> None:
    assert not {str(visit): visit.seen["unnamed"] for visit in seen if visit.seen["unnamed"]}
    for visit in seen:
        if visit.page in chapters():
            assert visit.seen["pictures"], f"{visit} has no picture at all"


def test_pictures_load_when_they_come_near(seen: list[Visit]) -> None:
    assert not {str(visit): visit.seen["eager"] for visit in seen if visit.seen["eager"]}


def test_formulas_are_in_the_page(seen: list[Visit]) -> None:
    for visit in seen:
        assert not visit.seen["unwritten"], f"{visit}: {visit.seen['unwritten']}"
        raw = re.findall(r"\\\(|\\\[|\$\$|\\frac|\\mathrm", visit.seen["text"])
        assert not raw, f"{visit} shows TeX: {raw}"
        if visit.page in chapters():
            assert visit.seen["maths"] > 10, f"{visit} has {visit.seen['maths']} formulas"


def test_weight_of_the_first_screen(served: list[Visit]) -> None:
    heaviest: dict[str, int] = defaultdict(int)
    for visit in served:
        files = {path for path in visit.local if "_live" not in path.parts}
        heaviest[visit.page] = max(heaviest[visit.page], sum(map(weight, files)))
    for page, size in sorted(heaviest.items(), key=lambda item: -item[1]):
        print(f"{size / 1000:7.1f} kB  {page}")
    assert min(heaviest.values()) > 50_000, "a page without its style was weighed"
    assert not {page: size for page, size in heaviest.items() if size > LIMIT}


def test_the_figure_library_comes_only_where_a_figure_is(seen: list[Visit]) -> None:
    for visit in seen:
        asked = any(LIBRARY in url for url in visit.requests)
        assert asked == bool(visit.seen["figures"]), f"{visit}: asked for the library: {asked}"
    for visit in seen:
        if visit.page in chapters():
            assert visit.seen["figures"], f"{visit} has no interactive figure"


@pytest.mark.parametrize("where", ["server", "folder"])
def test_the_search_finds_a_word(browser: Browser, server: str, folder: Path, where: str) -> None:
    root = server if where == "server" else folder.as_uri() + "/"
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


@pytest.mark.parametrize("slug", chapters())
def test_the_notebook_is_downloaded_without_a_network(
    browser: Browser, folder: Path, slug: str, tmp_path: Path
) -> None:
    context = browser.new_context(offline=True, accept_downloads=True)
    page = context.new_page()
    page.goto(f"{folder.as_uri()}/{slug}.html")
    page.get_by_role("button", name="Notebook").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download notebook").click()
    download.value.save_as(tmp_path / "got.ipynb")
    assert download.value.suggested_filename == f"{slug}.ipynb"
    notebook = json.loads((tmp_path / "got.ipynb").read_text(encoding="utf-8"))
    assert "course_lib" in "".join(notebook["cells"][0]["source"])
    assert (tmp_path / "got.ipynb").read_bytes() == (
        SITE / "_downloads" / f"{slug}.ipynb"
    ).read_bytes()
    page.get_by_role("button", name="Notebook").click()
    colab = page.get_by_role("link", name="Open notebook in Colab").get_attribute("href")
    assert colab is not None
    assert colab.endswith(f"/blob/notebooks/chapters/{slug}.ipynb")
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


def test_pages_can_be_read_without_scripts(browser: Browser, server: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    for slug in chapters():
        page.goto(f"{server}{slug}.html")
        expect(page.locator("article h1")).to_be_visible()
        expect(page.locator("article .katex").first).to_be_visible()
        expect(page.locator("article .live-figure svg").first).to_be_visible()
    context.close()


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
