"""The mask whose cells are switched, moved in a browser, against what course_lib computes."""

import re
from collections.abc import Iterator

import pytest
import torch
from built_site import SITE
from chapter_figures import names_before
from playwright.sync_api import Browser, Page, expect
from site_visits import DESK, PHONE
from torch import Tensor
from woken_figures import wake

from course_lib.efficient.reach import reach
from course_lib.masks import causal_mask

CHAPTER = f"{SITE.as_uri()}/masks.html"
FIGURE = ".mechanism[data-kind='mask-switches']"
SAID = re.compile(
    r"Query (\d) reads (.*)\. After (\d) layers? it depends on the inputs (.*)\. "
    r"All queries: (\d+) pairs may read, (\d+) inputs arrive\."
)


@pytest.fixture(scope="module")
def masks() -> dict[str, Tensor]:
    """Return the masks that the chapter gave the figure."""
    found: dict[str, Tensor] = names_before("mask_switches")["eight"]
    return found


@pytest.fixture(params=[DESK, PHONE], ids=["desk", "phone"])
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    context = browser.new_context(viewport=request.param, has_touch=request.param is PHONE)
    yield awake(context.new_page())
    context.close()


def awake(page: Page) -> Page:
    """Bring the figure into sight until it lives: pictures that come late may push it away."""
    page.goto(CHAPTER)
    return wake(page, FIGURE)


def filled(page: Page, part: str) -> Tensor:
    """Return which cells of a grid are filled, in the drawing that is in sight."""
    cells = page.locator(f"{FIGURE} svg:visible [data-part='{part}']").evaluate_all(
        "(all) => all.map((one) => [one.dataset.t, one.dataset.s, one.style.fill])"
    )
    found = torch.zeros(8, 8, dtype=torch.bool)
    for t, s, fill in cells:
        assert fill in ("var(--output)", "var(--none)")
        found[int(t), int(s)] = fill == "var(--output)"
    assert len(cells) == 64
    return found


def texts(page: Page, part: str) -> list[str]:
    marks = page.locator(f"{FIGURE} svg:visible [data-part='{part}']")
    return list(marks.evaluate_all("(all) => all.map((one) => one.textContent)"))


def demand(page: Page, mask: Tensor, layers: int, query: int, key: int) -> None:
    """Compare every mark and every control with what course_lib computes for a mask."""
    arrives = reach(mask, layers)
    assert torch.equal(filled(page, "cell"), mask)
    assert torch.equal(filled(page, "arrives"), arrives)
    needed = ["" for _ in range(64)]
    for count in range(7, -1, -1):
        for place in reach(mask, count).flatten().nonzero().flatten().tolist():
            needed[place] = str(count)
    assert texts(page, "needed") == needed
    word = "1 layer" if layers == 1 else f"{layers} layers"
    assert texts(page, "arrives-title") == [f"what arrives after {word}"]
    said = page.locator(f"{FIGURE} .mechanism-said").text_content() or ""
    told = SAID.fullmatch(said)
    assert told is not None, said
    assert [int(told[n]) for n in (1, 3, 5, 6)] == [
        query + 1,
        layers,
        int(mask.sum()),
        int(arrives.sum()),
    ]
    for words, row in ((told[2], mask[query]), (told[4], arrives[query])):
        assert re.findall(r"\d", words) == [str(s + 1) for s in row.nonzero().flatten().tolist()]
    drawing = page.locator(f"{FIGURE} svg:visible")
    assert drawing.get_attribute("aria-label") == said
    cell = float(drawing.locator("> g").get_attribute("data-cell") or 0)
    for line in drawing.locator("[data-part='row']").all():
        top = float(line.get_attribute("data-top") or 0)
        assert float(line.get_attribute("y") or 0) == top + query * cell - 1
    expect(page.locator(f"{FIGURE} select[data-name='query']")).to_have_value(str(query))
    expect(page.locator(f"{FIGURE} select[data-name='key']")).to_have_value(str(key))
    expect(page.locator(f"{FIGURE} input[data-name='may']")).to_be_checked(
        checked=bool(mask[query, key])
    )


def layers_to(page: Page, count: int) -> None:
    page.locator(f"{FIGURE} input[type=range]").fill(str(count))


def test_every_mask_and_every_number_of_layers_moves_every_mark(
    page: Page, masks: dict[str, Tensor]
) -> None:
    demand(page, masks["window of 3"], 1, 7, 0)
    for name, mask in masks.items():
        radio = page.get_by_role("radio", name=name, exact=True)
        (radio.tap if page.viewport_size == PHONE else radio.check)()
        for count in range(1, 8):
            layers_to(page, count)
            demand(page, mask, count, 7, 0)


def test_a_cell_is_switched_by_a_click_or_a_tap_and_by_the_controls(
    page: Page, masks: dict[str, Tensor]
) -> None:
    page.get_by_role("radio", name="causal", exact=True).check()
    layers_to(page, 3)
    mask = masks["causal"].clone()
    cells = page.locator(f"{FIGURE} svg:visible [data-part='cell']")
    for t, s in ((0, 7), (4, 3), (0, 7), (6, 0)):
        cell = cells.nth(8 * t + s)
        (cell.tap if page.viewport_size == PHONE else cell.click)()
        mask[t, s] = not mask[t, s]
        demand(page, mask, 3, t, s)
        assert page.locator(f"{FIGURE} input[type=radio]:checked").count() == 0
        box = cell.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 24, "smaller than a finger"
    page.locator(f"{FIGURE} select[data-name='query']").select_option(index=1)
    demand(page, mask, 3, 1, 0)
    page.locator(f"{FIGURE} select[data-name='key']").select_option(index=5)
    demand(page, mask, 3, 1, 5)
    page.locator(f"{FIGURE} input[data-name='may']").check()
    mask[1, 5] = True
    demand(page, mask, 3, 1, 5)
    # The second grid chooses, and switches nothing.
    page.locator(f"{FIGURE} svg:visible [data-part='arrives']").nth(8 * 5 + 2).click()
    demand(page, mask, 3, 5, 2)
    page.get_by_role("radio", name="causal", exact=True).check()
    demand(page, masks["causal"], 3, 5, 2)


def test_the_answers_of_the_page_are_what_the_figure_shows(page: Page) -> None:
    page.get_by_role("radio", name="causal", exact=True).check()
    page.locator(f"{FIGURE} svg:visible [data-part='cell']").nth(7).click()
    layers_to(page, 1)
    assert not filled(page, "arrives")[:, 7].all()
    layers_to(page, 2)
    assert filled(page, "arrives")[:, 7].all()
    layers_to(page, 3)
    assert filled(page, "arrives").all()
    page.get_by_role("radio", name="two documents", exact=True).check()
    layers_to(page, 7)
    assert not filled(page, "arrives")[3:, :3].any()


def test_the_keyboard_does_all_of_it(browser: Browser, masks: dict[str, Tensor]) -> None:
    page = awake(browser.new_page(viewport=DESK))
    page.get_by_role("radio", name="window of 3", exact=True).focus()
    page.keyboard.press("ArrowDown")
    demand(page, masks["causal"], 1, 7, 0)
    page.keyboard.press("Tab")
    page.keyboard.press("End")
    demand(page, masks["causal"], 7, 7, 0)
    page.keyboard.press("Tab")
    page.keyboard.press("Home")
    page.keyboard.press("Tab")
    page.keyboard.press("End")
    demand(page, masks["causal"], 7, 0, 7)
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    leaky = causal_mask(8)
    leaky[0, 7] = True
    demand(page, leaky, 7, 0, 7)
    page.close()


def test_it_stands_without_a_script_and_is_printed_as_it_was_left(
    browser: Browser, masks: dict[str, Tensor]
) -> None:
    context = browser.new_context(viewport=PHONE, java_script_enabled=False)
    page = context.new_page()
    page.goto(CHAPTER)
    assert page.locator(f"{FIGURE} svg:visible").count() == 1
    assert page.locator(f"{FIGURE} input").count() == 0
    assert torch.equal(filled(page, "cell"), masks["window of 3"])
    assert torch.equal(filled(page, "arrives"), reach(masks["window of 3"], 1))
    context.close()
    page = awake(browser.new_page(viewport=PHONE))
    layers_to(page, 4)
    page.emulate_media(media="print")
    assert page.locator(f"{FIGURE} .mechanism-wide").is_visible()
    assert torch.equal(filled(page, "arrives"), reach(masks["window of 3"], 4))
    page.close()


@pytest.mark.parametrize("width", [320, 358, 390, 600, 720, 1280])
def test_words_stay_inside_and_nothing_is_wider_than_the_screen(
    browser: Browser, width: int
) -> None:
    page = awake(browser.new_page(viewport={"width": width, "height": 900}))
    for count in (1, 7):
        layers_to(page, count)
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
