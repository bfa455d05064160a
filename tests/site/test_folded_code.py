"""Code that draws or checks waits in one bar a section; a switch opens all, and is remembered."""

import ast
from pathlib import Path

import pytest
from bs4 import BeautifulSoup, Tag
from built_site import SITE, chapters, demand_site
from playwright.sync_api import Browser, expect


def article(slug: str) -> Tag:
    demand_site()
    page = BeautifulSoup((SITE / f"{slug}.html").read_bytes(), "html.parser")
    return page.select_one("article")


def visible(slug: str) -> list[Tag]:
    """Return the code that stands in a chapter's text."""
    cells = article(slug).select(".cell > .cell_input")
    return [code for code in cells if code.find_parent("details") is None]


@pytest.mark.parametrize("slug", chapters())
def test_what_draws_or_checks_is_folded_and_the_figure_stays(slug: str) -> None:
    page = article(slug)
    for cell in page.select(".cell"):
        if cell.find("figure"):
            assert cell.select_one(".cell_input") is None, cell.figure.get("id")
    assert len(page.select("figure")) >= 5
    # A listing alone proves nothing: what is left in sight computes, or imports for what follows.
    asserting = [code for code in visible(slug) if only_asserts(code.get_text())]
    assert not asserting
    assert len(visible(slug)) >= 5


def only_asserts(code: str) -> bool:
    return all(isinstance(statement, ast.Assert) for statement in ast.parse(code).body)


def test_code_that_only_asserts_is_seen() -> None:
    assert only_asserts("assert a == (\n    b\n)\nassert c\n")
    assert not only_asserts("a = 1\nassert a\n")


@pytest.mark.parametrize("slug", chapters())
def test_one_bar_a_section_each_with_a_name_of_its_own(slug: str) -> None:
    page = article(slug)
    bars = page.select("details.code-bar")
    names = [bar.summary.get_text(strip=True) for bar in bars]
    assert len(names) >= 5
    assert len(set(names)) == len(names)
    sections = [id(bar.find_parent("section")) for bar in bars]
    assert len(set(sections)) == len(sections)
    for bar in bars:
        assert bar.summary.attrs == {}, "what is announced is what is shown"
        assert bar.select(".cell_input")
    assert not page.select("details.hide")


@pytest.mark.parametrize("where", ["server", "folder"])
def test_the_switch_opens_all_code_and_the_next_page_remembers(
    browser: Browser, server: str, where: str
) -> None:
    root = server if where == "server" else Path(SITE).as_uri() + "/"
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{root}{chapters()[0]}.html")
    switch = page.get_by_role("button", name="Show all code")
    opened = page.locator("details.code-bar[open]")
    every = page.locator("details.code-bar").count()
    assert (opened.count(), switch.get_attribute("aria-pressed")) == (0, "false")
    switch.press("Enter")
    expect(opened).to_have_count(every)
    assert switch.get_attribute("aria-pressed") == "true"
    page.goto(f"{root}{chapters()[1]}.html")
    expect(page.locator("details.code-bar:not([open])")).to_have_count(0)
    page.get_by_role("button", name="Show all code").click()
    expect(page.locator("details.code-bar[open]")).to_have_count(0)
    page.locator("details.code-bar > summary").first.press("Enter")
    expect(page.locator("details.code-bar[open]")).to_have_count(1)
    context.close()


def test_without_a_script_a_bar_opens_and_no_switch_is_shown(browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((SITE / f"{chapters()[0]}.html").as_uri())
    expect(page.locator(".code-switch")).to_be_hidden()
    page.locator("details.code-bar > summary").first.click()
    expect(page.locator("details.code-bar .cell_input").first).to_be_visible()
    context.close()
