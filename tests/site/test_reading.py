"""How the chapters read: what lies between two figures, what has to be pushed aside to be seen."""

from collections.abc import Iterator
from typing import Any

import pytest
from built_site import SITE, chapters, demand_site
from playwright.sync_api import Browser, Page

DESK, PHONE = (1280, 800), (390, 844)
# Screens of a desk between two figures, and from the last one to the end.
SCREENS, LAST_SCREENS = 2.15, 2.15
# All folded cells and answers are open: their lines are read too.
OPEN = """() => {
  document.querySelectorAll("details").forEach((fold) => { fold.open = true; });
  document.querySelectorAll(".cell.tag_hide-cell details").forEach((fold) => { fold.open = true; });
}"""
WIDER = """(selector) => [...document.querySelectorAll(`article ${selector}`)]
  .filter((box) => box.scrollWidth > box.clientWidth + 1)
  .map((box) => [box.scrollWidth - box.clientWidth, box.textContent.slice(0, 200)])"""
# Formulas in one piece, and those of them whose comma begins the next line or comes twice.
LEFT_BEHIND = """() => {
  const held = [...document.querySelectorAll("article .one-piece")]
    .filter((one) => one.offsetParent);
  const alone = held.filter((one) => {
    const sign = document.createRange();
    sign.selectNodeContents(one.lastChild);
    const formula = one.querySelector(".base").getBoundingClientRect();
    const doubled = (one.nextSibling?.textContent ?? "").startsWith(one.lastChild.textContent);
    return doubled || sign.getBoundingClientRect().left < formula.right - 1;
  });
  return [held.length, alone.map((one) => one.textContent)];
}"""
# Pictures that have not come yet have no height.
DRAWN = """async () => {
  const images = [...document.querySelectorAll("article img")];
  images.forEach((image) => { image.loading = "eager"; });
  await Promise.all(images.map((image) => image.decode()));
}"""
GAPS = """() => {
  const article = document.querySelector("article");
  const figures = [...article.querySelectorAll("figure, .live-figure")]
    .filter((figure) => !figure.parentElement.closest("figure"));
  const title = (y) => [...article.querySelectorAll("h1, h2, h3")]
    .filter((heading) => heading.getBoundingClientRect().top <= y + 5)
    .map((heading) => heading.textContent.replace("#", "")).pop() || "the title";
  const gaps = [];
  let from = article.getBoundingClientRect().top;
  for (const figure of figures) {
    const box = figure.getBoundingClientRect();
    gaps.push([(box.top - from) / innerHeight, title(from), title(box.top)]);
    from = box.bottom;
  }
  gaps.push([(article.getBoundingClientRect().bottom - from) / innerHeight, title(from), "end"]);
  return gaps;
}"""


@pytest.fixture(params=chapters())
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    demand_site()
    opened = browser.new_page()
    opened.goto(f"{SITE.as_uri()}/{request.param}.html")
    yield opened
    opened.close()


def sized(page: Page, size: tuple[int, int]) -> Page:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.evaluate(DRAWN)
    return page


def test_no_chapter_goes_on_for_long_without_a_figure(page: Page) -> None:
    gaps: list[Any] = sized(page, DESK).evaluate(GAPS)
    assert len(gaps) > 8
    assert not [gap for gap in gaps[:-1] if gap[0] > SCREENS]
    assert gaps[-1][0] <= LAST_SCREENS, gaps[-1]


def test_no_line_of_code_has_to_be_pushed_aside_on_a_desk(page: Page) -> None:
    sized(page, DESK).evaluate(OPEN)
    assert page.locator("article pre").count() > 20
    assert not page.evaluate(WIDER, "pre")


def test_no_formula_has_to_be_pushed_aside_on_a_phone(page: Page) -> None:
    sized(page, PHONE).evaluate(OPEN)
    assert not page.evaluate(WIDER, ".katex-display")


def test_letters_of_a_picture_are_as_large_as_those_of_the_text(page: Page) -> None:
    sized(page, DESK)
    widths = page.locator("article .cell_output img").evaluate_all(
        "(all) => all.map((image) => [image.getBoundingClientRect().width, image.naturalWidth])"
    )
    assert widths
    for shown, drawn in widths:
        assert 400 <= shown <= 441, "11 points of 4.4 inches are 15 pixels"
        assert drawn >= 1.9 * shown, "not sharp on a fine screen"


def test_no_line_begins_with_the_comma_behind_a_formula(page: Page) -> None:
    for width in range(350, 431, 20):
        sized(page, (width, PHONE[1]))
        page.evaluate(OPEN)
        held, alone = page.evaluate(LEFT_BEHIND)
        assert held >= 10
        assert not alone, width


def test_the_prerequisites_fit_too(browser: Browser) -> None:
    page = browser.new_page()
    page.goto(f"{SITE.as_uri()}/prerequisites.html")
    sized(page, DESK).evaluate(OPEN)
    assert page.locator("article pre").count() >= 1
    assert not page.evaluate(WIDER, "pre")
    assert page.locator("article .cell").count() >= 2, "its code is executed"
    page.close()


@pytest.mark.parametrize("name", ["api-attention", "api-layers", "api-models", "api-released"])
def test_formulas_of_the_library_go_on_below_on_a_phone(browser: Browser, name: str) -> None:
    page = browser.new_page()
    page.goto(f"{SITE.as_uri()}/{name}.html")
    sized(page, PHONE)
    assert page.locator("article .katex-display").count() >= 3
    wider = page.evaluate(WIDER, ".katex-display")
    page.close()
    assert not wider


def test_the_lines_of_the_notes_fit_a_phone(browser: Browser) -> None:
    page = browser.new_page()
    page.goto(f"{SITE.as_uri()}/from-the-notes.html")
    sized(page, PHONE)
    assert page.locator("article table").count() >= 3
    beyond = "(all) => all.filter((one) => one.getBoundingClientRect().right > innerWidth).length"
    outside = page.locator("article td, article td a").evaluate_all(beyond)
    page.close()
    assert outside == 0
