"""What a term means is in the page: for a pointer, a key and a finger; in no link's name."""

import pytest
from bs4 import BeautifulSoup
from built_site import SITE, chapters, demand_site
from playwright.sync_api import Browser, Page, expect

SHOWN = "(link) => getComputedStyle(link, '::after').content"


@pytest.mark.parametrize("slug", chapters())
def test_each_term_of_a_chapter_carries_its_sentence(slug: str) -> None:
    demand_site()
    page = BeautifulSoup((SITE / f"{slug}.html").read_bytes(), "html.parser")
    terms = page.select('article a[href^="glossary.html#term-"]')
    assert len(terms) >= 10
    for term in terms:
        said = term["data-says"]
        chinese, _, english = said.partition(". ")
        assert chinese, term["href"]
        assert len(english.split()) >= 4, said
        assert english[0].isupper(), said
        assert "\\" not in said, said


def first_term(page: Page) -> tuple[str, str]:
    term = page.locator("article a.term").first
    return term.inner_text(), term.get_attribute("data-says") or ""


def test_pointer_and_focus_show_it_and_the_name_stays(browser: Browser) -> None:
    page = browser.new_page()
    page.goto((SITE / "softmax.html").as_uri())
    word, said = first_term(page)
    link = page.get_by_role("link", name=word, exact=True).first
    assert link.evaluate(SHOWN) == "none"
    link.hover()
    assert said.split(".")[0] in link.evaluate(SHOWN)
    page.mouse.move(0, 0)
    assert link.evaluate(SHOWN) == "none"
    page.keyboard.press("Tab")
    link.focus()
    assert said.split(".")[0] in link.evaluate(SHOWN)
    expect(link).to_have_accessible_name(word)
    page.close()


def test_the_first_tap_shows_and_the_second_follows(browser: Browser) -> None:
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    page = context.new_page()
    page.goto((SITE / "softmax.html").as_uri())
    link = page.locator("article a.term").first
    link.tap()
    assert page.url.endswith("softmax.html")
    assert link.evaluate(SHOWN) != "none"
    wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert wide <= 0
    link.tap()
    page.wait_for_url("**/glossary.html#term-*")
    context.close()
