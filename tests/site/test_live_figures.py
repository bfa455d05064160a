"""Every control of every live figure, driven in a browser, against what course_lib computes.

The numbers come from the chapter itself: its cells are run up to the figure, and the tensors that
the figure was given are compared with the marks that the browser draws.
"""

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from built_site import ROOT, SITE, chapters
from playwright.sync_api import Browser, BrowserContext, Page, expect
from site_visits import DESK, PHONE

from course_lib.softmax import softmax, softmax_with_sink

# Marks say their numbers with two or three digits.
TWO, THREE = 0.0051, 0.00051
# From a server on a desk, and from a folder on a phone.
PLACES = pytest.mark.parametrize(("where", "size"), [("server", DESK), ("folder", PHONE)])


def page_with(figure: str) -> str:
    """Return the chapter that shows a figure."""
    for slug in chapters():
        if f"{figure}(" in (ROOT / "book" / f"{slug}.md").read_text(encoding="utf-8"):
            return slug
    raise AssertionError(f"no chapter calls {figure}")


def names_before(figure: str) -> dict[str, Any]:
    """Run the cells of the figure's chapter up to the figure; return the names that they leave."""
    slug = page_with(figure)
    path = ROOT / "_build" / "jupyter_execute" / f"{slug}.ipynb"
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    names: dict[str, Any] = {}
    for cell in cells:
        source = "".join(cell["source"])
        if cell["cell_type"] == "code":
            exec(compile(source, slug, "exec"), names)
            if f"{figure}(" in source:
                return names
    raise AssertionError(f"{slug} has no cell that calls {figure}")


ON_EXPLORER, ON_HISTOGRAM, ON_BARS = (
    pytest.mark.parametrize("slug", [page_with(figure)])
    for figure in ("attention_explorer", "score_histogram", "softmax_bars")
)


def address(where: str, server: str, slug: str) -> str:
    return f"{server if where == 'server' else SITE.as_uri() + '/'}{slug}.html"


def awake(page: Page, url: str) -> Page:
    page.goto(url)
    page.locator(".live-figure").scroll_into_view_if_needed()
    expect(page.locator(".live-figure.is-live")).to_be_visible()
    return page


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context(viewport=DESK, color_scheme="light")
    yield made
    made.close()


def said(page: Page) -> dict[str, float]:
    """Return what the bars say: the text before the last colon, and the number behind it."""
    bars = page.locator('.live-figure-mount [aria-roledescription="bar"]')
    labels = bars.evaluate_all("(all) => all.map((bar) => bar.getAttribute('aria-label'))")
    pairs = [label.rsplit(": ", 1) for label in labels]
    return {name: float(number) for name, number in pairs}


def said_in_order(page: Page) -> list[tuple[str, float]]:
    bars = page.locator('.live-figure-mount [aria-roledescription="bar"]')
    labels = bars.evaluate_all("(all) => all.map((bar) => bar.getAttribute('aria-label'))")
    return [(label.rsplit(": ", 1)[0], float(label.rsplit(": ", 1)[1])) for label in labels]


def lengths(page: Page) -> list[float]:
    bars = page.locator('.live-figure-mount [aria-roledescription="bar"]')
    return bars.evaluate_all("(all) => all.map((bar) => bar.getBBox().width)")


def texts(page: Page) -> list[str]:
    return page.locator(".live-figure-mount svg text").all_text_contents()


def marks(page: Page) -> list[str]:
    """Return the words of the marks; an axis has numbers of its own."""
    return page.locator(".live-figure-mount svg .role-mark text").all_text_contents()


def slide(page: Page, name: str, value: float) -> None:
    page.locator(f'.live-figure input[name="{name}"]').fill(f"{value:g}")


# Words whose boxes leave the drawing's: what lies there is cut off.
CUT_OFF = """() => {
  const svg = document.querySelector(".live-figure-mount svg");
  const frame = svg.getBoundingClientRect();
  return [...svg.querySelectorAll("text")].filter((text) => text.textContent).map((text) => {
    const box = text.getBoundingClientRect();
    const out = Math.max(frame.left - box.left, box.right - frame.right,
                         frame.top - box.top, box.bottom - frame.bottom);
    return [text.textContent, out];
  }).filter(([_, out]) => out > 0.5);
}"""


# Words of axes and marks that lie on each other.
COVERED = """() => {
  const words = [...document.querySelectorAll(".live-figure-mount svg text")]
    .filter((text) => text.textContent && getComputedStyle(text).opacity !== "0")
    .map((text) => [text.textContent, text.getBoundingClientRect()]);
  const pairs = words.flatMap((one, n) => words.slice(n + 1).map((other) => [one, other]));
  return pairs.filter(([[, a], [, b]]) =>
    Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1.5 &&
    Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 4.5
  ).map(([[one], [other]]) => [one, other]);
}"""


def assert_words_inside(page: Page) -> None:
    """Fail when a word leaves the drawing or lies on another, or the drawing leaves the figure."""
    assert not page.evaluate(CUT_OFF)
    assert not page.evaluate(COVERED)
    figure, drawing = (
        page.locator(selector).bounding_box()
        for selector in (".live-figure", ".live-figure-mount svg")
    )
    assert figure is not None
    assert drawing is not None
    assert drawing["x"] >= figure["x"] - 1
    assert drawing["x"] + drawing["width"] <= figure["x"] + figure["width"] + 1


def spoken(page: Page, name: str) -> tuple[str, str]:
    """Return a slider's value as it is heard and as it is seen."""
    slider = page.locator(f'.live-figure input[name="{name}"]')
    seen = slider.locator("xpath=..").locator("span:visible").last.inner_text()
    return slider.get_attribute("aria-valuetext") or "", seen


# -- the sentence ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def explorer() -> tuple[list[str], torch.Tensor]:
    names = names_before("attention_explorer")
    return list(names["head"].tokens), names["weights"]


def assert_row(page: Page, explorer: tuple[list[str], torch.Tensor], t: int) -> None:
    """Fail unless the drawing and the list show the weights of query t."""
    tokens, weights = explorer
    expect(page.locator(".live-figure select")).to_have_value(str(t))
    shown = said_in_order(page)
    assert [name for name, _ in shown] == tokens
    assert [number for _, number in shown] == pytest.approx(weights[t].tolist(), abs=TWO)
    # The bars are as long as they say, on one scale.
    scale = max(lengths(page)) / float(weights[t].max())
    assert lengths(page) == pytest.approx((weights[t] * scale).tolist(), abs=1.5)
    marked = page.locator('.live-figure-mount svg text[fill="#ffffff"]').all_text_contents()
    assert marked == [tokens[t]]
    assert_words_inside(page)


def token(page: Page, t: int) -> Any:
    return page.locator('.live-figure-mount [aria-roledescription="rect mark"]').nth(t)


@PLACES
@ON_EXPLORER
def test_a_token_is_chosen_from_the_list(
    context: BrowserContext, server: str, slug: str, where: str, explorer: Any, size: Any
) -> None:
    page = context.new_page()
    page.set_viewport_size(size)
    awake(page, address(where, server, slug))
    assert_row(page, explorer, explorer[0].index("it"))
    for t in range(len(explorer[0])):
        page.locator(".live-figure select").select_option(str(t))
        assert_row(page, explorer, t)


@ON_EXPLORER
def test_a_token_is_chosen_by_pointing_at_it(
    context: BrowserContext, server: str, slug: str, explorer: Any
) -> None:
    page = awake(context.new_page(), address("server", server, slug))
    for t in (2, 0, 14, 5):
        token(page, t).hover(force=True)
        assert_row(page, explorer, t)
    # Away from the drawing the last choice stays.
    page.mouse.move(5, 5)
    assert_row(page, explorer, 5)
    # The list and the pointer are one choice.
    page.locator(".live-figure select").select_option("7")
    assert_row(page, explorer, 7)


@ON_EXPLORER
def test_a_token_is_chosen_by_a_tap(
    browser: Browser, server: str, slug: str, explorer: Any
) -> None:
    phone = browser.new_context(viewport=PHONE, has_touch=True, is_mobile=True)
    page = awake(phone.new_page(), address("folder", server, slug))
    for t in (12, 3, 9):
        token(page, t).tap(force=True)
        assert_row(page, explorer, t)
        box = token(page, t).bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 24, "smaller than a finger"
    phone.close()


@ON_EXPLORER
def test_a_token_is_chosen_with_the_keyboard(
    context: BrowserContext, server: str, slug: str, explorer: Any
) -> None:
    page = awake(context.new_page(), address("server", server, slug))
    page.locator(".live-figure select").focus()
    page.keyboard.press("ArrowDown")
    assert_row(page, explorer, explorer[0].index("it") + 1)
    page.keyboard.press("Home")
    assert_row(page, explorer, 0)


# -- the histogram ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def scores() -> dict[int, torch.Tensor]:
    return {D: z.double() for D, z in names_before("score_histogram")["drawn_scores"].items()}


def assert_histogram(page: Page, scores: dict[int, torch.Tensor], D: int, power: float) -> None:
    divided = scores[D] / D**power
    shown = said(page)
    largest = shown.pop("mean largest weight")
    truth = softmax(divided).amax(-1).mean().item()
    assert largest == pytest.approx(truth, abs=0.003)
    written = [word for word in marks(page) if re.fullmatch(r"\d\.\d\d", word)]
    assert [float(word) for word in written] == pytest.approx([truth], abs=0.008)
    assert f"D = {D}, scores divided by {float(f'{D**power:.3g}'):g}" in texts(page)
    count, edges = torch.histogram(divided.flatten(), torch.arange(-40.0, 40.5, 0.5).double())
    expected = {
        f"scores from {low:g} to {low + 0.5:g}": share
        for low, share in zip(edges.tolist(), (count / divided.numel()).tolist(), strict=False)
        if share
    }
    assert shown == pytest.approx(expected, abs=1e-4)
    heights = page.locator('.live-figure-mount [aria-roledescription="bar"]').evaluate_all(
        "(all) => all.map((bar) => bar.getBBox().height)"
    )
    assert max(heights) > 100, "the hill does not fill its panel"
    assert_words_inside(page)
    assert spoken(page, "power") == (f"{D}", f"{D}")
    by = f"{power:.1f}, that is by {float(f'{D**power:.3g}'):g}"
    assert spoken(page, "exponent") == (by, by)


@PLACES
@ON_HISTOGRAM
def test_both_sliders_move_the_histogram_and_the_bar(
    context: BrowserContext, server: str, slug: str, where: str, scores: Any, size: Any
) -> None:
    page = context.new_page()
    page.set_viewport_size(size)
    awake(page, address(where, server, slug))
    assert_histogram(page, scores, 64, 0.0)
    for D, power in ((256, 0.0), (256, 0.5), (4, 0.5), (4, 1.0), (16, 0.3), (256, 1.0)):
        slide(page, "power", math.log2(D))
        slide(page, "exponent", power)
        assert_histogram(page, scores, D, power)


@ON_HISTOGRAM
def test_the_sliders_obey_the_keyboard(
    context: BrowserContext, server: str, slug: str, scores: Any
) -> None:
    page = awake(context.new_page(), address("server", server, slug))
    page.locator('.live-figure input[name="power"]').focus()
    page.keyboard.press("ArrowRight")
    assert_histogram(page, scores, 128, 0.0)
    page.keyboard.press("Tab")
    for _ in range(5):
        page.keyboard.press("ArrowUp")
    assert_histogram(page, scores, 128, 0.5)
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none", "the slider that the keyboard moves is not to be seen"


# -- the bars --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def start() -> torch.Tensor:
    return names_before("softmax_bars")["it"].double()


def assert_bars(
    page: Page, start: torch.Tensor, *, temperature: float, moved: float, sink: float | None
) -> None:
    logits = torch.cat([start[:-1], torch.tensor([moved]).double()]) / temperature
    weights = softmax(logits)
    if sink is not None:
        weights = softmax_with_sink(logits[None, None], sink)[0, 0]
    expected = dict(zip(("it", "street", "animal"), weights.tolist(), strict=True))
    expected["sink"] = 1 - sum(expected.values())
    assert said(page) == pytest.approx(expected, abs=THREE)
    words = texts(page)
    assert f"The weights of the keys sum to {weights.sum():.3f}" in words
    numbers = [f"{weight:.2f}" for weight in expected.values()]
    if sink is None:
        numbers[-1] = "off"
    assert [word for word in marks(page) if re.fullmatch(r"\d\.\d\d|off", word)] == numbers
    assert_words_inside(page)
    assert spoken(page, "temperature") == (f"{temperature:.1f}", f"{temperature:.1f}")
    assert spoken(page, "moved") == (f"{moved:.1f}".replace("-", "−"),) * 2
    slider = page.locator('.live-figure input[name="sink"]')
    assert slider.is_disabled() == (sink is None)
    if sink is None:
        assert spoken(page, "sink") == ("off", "off")


@PLACES
@ON_BARS
def test_temperature_score_and_sink_move_every_bar(
    context: BrowserContext, server: str, slug: str, where: str, start: Any, size: Any
) -> None:
    page = context.new_page()
    page.set_viewport_size(size)
    awake(page, address(where, server, slug))
    assert_bars(page, start, temperature=1.0, moved=2.0, sink=None)
    for temperature in (0.1, 5.0, 2.0):
        slide(page, "temperature", temperature)
        assert_bars(page, start, temperature=temperature, moved=2.0, sink=None)
    for moved in (-4.0, 8.0, 1.0):
        slide(page, "moved", moved)
        assert_bars(page, start, temperature=2.0, moved=moved, sink=None)
    page.locator('.live-figure input[name="sink_on"]').check()
    for sink in (0.0, -4.0, 8.0, 1.5):
        slide(page, "sink", sink)
        assert_bars(page, start, temperature=2.0, moved=1.0, sink=sink)
    page.locator('.live-figure input[name="sink_on"]').uncheck()
    assert_bars(page, start, temperature=2.0, moved=1.0, sink=None)


@ON_BARS
def test_the_bars_obey_the_keyboard(
    context: BrowserContext, server: str, slug: str, start: Any
) -> None:
    page = awake(context.new_page(), address("server", server, slug))
    page.locator('.live-figure input[name="temperature"]').focus()
    page.keyboard.press("Home")
    assert_bars(page, start, temperature=0.1, moved=2.0, sink=None)
    for _ in range(2):
        page.keyboard.press("Tab")
    page.keyboard.press("Space")
    # The slider of the sink, which was off, is reached now.
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.name") == "sink"
    assert_bars(page, start, temperature=0.1, moved=2.0, sink=0.0)


# -- the library ----------------------------------------------------------------------------------


@ON_BARS
def test_a_library_that_does_not_come_leaves_the_picture(
    context: BrowserContext, server: str, slug: str
) -> None:
    page = context.new_page()
    page.route("**/_live/**", lambda route: route.abort())
    page.goto(address("server", server, slug))
    page.locator(".live-figure").scroll_into_view_if_needed()
    expect(page.locator(".live-figure.is-still")).to_be_visible()
    expect(page.locator(".live-figure-static svg")).to_be_visible()


def test_the_library_is_one_classic_script() -> None:
    library = (SITE / "_live" / "vega.js").read_text(encoding="utf-8")
    assert "window.vegaEmbed" in library
    assert not re.search(r"^\s*(import|export)\s", library, re.MULTILINE)
    assert Path(SITE / "_live" / "vega.js").stat().st_size < 1_200_000
