"""Every control of every live figure, driven in a browser, against what course_lib computes.

The numbers come from the chapter itself: its cells are run up to the figure, and the tensors that
the figure was given are compared with the marks that the browser draws.
"""

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from built_site import SITE
from chapter_figures import names_before, page_with
from playwright.sync_api import Browser, BrowserContext, Page, expect
from site_visits import DESK, PHONE
from woken_figures import wake

from course_lib.softmax import softmax, softmax_with_sink

# Marks say their numbers with two or three digits.
TWO, THREE = 0.0051, 0.00051
# From a server on a desk, and from a folder on a phone.
PLACES = pytest.mark.parametrize(("where", "size"), [("server", DESK), ("folder", PHONE)])


ON_HISTOGRAM, ON_BARS = (
    pytest.mark.parametrize("slug", [page_with(figure)])
    for figure in ("score_histogram", "softmax_bars")
)


def address(where: str, server: str, slug: str) -> str:
    return f"{server if where == 'server' else SITE.as_uri() + '/'}{slug}.html"


def awake(page: Page, url: str) -> Page:
    """Bring the figure into sight until it lives: late pictures may push it away again."""
    page.goto(url)
    return wake(page, ".live-figure")


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
    return {name: float(number.replace("−", "-")) for name, number in pairs}


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


# -- the histogram ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def scores() -> dict[int, torch.Tensor]:
    return {D: z.double() for D, z in names_before("score_histogram")["drawn_scores"].items()}


def assert_histogram(page: Page, scores: dict[int, torch.Tensor], D: int, power: float) -> None:
    divided = scores[D] / D**power
    shown = said(page)
    weights = softmax(divided)
    truth = [weights.amax(-1).mean().item(), weights.square().sum(-1).mean().sqrt().item()]
    results = [shown.pop("mean largest weight"), shown.pop("size of the output")]
    assert results == pytest.approx(truth, abs=0.0006)
    ending = re.compile(r".*(?:weight|output) (\d\.\d\d)")
    written = [float(found[1]) for word in marks(page) if (found := ending.fullmatch(word))]
    assert sorted(written) == pytest.approx(sorted(truth), abs=0.0051)
    assert f"D = {D}, scores divided by {float(f'{D**power:.3g}'):g}" in texts(page)
    size, halves = divided.abs(), torch.arange(-8, 7, 0.5)
    bins = {step: (2.0**step, 2.0 ** (step + 0.5)) for step in halves.tolist()}
    bins[-8.0] = (0.0, bins[-8.0][1])  # takes what lies below
    shares = {
        f"half powers of 2 from {step:g}": ((size >= low) & (size < high)).double().mean().item()
        for step, (low, high) in bins.items()
    }
    assert shown == pytest.approx(
        {name: share for name, share in shares.items() if share}, abs=1e-4
    )
    assert sum(shown.values()) == pytest.approx(1, abs=2e-3)  # nothing lies beyond
    heights = page.locator('.live-figure-mount [aria-roledescription="bar"]').evaluate_all(
        "(all) => all.map((bar) => bar.getBBox().height)"
    )
    assert 80 < max(heights) <= 130, "the hill is not to be seen, or leaves its panel"
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
    ticks = axes(page)
    for D, power in ((256, 0.0), (256, 0.5), (4, 0.5), (4, 1.0), (16, 0.3), (256, 1.0)):
        slide(page, "power", math.log2(D))
        slide(page, "exponent", power)
        assert_histogram(page, scores, D, power)
        assert axes(page) == ticks, "a scale moved with a control"


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


KEYS = ("it", "street", "animal", "sink")


# -- the bars --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def start() -> tuple[torch.Tensor, torch.Tensor]:
    names = names_before("softmax_bars")
    return names["it"].double(), names["values"].double()


def assert_bars(
    page: Page, scores: list[float], values: torch.Tensor, *,
    temperature: float, sink: float | None,
) -> None:  # fmt: skip
    divided = torch.tensor(scores).double() / temperature
    weights = softmax(divided)
    if sink is not None:
        weights = softmax_with_sink(divided[None, None], sink)[0, 0]
    of_all = [*weights.tolist(), 1 - weights.sum().item()]
    rows = zip(KEYS, [*divided.tolist(), sink or 0.0], of_all, [*values.tolist(), 0], strict=True)
    expected, numbers = {"output": (weights @ values).item()}, []
    for key, score, weight, value in rows:
        expected |= {f"{key}, score": score, f"{key}, weight": weight}
        expected[f"{key}, weight times value"] = weight * value
        numbers.append((f"{score:.2f}", f"{weight:.2f}", f"× {value:g} = {weight * value:.2f}"))
    assert said(page) == pytest.approx(expected, abs=THREE)
    written = [word.replace("−", "-") for word in marks(page)]
    for n, (score, weight, product) in enumerate(numbers):
        shown = [written[n], written[n + 4], written[n + 8]]
        off = n == 3 and sink is None
        assert shown == (["off"] * 3 if off else [score, weight, f"{weight} {product}"])
    assert written[12:] == [f"{(weights @ values).item():.2f}"]
    assert_words_inside(page)
    assert spoken(page, "temperature") == (f"{temperature:.2f}",) * 2
    for n, score in enumerate(scores):
        assert spoken(page, f"score_{n}") == (f"{score:.1f}".replace("-", "−"),) * 2
    slider = page.locator('.live-figure input[name="sink"]')
    assert slider.is_disabled() == (sink is None)
    if sink is None:
        assert spoken(page, "sink") == ("off", "off")


def assert_moved(before: dict[str, float], after: dict[str, float], still: str = "") -> None:
    """Fail unless every bar answered a control, but those whose names match `still`."""
    stood = {name for name in before if before[name] == after[name]}
    assert stood == {name for name in before if still and re.fullmatch(still, name)}


def axes(page: Page) -> list[tuple[str, str]]:
    """Return the words of all ticks and their places: a domain that moves moves these."""
    ticks = page.locator(".live-figure-mount svg .role-axis-label text")
    where = ticks.evaluate_all("(all) => all.map((one) => one.getAttribute('transform'))")
    return list(zip(ticks.all_text_contents(), where, strict=True))


@PLACES
@ON_BARS
def test_temperature_scores_and_sink_move_every_bar_on_axes_that_stand_still(
    context: BrowserContext, server: str, slug: str, where: str, start: Any, size: Any
) -> None:
    page = context.new_page()
    page.set_viewport_size(size)
    awake(page, address(where, server, slug))
    scores, values = start[0].tolist(), start[1]
    assert_bars(page, scores, values, temperature=1.0, sink=None)
    ticks = axes(page)
    page.locator('.live-figure input[name="sink_on"]').check()
    assert_bars(page, scores, values, temperature=1.0, sink=0.0)
    # A sink's value is 0; so is the score of "it" at the start, whatever divides it.
    zero = "sink, weight times value"
    before = said(page)
    for temperature in (0.25, 4.0, 2.0):
        slide(page, "temperature", temperature)
        assert_bars(page, scores, values, temperature=temperature, sink=0.0)
    assert_moved(before, said(page), f"it, score|sink, score|{zero}")
    for n, key in enumerate(KEYS[:3]):
        for score in (-4.0, 4.0, 0.5 * n - 0.7):
            before = said(page)
            slide(page, f"score_{n}", score)
            scores[n] = score
            assert_bars(page, scores, values, temperature=2.0, sink=0.0)
        assert_moved(before, said(page), f"(?!{key}).*, score|{zero}")
    for sink in (-4.0, 4.0, 1.5):
        before = said(page)
        slide(page, "sink", sink)
        assert_bars(page, scores, values, temperature=2.0, sink=sink)
        assert_moved(before, said(page), f"(?!sink).*, score|{zero}")
    page.locator('.live-figure input[name="sink_on"]').uncheck()
    assert_bars(page, scores, values, temperature=2.0, sink=None)
    assert axes(page) == ticks


@ON_BARS
def test_the_bars_obey_the_keyboard(
    context: BrowserContext, server: str, slug: str, start: Any
) -> None:
    page = awake(context.new_page(), address("server", server, slug))
    scores, values = start[0].tolist(), start[1]
    page.locator('.live-figure input[name="temperature"]').focus()
    page.keyboard.press("Home")
    assert_bars(page, scores, values, temperature=0.25, sink=None)
    for _ in range(4):
        page.keyboard.press("Tab")
    page.keyboard.press("Space")
    # The slider of the sink, which was off, is reached now.
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.name") == "sink"
    assert_bars(page, scores, values, temperature=0.25, sink=0.0)


@PLACES
@ON_BARS
def test_a_figure_has_the_width_of_the_column_and_controls_for_a_finger(
    context: BrowserContext, server: str, slug: str, where: str, size: Any
) -> None:
    page = context.new_page()
    page.set_viewport_size(size)
    awake(page, address(where, server, slug))
    figure, drawing = (
        page.locator(selector).bounding_box()
        for selector in (".live-figure", ".live-figure-mount svg")
    )
    assert figure is not None
    assert drawing is not None
    assert drawing["width"] > 0.9 * min(figure["width"], 760)
    if size == PHONE:
        sliders = page.locator('.live-figure input[type="range"]').all()
        assert min(slider.bounding_box()["height"] for slider in sliders) >= 44


# -- what holds of all of them ---------------------------------------------------------------------

BOTH = pytest.mark.parametrize("slug", [page_with("score_histogram"), page_with("softmax_bars")])
TURNED, SMALL = {"width": 844, "height": 390}, {"width": 320, "height": 568}
LETTERS = """(part) => {
  const drawing = [...document.querySelectorAll(`.live-figure-${part} svg`)]
    .find((one) => one.getClientRects().length);
  const grown = drawing.getBoundingClientRect().width / drawing.viewBox.baseVal.width;
  return Math.min(...[...drawing.querySelectorAll("text")].filter((word) => word.textContent)
    .map((word) => parseFloat(getComputedStyle(word).fontSize) * grown));
}"""
STILL_WIDTHS = """() => [...document.querySelectorAll(".live-figure-static svg")]
  .filter((one) => one.getClientRects().length)
  .map((one) => [one.getBoundingClientRect().width,
                 one.closest(".live-figure").getBoundingClientRect().width])"""


@BOTH
def test_a_drawing_follows_a_phone_that_is_turned_and_keeps_its_controls(
    context: BrowserContext, server: str, slug: str
) -> None:
    page = context.new_page()
    page.set_viewport_size(PHONE)
    awake(page, address("server", server, slug))
    slider = page.locator('.live-figure input[type="range"]').first
    slider.press("Home")
    moved, value = said(page), slider.input_value()
    for size in (TURNED, PHONE, SMALL, DESK):
        page.set_viewport_size(size)
        if size == SMALL:  # printing is over, and the drawing still follows
            page.emulate_media(media="print")
            page.emulate_media(media="screen")
        page.wait_for_function(
            """() => {
              const [figure, drawing] = [".live-figure", ".live-figure-mount svg"]
                .map((one) => document.querySelector(one).getBoundingClientRect().width);
              return drawing > 0.9 * Math.min(figure, 760) && drawing <= figure + 1;
            }""",
            polling=100,
        )
        assert (said(page), slider.input_value()) == (moved, value)
        assert_words_inside(page)
        assert page.evaluate(LETTERS, "mount") >= 11.99, size


@BOTH
def test_paper_gets_the_wide_picture_on_whatever_screen_the_page_was_opened(
    context: BrowserContext, server: str, slug: str
) -> None:
    page = context.new_page()
    page.set_viewport_size(PHONE)
    awake(page, address("server", server, slug))
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 720, "height": 1000})  # as wide as a sheet of A4
    [(drawing, column)] = page.evaluate(STILL_WIDTHS)
    assert drawing > 0.9 * column
    assert page.evaluate(LETTERS, "static") >= 11.99


@BOTH
@pytest.mark.parametrize("size", [DESK, PHONE, SMALL])
def test_without_a_script_a_picture_for_this_width_stands(
    browser: Browser, slug: str, size: Any
) -> None:
    context = browser.new_context(viewport=size, java_script_enabled=False)
    page = context.new_page()
    page.goto(address("folder", "", slug))
    sheet = "wide" if size is DESK else "narrow"
    [(drawing, column)] = page.evaluate(STILL_WIDTHS)
    assert 0.9 * column < drawing <= column + 1
    assert page.evaluate(LETTERS, "static") >= 11.99
    assert not page.evaluate(CUT_OFF.replace("mount svg", f"static svg.live-figure-{sheet}"))
    context.close()


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
    # There is one for each width, and one of them is shown.
    expect(page.locator(".live-figure-static svg >> visible=true")).to_have_count(1)


def test_the_library_is_one_classic_script() -> None:
    library = (SITE / "_live" / "vega.js").read_text(encoding="utf-8")
    assert "window.vegaEmbed" in library
    assert not re.search(r"^\s*(import|export)\s", library, re.MULTILINE)
    assert Path(SITE / "_live" / "vega.js").stat().st_size < 1_200_000
