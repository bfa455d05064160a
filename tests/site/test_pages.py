"""Every page in a real browser: from a server and from a folder, two widths, two colour modes.

Each is visited once from each place, and all questions are asked of what the two visits saw.
"""

import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from built_site import ROOT, SITE, axe_source, chapters, demand_site, load, pages, weight
from playwright.sync_api import Browser, Page, expect
from site_reading import read_closely
from site_visits import PHONE, SERVED, UNZIPPED, Visit, look_around, open_page

from course_lib.plotting.colors import DARK_PAGE, LIGHT_PAGE
from course_lib.plotting.standard import NARROW, WIDE
from grading.classroom.hand_out import course_archive

LIMIT = 300_000
LIBRARY = "/_live/"
# Screens of a desk between two figures.
SCREENS = 2.15
# From the last one to the end, where the summary stands in two languages, and the sources.
TO_THE_END = 2.3

CONTROLS = """() => [...document.querySelectorAll(".live-figure, .mechanism")]
  .flatMap((figure) => [...figure.querySelectorAll("input, select")])
  .map((control) => {
    const named = document.getElementById(control.getAttribute("aria-labelledby"))
      ?? control.closest("label");
    const figure = control.closest(".live-figure, .mechanism");
    // A button of choice is as large as its word, which is chosen by it.
    const [box, inside] = [control.type === "radio" ? named : control, figure]
      .map((one) => one.getBoundingClientRect());
    return {name: named?.innerText ?? "", height: box.height,
            out: Math.max(inside.left - box.left, box.right - inside.right)};
  })"""
SHOWN = """() => ["static", "mount"].map((part) =>
  [...document.querySelectorAll(`.live-figure-${part} svg`)]
    .filter((drawing) => drawing.getClientRects().length).length)"""
WORDS = """(part) => [...document.querySelectorAll(`.live-figure-${part} svg`)]
  .filter((drawing) => drawing.getClientRects().length)
  .flatMap((drawing) => [...drawing.querySelectorAll("text")])
  .map((word) => word.textContent).sort()"""

STILL_SHOWN = """() => [...document.querySelectorAll("article .still-figure img")]
  .filter((image) => image.getClientRects().length)
  .map((image) => image.getAttribute("src"))"""

UNSCRIPTED = f"""() => {{
  const shown = (selector) => [...document.querySelectorAll(selector)]
    .filter((one) => one.checkVisibility());
  const body = getComputedStyle(document.body);
  return {{
    page: body.backgroundColor, ink: body.color, stills: ({STILL_SHOWN})(),
    code: [...new Set(shown("article pre [class]:not(.line)")
      .map((one) => getComputedStyle(one).color))],
    overflow: document.documentElement.scrollWidth - innerWidth,
    contents: shown("#pst-primary-sidebar nav a").length,
    link: shown("a[href='#pst-primary-sidebar']").length,
    dead: shown(".sidebar-toggle, .search-button__button, .theme-switch-button").length,
  }};
}}"""


@dataclass
class Figures:
    """What the live figures of a page promise."""

    controls: list[dict[str, Any]]
    words: list[str]
    shown: list[int]
    printed: list[int]
    paper: list[str]


@dataclass
class Download:
    """What the button of a chapter gave where there is no network, and where Colab would go."""

    name: str
    content: bytes
    colab: str | None


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as a reader has it who unzipped site.zip."""
    demand_site()
    build = load(ROOT / "book" / "_ext" / "build.py")
    target = tmp_path_factory.mktemp("unzipped")
    with zipfile.ZipFile(build.zip_site(target / "site.zip")) as archive:
        archive.extractall(target)
    return target / "site"


@pytest.fixture(scope="module", params=pages())
def page_name(request: pytest.FixtureRequest) -> str:
    demand_site()
    return str(request.param)


@pytest.fixture(scope="module")
def both(browser: Browser, server: str, page_name: str) -> tuple[Visit, Figures]:
    page, visit = open_page(browser, server, page_name, SERVED[0])
    look_around(page, visit, SERVED, axe_source())
    # As at the start: the still picture is drawn for a desk.
    page.set_viewport_size(SERVED[0][0])
    figures = Figures(
        page.evaluate(CONTROLS), page.evaluate(WORDS, "mount"), page.evaluate(SHOWN), [], []
    )
    page.emulate_media(media="print")
    figures.printed = page.evaluate(SHOWN)
    # Whoever reads in the dark prints on white all the same.
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    figures.paper = page.evaluate(STILL_SHOWN)
    page.context.close()
    return visit, figures


@pytest.fixture(scope="module")
def served(both: tuple[Visit, Figures]) -> Visit:
    return both[0]


@pytest.fixture(scope="module")
def figures(both: tuple[Visit, Figures]) -> Figures:
    return both[1]


@dataclass
class Unzipped:
    """The visit without a network, how the page reads, and what a chapter's button gave."""

    visit: Visit
    reading: dict[str, Any]
    download: Download | None


@pytest.fixture(scope="module")
def offline(browser: Browser, folder: Path, page_name: str) -> Unzipped:
    page, visit = open_page(browser, folder.as_uri() + "/", page_name, UNZIPPED[0])
    look_around(page, visit, UNZIPPED, None)
    download = downloaded(page) if page_name in chapters() else None
    reading = read_closely(page)
    page.context.close()
    return Unzipped(visit, reading, download)


def downloaded(page: Page) -> Download:
    """Press the button that hands the notebook over."""
    button = page.get_by_role("button", name="Notebook")
    button.click()
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Download notebook").click()
    got = waiting.value
    button.click()
    link = page.get_by_role("link", name="Open notebook in Colab")
    colab = link.get_attribute("href") if link.count() else None
    return Download(got.suggested_filename, got.path().read_bytes(), colab)


@pytest.fixture(scope="module")
def unzipped(offline: Unzipped) -> Visit:
    return offline.visit


@pytest.fixture(scope="module")
def visits(served: Visit, unzipped: Visit) -> list[Visit]:
    return [served, unzipped]


@pytest.fixture(scope="module")
def reading(offline: Unzipped) -> dict[str, Any]:
    return offline.reading


@pytest.fixture(scope="module")
def still(browser: Browser, server: str, page_name: str) -> Iterator[Page]:
    """The page without scripts, loaded once; whoever changes its size or mode changes it back."""
    context = browser.new_context(viewport=SERVED[0][0], java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{server}{page_name}.html")
    yield page
    context.close()


# -- what holds of every page ----------------------------------------------------------------------


def test_the_page_was_seen_in_every_way(page_name: str, visits: list[Visit]) -> None:
    assert [visit.where for visit in visits] == ["http", "file"]
    for visit in visits:
        assert len({(look.width, look.theme) for look in visit.looks}) == len(visit.looks) == 4
        for look in visit.looks:
            assert look.seen["theme"] == look.theme
            assert page_name == "search" or len(look.seen["text"]) > 100
    # Each width and each mode is met by a page that starts in it.
    assert len({visit.looks[0].width for visit in visits}) == 2
    assert len({visit.looks[0].theme for visit in visits}) == 2


def test_no_other_host_is_asked(served: Visit, unzipped: Visit, server: str) -> None:
    host = urlsplit(server).netloc
    assert served.requests
    assert unzipped.requests
    assert not [url for url in served.requests if urlsplit(url).netloc not in (host, "")]
    own = ("file", "data", "blob")
    assert not [url for url in unzipped.requests if urlsplit(url).scheme not in own]


def test_nothing_fails_and_the_console_is_silent(visits: list[Visit]) -> None:
    troubles = {str(visit): visit.errors + visit.failed for visit in visits}
    assert not {where: what for where, what in troubles.items() if what}


def test_axe_finds_no_violation(served: Visit) -> None:
    found = {f"{look.width} px, {look.theme}": look.violations for look in served.looks}
    assert len(found) == 4
    assert not any(found.values()), json.dumps(found, indent=1)


def test_the_page_does_not_scroll_sideways(visits: list[Visit]) -> None:
    for visit in visits:
        wide = {where: pixels for where, pixels in visit.wrong("overflow").items() if pixels > 0}
        assert not wide, str(visit)


def test_every_picture_has_words(page_name: str, visits: list[Visit]) -> None:
    for visit in visits:
        assert not visit.wrong("unnamed"), str(visit)
        if page_name in chapters():
            assert all(look.seen["pictures"] for look in visit.looks), f"{visit} has no picture"


def test_pictures_load_when_they_come_near(visits: list[Visit]) -> None:
    for visit in visits:
        assert not visit.wrong("eager"), str(visit)


def test_formulas_are_in_the_page(page_name: str, visits: list[Visit]) -> None:
    for visit in visits:
        assert not visit.wrong("unwritten"), str(visit)
        for look in visit.looks:
            raw = re.findall(r"\\\(|\\\[|\$\$|\\frac|\\mathrm", look.seen["text"])
            assert not raw, f"{visit} shows TeX: {raw}"
            if page_name in chapters():
                assert look.seen["maths"] > 10, f"{visit} has {look.seen['maths']} formulas"


def test_weight_of_the_first_screen(page_name: str, visits: list[Visit], folder: Path) -> None:
    """What either start asks for, a desk in light or a phone in dark, weighs little together."""
    files = {
        path.relative_to(folder if visit.where == "file" else SITE)
        for visit in visits
        for path in visit.local
    }
    size = sum(weight(SITE / path) for path in files if path.parts[0] != LIBRARY.strip("/"))
    print(f"{size / 1000:7.1f} kB  {page_name}")
    assert size > 50_000, "a page without its style was weighed"
    assert size <= LIMIT


def test_the_page_can_be_read_without_scripts(
    page_name: str, still: Page, figures: Figures
) -> None:
    if page_name != "search":
        expect(still.locator("article h1")).to_be_visible()
    if page_name in chapters():
        expect(still.locator("article .katex").first).to_be_visible()
        assert bool(figures.words) == bool(still.locator(".live-figure").count())
    # The still picture says what the live one says.
    assert still.evaluate(WORDS, "static") == figures.words
    for picture in still.locator(".live-figure-static").all():
        expect(picture).to_be_visible()
        assert len(picture.get_attribute("aria-label") or "") > 30


def test_without_scripts_colours_follow_the_reader_and_menus_are_there(
    page_name: str, still: Page
) -> None:
    still.emulate_media(color_scheme="dark")
    still.set_viewport_size(PHONE)
    dark = still.evaluate(UNSCRIPTED)
    still.emulate_media(color_scheme="light")
    still.set_viewport_size(SERVED[0][0])
    light = still.evaluate(UNSCRIPTED)
    # The page, its words, and a listing's letters.
    assert (dark["page"], light["page"]) == ("rgb(20, 24, 31)", "rgb(255, 255, 255)")
    assert (dark["ink"], light["ink"]) == ("rgb(223, 227, 234)", "rgb(31, 36, 48)")
    if page_name in chapters():
        assert min(len(dark["code"]), len(light["code"])) > 3
        assert not set(dark["code"]) & set(light["code"])
        assert dark["stills"]
        assert all(address.endswith("-dark.svg") for address in dark["stills"])
    assert dark["overflow"] <= 0
    # The contents of the book: below the page on a phone, beside it on a desk.
    assert dark["contents"] > len(chapters())
    assert light["contents"] > len(chapters())
    assert (dark["link"], light["link"]) == (1, 0)
    assert dark["dead"] == light["dead"] == 0


# -- still figures ---------------------------------------------------------------------------------


def test_a_still_figure_follows_width_and_mode(page_name: str, visits: list[Visit]) -> None:
    for visit in visits:
        names = set()
        for look in visit.looks:
            sheet = NARROW if look.width == PHONE["width"] else WIDE
            ending = f"-{sheet.name}-{look.theme}.svg"
            for still in look.seen["stills"]:
                assert still["file"].endswith(ending), f"{visit}, {look.width} px: {still}"
                assert still["width"] == pytest.approx(still["column"], abs=1), still
                assert still["width"] == pytest.approx(sheet.width, abs=1), still
                assert still["changed"] == "none,rgba(0, 0, 0, 0),0px", still
            names.add(tuple(s["file"].removesuffix(ending) for s in look.seen["stills"]))
        assert len(names) == 1, "every width and mode shows the same figures"
        if page_name in chapters():
            assert len(names.pop()) >= 8


def test_the_files_of_a_still_figure_stand_on_the_pages_colour(
    page_name: str, served: Visit
) -> None:
    shown = {still["file"] for look in served.looks for still in look.seen["stills"]}
    assert shown or page_name not in chapters()
    for address in shown:
        path = SITE / address
        svg = path.read_text(encoding="utf-8")
        page = DARK_PAGE if path.stem.endswith("-dark") else LIGHT_PAGE
        assert f"background:{page}" in svg.replace("background: ", "background:")
        assert "<defs><svg" not in svg, "the drawing for the other width travels with it"
        assert weight(path) < 8_000, address
    assert not [path for path in (SITE / "_images").glob("*.png")], "a picture has one scheme"


def test_paper_and_a_page_without_scripts_show_still_figures_in_light(
    page_name: str, still: Page, figures: Figures
) -> None:
    without = still.evaluate(STILL_SHOWN)
    for shown in (without, figures.paper):
        assert shown or page_name not in chapters()
        assert all(address.endswith("-light.svg") for address in shown)
    assert len(without) == len(figures.paper)


# -- live figures ----------------------------------------------------------------------------------


def test_the_figure_library_comes_once_and_only_where_a_figure_is(
    page_name: str, visits: list[Visit]
) -> None:
    for visit in visits:
        seen = visit.looks[0].seen
        # The index begins with its figure, which is moved by 8 kB.
        early = [url for url in visit.first if LIBRARY in url]
        assert not early or (page_name == "index" and "vega" not in str(early)), f"{visit}: {early}"
        asked = [url.partition(LIBRARY)[2] for url in visit.requests if LIBRARY in url]
        charts = ["vega.js"] if seen["figures"] else []
        moved = [f"{kind}.js" for kind in set(seen["mechanisms"])]
        moved += ["d3/d3-selection.min.js"] if moved else []
        assert sorted(asked) == sorted(charts + moved), f"{visit}: each library once"
        if page_name in chapters():
            assert seen["figures"] or seen["mechanisms"], f"{visit} has no interactive figure"


def test_the_words_of_a_figure_follow_the_mode(visits: list[Visit]) -> None:
    for visit in visits:
        for look in visit.looks:
            ink = look.seen["ink"]
            assert len(look.seen["inks"]) == look.seen["figures"]
            for colours in look.seen["inks"]:
                assert ink in colours["words"], f"{visit}, {look.theme}: {ink}"
                assert set(colours["axes"]) <= {ink}, f"{visit}, {look.theme}: {ink}"
        assert len({look.seen["ink"] for look in visit.looks}) == 2


def test_every_control_of_a_figure_has_a_name_and_room(
    served: Visit, figures: Figures, page_name: str
) -> None:
    seen = served.looks[0].seen
    assert len(figures.controls) >= seen["figures"] + len(seen["mechanisms"])
    for control in figures.controls:
        assert len(control["name"]) > 1, control
        assert control["height"] >= 24, control
        assert control["out"] <= 1, control


def test_print_shows_the_still_picture(served: Visit, figures: Figures) -> None:
    number = served.looks[0].seen["figures"]
    assert figures.shown == [0, number]
    assert figures.printed == [number, 0]


# -- how a page reads ------------------------------------------------------------------------------


def test_no_chapter_goes_on_for_long_without_a_figure(
    page_name: str, reading: dict[str, Any]
) -> None:
    if page_name in chapters():
        assert len(reading["gaps"]) > 8
        most = {"end": TO_THE_END}
        assert not [gap for gap in reading["gaps"] if gap[0] > most.get(gap[2], SCREENS)]


def test_no_line_of_code_has_to_be_pushed_aside_on_a_desk(
    page_name: str, reading: dict[str, Any]
) -> None:
    if page_name in chapters():
        assert reading["listings"] > 20
    if page_name == "prerequisites":
        assert reading["cells"] >= 2, "its code is executed"
    assert not reading["wide listings"]


def test_no_formula_has_to_be_pushed_aside_on_a_phone(
    page_name: str, reading: dict[str, Any]
) -> None:
    if page_name in chapters():
        assert reading["formulas"] >= 3
    assert not reading["wide formulas"]


def test_a_phone_pushes_nothing_aside_and_shows_how_a_line_goes_on(
    page_name: str, reading: dict[str, Any]
) -> None:
    assert not reading["pushed on a phone"]
    assert not reading["torn"]
    listings = reading["phone listings"]
    if page_name in chapters():
        assert listings["wrapped"] > 20
    assert not listings["small"]
    assert not listings["flush"]


def test_whatever_takes_the_focus_has_a_ring(page_name: str, reading: dict[str, Any]) -> None:
    for theme, rings in reading["rings"].items():
        assert rings["seen"] > len(chapters())
        assert not rings["bare"], theme


def test_no_line_of_a_table_leaves_a_phone(page_name: str, reading: dict[str, Any]) -> None:
    if page_name == "from-the-notes":
        assert not reading["beyond"]


def test_no_line_begins_with_the_comma_behind_a_formula(
    page_name: str, reading: dict[str, Any]
) -> None:
    for width, (held, alone) in reading["commas"].items():
        if page_name in chapters():
            assert held >= 10
        assert not alone, width


# -- a chapter's notebook --------------------------------------------------------------------------


def test_the_notebook_is_downloaded_without_a_network(page_name: str, offline: Unzipped) -> None:
    assert (offline.download is not None) == (page_name in chapters())
    if offline.download is not None:
        assert offline.download.name == f"{page_name}.ipynb"
        notebook = json.loads(offline.download.content)
        assert "course_lib" in "".join(notebook["cells"][0]["source"])
        published = SITE / "_downloads" / f"{page_name}.ipynb"
        assert offline.download.content == published.read_bytes()
        # No link leads to a placeholder.
        assert (offline.download.colab is None) == (course_archive() is None)
        if offline.download.colab is not None:
            assert offline.download.colab.endswith(f"/blob/notebooks/chapters/{page_name}.ipynb")
