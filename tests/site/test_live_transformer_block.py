"""The block whose norms, token and input the reader moves, against what course_lib computes."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from built_site import SITE
from chapter_figures import names_before
from playwright.sync_api import Browser, Page
from site_visits import DESK, PHONE
from woken_figures import wake

from course_lib.plotting.block_flow import CUT, PLACES, STATIONS, UNIT, WEIGHT, flow

CHAPTER = f"{SITE.as_uri()}/transformer-block.html"
FIGURE = ".mechanism[data-kind='block-flow']"
#: What a station is called, by whether a norm stands before a half, after it, and after the sum.
NAMED = {"reads": 0, "reads again": 0, "adds": 1, "adds again": 1, "between": 2, "y": 2}


@pytest.fixture(scope="module")
def given() -> dict[str, Any]:
    """Return what the chapter gave the figure."""
    return names_before("block_flow")


@pytest.fixture(params=[DESK, PHONE], ids=["desk", "phone"])
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    context = browser.new_context(viewport=request.param, has_touch=request.param is PHONE)
    yield awake(context.new_page())
    context.close()


def awake(page: Page) -> Page:
    """Bring the figure into sight until it lives: pictures that come late may push it away."""
    page.goto(CHAPTER)
    return wake(page, FIGURE)


def marks(page: Page, part: str) -> list[list[str]]:
    """Return station, number, text, place, height and line of the marks of a part in sight."""
    found: list[list[str]] = page.locator(
        f"{FIGURE} svg:visible [data-part='{part}']"
    ).evaluate_all(
        """(all) => all.map((one) => [one.dataset.station, one.dataset.s, one.textContent,
          one.getAttribute("y"), one.getAttribute("height"), one.dataset.line])"""
    )
    return found


def demand(page: Page, given: dict[str, Any], place: str, token: int, factor: int) -> None:
    """Compare every mark and every word with what course_lib computes."""
    found = flow(factor * given["four_words"], given["small"], 2, place)
    bars = marks(page, "bar")
    assert len(bars) == sum(rows.shape[1] for rows in found.values())
    for station, s, _, y, height, line in bars:
        number = found[station][token, int(s)].item()
        tall = number * WEIGHT if station == "weights" else max(-CUT, min(CUT, number)) * UNIT
        assert float(height) == pytest.approx(abs(tall), abs=0.01)
        assert float(y) == pytest.approx(float(line) - max(tall, 0), abs=0.01)
    sizes = {name: rows[token].square().mean().sqrt().item() for name, rows in found.items()}
    told = {one[0]: float(one[2]) for one in marks(page, "size")}
    assert told == pytest.approx({n: sizes[n] for n in STATIONS if n != "weights"}, abs=0.0051)
    for station, _, text, *_ in marks(page, "name"):
        if station in NAMED:
            is_there = PLACES[place][NAMED[station]]
            words = ("sum", "norm of the sum") if NAMED[station] == 2 else ("no norm", "norm")
            assert text == words[is_there]
    said = page.locator(f"{FIGURE} .mechanism-said").text_content() or ""
    assert said.startswith(f"{given['words'][token]}, {place}, x times {factor}:")
    numbers = [float(one) for one in re.findall(r"\d+\.\d\d", said)]
    wanted = [sizes[name] for name in ("x", "between", "y", "adds", "adds again")]
    assert numbers == pytest.approx(wanted, abs=0.0051)
    assert page.locator(f"{FIGURE} svg:visible").get_attribute("aria-label") == said


def choose(page: Page, name: str) -> None:
    radio = page.locator(FIGURE).get_by_role("radio", name=name, exact=True)
    (radio.tap if page.viewport_size == PHONE else radio.check)()


def test_every_place_every_word_and_every_factor_move_every_mark(
    page: Page, given: dict[str, Any]
) -> None:
    demand(page, given, "pre-norm", 1, 1)
    for n, place in enumerate(PLACES):
        choose(page, place)
        for token, word in enumerate(given["words"]):
            choose(page, word)
            factor = 1 + (3 * n + 2 * token) % 8
            page.locator(f"{FIGURE} input[type=range]").fill(str(factor))
            demand(page, given, place, token, factor)


def test_the_answers_of_the_page_are_what_the_figure_shows(page: Page) -> None:
    def halves() -> tuple[list[list[str]], list[list[str]]]:
        bars = marks(page, "bar")
        first = STATIONS[1:6]
        return [one for one in bars if one[0] in first], [
            one for one in bars if one[0] in STATIONS[7:13]
        ]

    def rounded(bars: list[list[str]]) -> list[float]:
        return [round(float(one[4]), 1) for one in bars]

    first, second = halves()
    page.locator(f"{FIGURE} input[type=range]").fill("8")
    again, moved = halves()
    assert rounded(again) == rounded(first)  # it reads a normed vector
    assert rounded(moved) != rounded(second)
    choose(page, "post-norm")
    assert [one[2] for one in marks(page, "size") if one[0] == "y"] == ["1.00"]
    for place in ("inner norm", "sandwich"):
        choose(page, place)
        assert {one[2] for one in marks(page, "size") if one[0].startswith("adds")} == {"1.00"}


def test_the_keyboard_does_all_of_it(browser: Browser, given: dict[str, Any]) -> None:
    page = awake(browser.new_page(viewport=DESK))
    page.get_by_role("radio", name="pre-norm", exact=True).focus()
    page.keyboard.press("ArrowDown")
    demand(page, given, "post-norm", 1, 1)
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    demand(page, given, "post-norm", 2, 1)
    page.keyboard.press("Tab")
    page.keyboard.press("End")
    demand(page, given, "post-norm", 2, 8)
    page.close()


def test_it_stands_without_a_script_and_is_printed_as_it_was_left(
    browser: Browser, given: dict[str, Any]
) -> None:
    context = browser.new_context(viewport=PHONE, java_script_enabled=False)
    page = context.new_page()
    page.goto(CHAPTER)
    assert page.locator(f"{FIGURE} svg:visible").count() == 1
    assert page.locator(f"{FIGURE} input").count() == 0
    found = flow(given["four_words"], given["small"], 2, "pre-norm")
    told = {one[0]: float(one[2]) for one in marks(page, "size")}
    assert told["y"] == pytest.approx(found["y"][1].square().mean().sqrt().item(), abs=0.0051)
    context.close()
    page = awake(browser.new_page(viewport=PHONE))
    page.locator(f"{FIGURE} input[type=range]").fill("3")
    page.emulate_media(media="print")
    assert page.locator(f"{FIGURE} .mechanism-wide").is_visible()
    demand(page, given, "pre-norm", 1, 3)
    page.close()


@pytest.mark.parametrize("width", [320, 358, 390, 600, 720, 1280])
def test_words_stay_inside_and_nothing_is_wider_than_the_screen(
    browser: Browser, width: int
) -> None:
    page = awake(browser.new_page(viewport={"width": width, "height": 900}))
    for place in PLACES:
        choose(page, place)
        outside = page.locator(f"{FIGURE} svg:visible").evaluate(
            """(drawing) => {
              const frame = drawing.getBoundingClientRect();
              const grown = frame.width / drawing.viewBox.baseVal.width;
              return [...drawing.querySelectorAll("text")].filter((word) => word.textContent)
                .filter((word) => {
                  const box = word.getBoundingClientRect();
                  return box.left < frame.left - 0.5 || box.right > frame.right + 0.5 ||
                    parseFloat(getComputedStyle(word).fontSize) * grown < 11.99;
                }).map((word) => word.textContent);
            }"""
        )
        assert outside == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


def test_a_word_reads_no_later_word(given: dict[str, Any]) -> None:
    weights = flow(given["four_words"], given["small"], 2, "pre-norm")["weights"]
    assert torch.equal(weights[0], torch.tensor([1.0, 0, 0, 0] * 2).double())
