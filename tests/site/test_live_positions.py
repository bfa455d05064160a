"""The live figures on positions, every control moved, every mark against course_lib."""

import math
import re
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from built_site import SITE
from playwright.sync_api import Browser, Page
from site_visits import DESK, PHONE
from torch import Tensor
from woken_figures import wake

from course_lib.plotting.rotated_pairs import SIGNS, pair_products
from course_lib.plotting.stretched_rotations import WAYS
from course_lib.positions.rope import rope_inv_freq
from course_lib.positions.rope_scaling import (
    interpolated_inv_freq,
    llama3_inv_freq,
    ntk_inv_freq,
    yarn_inv_freq,
)

CHAPTER = f"{SITE.as_uri()}/positions.html"
PAIRS = ".mechanism[data-kind='rotated-pairs']"
THETA = rope_inv_freq(8, 100.0)
READ = """(figure) => {
  const svg = document.querySelector(`${figure} .live-figure-mount svg`);
  const frame = svg.getBoundingClientRect();
  const words = [...svg.querySelectorAll("text")]
    .filter((one) => one.textContent && getComputedStyle(one).opacity !== "0")
    .map((one) => [one.textContent, one.getBoundingClientRect()]);
  return {
    labels: [...svg.querySelectorAll(".role-mark [aria-label]")]
      .map((one) => one.getAttribute("aria-label")),
    texts: [...svg.querySelectorAll(".role-mark text")].map((one) => one.textContent),
    ticks: [...svg.querySelectorAll(".role-axis-label text")]
      .map((one) => one.textContent + one.getAttribute("transform")),
    dots: [...svg.querySelectorAll(".mark-symbol.role-mark path")]
      .map((one) => [one.getAttribute("transform"), one.getAttribute("fill")]),
    cut: words.filter(([_, box]) => Math.max(frame.left - box.left, box.right - frame.right,
      frame.top - box.top, box.bottom - frame.bottom) > 0.5).map(([text]) => text),
  };
}"""


@pytest.fixture(params=[DESK, PHONE], ids=["desk", "phone"])
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    context = browser.new_context(viewport=request.param, has_touch=request.param is PHONE)
    opened = context.new_page()
    opened.goto(CHAPTER)
    yield opened
    context.close()


def awake(page: Page, figure: str) -> None:
    """Bring a figure into sight until it lives: pictures that come late may push it away."""
    wake(page, figure)


def numbers(labels: list[str]) -> dict[str, float]:
    pairs = [label.rsplit(": ", 1) for label in labels if re.search(r": [−-]?[\d.,]+$", label)]
    return {name: float(number.replace("−", "-").replace(",", "")) for name, number in pairs}


# A query and a key as hands of clocks.


def hands(page: Page, name: str) -> Tensor:
    """Return where the tips of the hands point, as points of the circle of radius 1."""
    drawing = page.locator(f"{PAIRS} svg:visible")
    radius = float(drawing.locator("> g").get_attribute("data-radius") or 0)
    lines = drawing.locator(f"[data-part='{name}-hand']").evaluate_all(
        """(all) => all.map((one) => ["x1", "y1", "x2", "y2"].map((at) => +one.getAttribute(at)))"""
    )
    tips = torch.tensor(lines, dtype=torch.float64)
    return torch.stack([tips[:, 2] - tips[:, 0], tips[:, 1] - tips[:, 3]], 1) / radius


def demand_pairs(page: Page, query: int, key: int, sign: str) -> None:
    """Compare hands, products, score, bar and words with what course_lib computes."""
    ways = SIGNS[sign]
    for name, at, way in (("query", query, ways[0]), ("key", key, ways[1])):
        turned = way * at * THETA
        expected = torch.stack([turned.cos(), turned.sin()], 1)
        torch.testing.assert_close(hands(page, name), expected, atol=1e-3, rtol=0)
    products = pair_products(THETA, query, key, ways)
    drawing = page.locator(f"{PAIRS} svg:visible")
    shown = drawing.locator("[data-part='product']").all_text_contents()
    told = [float(one.replace("−", "-")) for one in shown]
    assert told == pytest.approx(products.tolist(), abs=0.00501)
    score = products.sum().item()
    words = drawing.locator("[data-part='score']").text_content() or ""
    assert float(words.replace("−", "-")) == pytest.approx(score, abs=0.00501)
    frame = drawing.locator("> g")
    middle, half = (float(frame.get_attribute(f"data-{one}") or 0) for one in ("middle", "half"))
    bar = drawing.locator("[data-part='score-bar']")
    left, wide = (float(bar.get_attribute(one) or 0) for one in ("x", "width"))
    long = score / 4 * half
    assert left == pytest.approx(middle + min(long, 0), abs=0.01)
    assert wide == pytest.approx(abs(long), abs=0.01)
    said = page.locator(f"{PAIRS} .mechanism-said").text_content() or ""
    apart = f"{query - key}".replace("-", "−")
    assert said.startswith(f"Query at position {query}, key at {key}, distance {apart}. ")
    assert said.endswith(f"to the score, {words}.")
    assert drawing.get_attribute("aria-label") == said


def move(page: Page, name: str, place: int) -> None:
    slider = page.locator(f"{PAIRS} input[data-name='{name}']")
    slider.fill(str(place))
    assert slider.locator("xpath=..").locator(".mechanism-value").text_content() == str(place)


def test_positions_turn_hands_and_a_shift_of_both_moves_no_number(page: Page) -> None:
    awake(page, PAIRS)
    demand_pairs(page, 7, 2, "both +θ")
    for query, key in ((0, 0), (24, 0), (0, 24), (13, 12), (9, 3)):
        move(page, "query", query)
        move(page, "key", key)
        demand_pairs(page, query, key, "both +θ")
    for sign in ("both −θ", "query +θ, key −θ", "both +θ"):
        page.get_by_role("radio", name=sign, exact=True).check()
        products = page.locator(f"{PAIRS} svg:visible [data-part='product']")
        before = None
        for later in (48, 11, 0):
            move(page, "later", later)
            demand_pairs(page, 9 + later, 3 + later, sign)
            now = products.all_text_contents()
            assert before is None or (now == before) == (sign != "query +θ, key −θ")
            before = now


def test_the_pairs_are_moved_by_the_keyboard_and_stand_without_a_script(browser: Browser) -> None:
    page = browser.new_page(viewport=DESK)
    page.goto(CHAPTER)
    awake(page, PAIRS)
    page.locator(f"{PAIRS} input[data-name='query']").focus()
    page.keyboard.press("End")
    demand_pairs(page, 24, 2, "both +θ")
    page.keyboard.press("Tab")
    page.keyboard.press("Home")
    demand_pairs(page, 24, 0, "both +θ")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    demand_pairs(page, 25, 1, "both +θ")
    page.emulate_media(media="print")
    assert page.locator(f"{PAIRS} .mechanism-wide").is_visible()
    page.close()
    context = browser.new_context(viewport=PHONE, java_script_enabled=False)
    still = context.new_page()
    still.goto(CHAPTER)
    assert still.locator(f"{PAIRS} svg:visible").count() == 1
    assert still.locator(f"{PAIRS} input").count() == 0
    turned = 7 * THETA
    expected = torch.stack([turned.cos(), turned.sin()], 1)
    torch.testing.assert_close(hands(still, "query"), expected, atol=1e-3, rtol=0)
    context.close()


@pytest.mark.parametrize("width", [320, 390, 720, 1280])
def test_words_stay_inside_and_nothing_is_wider_than_the_screen(
    browser: Browser, width: int
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.goto(CHAPTER)
    awake(page, PAIRS)
    page.get_by_role("radio", name="query +θ, key −θ", exact=True).check()
    outside = page.locator(f"{PAIRS} svg:visible").evaluate(
        """(drawing) => {
          const frame = drawing.getBoundingClientRect();
          const grown = frame.width / drawing.viewBox.baseVal.width;
          return [...drawing.querySelectorAll("text")].filter((word) => {
            const box = word.getBoundingClientRect();
            return box.left < frame.left - 0.5 || box.right > frame.right + 0.5 ||
              parseFloat(getComputedStyle(word).fontSize) * grown < 11.99;
          }).map((word) => word.textContent);
        }"""
    )
    assert outside == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


# The two charts.


def slide(page: Page, figure: str, name: str, value: float) -> str:
    """Move a slider; return its value as it is heard, which is as it is seen."""
    slider = page.locator(f'{figure} input[name="{name}"]')
    slider.fill(f"{value:g}")
    heard = slider.get_attribute("aria-valuetext") or ""
    assert slider.locator("xpath=..").locator("span:visible").last.inner_text() == heard
    return heard


def read(page: Page, figure: str) -> dict[str, Any]:
    seen: dict[str, Any] = page.evaluate(READ, figure)
    assert seen["cut"] == []
    seen["said"] = numbers(seen["labels"])
    return seen


def heights(seen: dict[str, Any]) -> list[float]:
    """Return how far down each dot stands, from the first pair to the last."""
    places = [[float(one) for one in re.findall(r"-?[\d.]+", dot)[:2]] for dot, _ in seen["dots"]]
    return [y for _, y in sorted(places)]


def demand_waves(page: Page, power: float, length: int) -> dict[str, Any]:
    seen = read(page, WAVES)
    waves = 2 * math.pi / rope_inv_freq(64, 10**power)
    context = 2**length
    for i, wave in enumerate(waves.tolist()):
        assert seen["said"][f"wavelength of pair {i}"] == pytest.approx(wave, rel=6e-4)
    assert seen["said"]["context"] == context
    whole = int((waves <= context).sum())
    assert seen["said"]["pairs that turn fully"] == whole
    turns = context / waves[-1].item()
    assert seen["said"]["turns of the slowest pair"] == pytest.approx(turns, rel=6e-4)
    assert f"pairs that turn fully: {whole} of 32" in seen["texts"]
    colors = [fill for _, fill in seen["dots"]]
    assert len(colors) == 32
    assert len(set(colors)) == (2 if 0 < whole < 32 else 1)
    # The axis is logarithmic and stands still: heights fall as the logarithms grow.
    downs, logs = torch.tensor(heights(seen)).double(), waves.log()
    slope = (downs[-1] - downs[0]) / (logs[-1] - logs[0])
    assert (downs - downs[0] - slope * (logs - logs[0])).abs().max() < 0.05
    return seen


WAVES = '.live-figure[data-figure="wavelengths"]'


def test_base_and_context_move_the_wavelengths(page: Page) -> None:
    awake(page, WAVES)
    first = demand_waves(page, 4, 12)
    for power, heard in ((2, "100"), (7, "10,000,000"), (5.25, "178,000"), (4, "10,000")):
        assert slide(page, WAVES, "power", power) == heard
        seen = demand_waves(page, power, 12)
        assert seen["ticks"] == first["ticks"]
        assert heights(seen)[0] == heights(first)[0]  # the first pair never moves
        assert (heights(seen)[1:] == heights(first)[1:]) == (power == 4)
    for length, heard in ((7, "128"), (17, "131,072"), (12, "4,096")):
        assert slide(page, WAVES, "length", length) == heard
        seen = demand_waves(page, 4, length)
        assert heights(seen) == heights(first)
    assert slide(page, WAVES, "power", 6) == "1,000,000"
    assert demand_waves(page, 6, 12)["said"]["pairs that turn fully"] == 16  # the page's answer


STRETCHED = '.live-figure[data-figure="stretched-rotations"]'
BASE, CONTEXT = 150_000.0, 4096


def slower(way: str, factor: float, alpha: int, beta: int) -> Tensor:
    """Return how many times slower each pair turns, by course_lib."""
    plain = rope_inv_freq(64, BASE)
    if way == "interpolation":
        return plain / interpolated_inv_freq(plain, factor)
    if way == "NTK":
        return plain / ntk_inv_freq(64, BASE, factor)
    if way == "Llama 3":
        return plain / llama3_inv_freq(plain, factor, float(alpha), float(beta), CONTEXT)
    return plain / yarn_inv_freq(64, BASE, CONTEXT, factor, float(alpha), float(beta))[0]


def demand_stretched(page: Page, way: str, power: int, alpha: int, beta: int) -> dict[str, Any]:
    seen = read(page, STRETCHED)
    factor = float(2**power)
    expected = slower(way, factor, alpha, beta)
    for i, times in enumerate(expected.tolist()):
        assert seen["said"][f"pair {i}, times slower"] == pytest.approx(times, rel=6e-4)
    has_ramp = way in ("Llama 3", "YaRN")
    for name, turns in (("ramp begins", beta), ("ramp ends", alpha)):
        end = 32 * math.log(CONTEXT / (2 * math.pi * turns)) / math.log(BASE)
        assert (name in seen["said"]) == has_ramp
        assert not has_ramp or seen["said"][name] == pytest.approx(end, abs=6e-5)
    kept, fully = int((expected < 1.0001).sum()), int((expected > 0.9999 * factor).sum())
    assert f"kept as they are: {kept} of 32" in seen["texts"]
    assert f"slowed down fully: {fully} of 32" in seen["texts"]
    sharper = yarn_inv_freq(64, BASE, CONTEXT, factor, 1.0, 32.0)[1] ** 2 if way == "YaRN" else 1
    assert f"scores times {sharper:.3f}" in seen["texts"]
    assert seen["said"]["scores times"] == pytest.approx(sharper, abs=6e-5)
    downs, logs = torch.tensor(heights(seen)).double(), expected.log2()
    assert (downs - downs.max() + (200 / 6) * (logs - logs.min())).abs().max() < 0.1
    for name in ("alpha", "beta"):
        slider = page.locator(f'{STRETCHED} input[name="{name}"]')
        assert slider.is_enabled() == has_ramp
    return seen


def test_way_factor_and_ramp_move_what_depends_on_them(page: Page) -> None:
    awake(page, STRETCHED)
    first = demand_stretched(page, "YaRN", 5, 1, 32)
    assert first["said"]["ramp begins"] == 8.0928
    assert first["said"]["ramp ends"] == 17.3980
    for way in WAYS:
        page.locator(f'{STRETCHED} select[name="way"]').select_option(label=way)
        for power, heard in ((6, "64"), (1, "2"), (5, "32")):
            assert slide(page, STRETCHED, "power", power) == heard
            seen = demand_stretched(page, way, power, 1, 32)
            assert seen["ticks"] == first["ticks"]
    for alpha, beta in ((8, 9), (1, 64), (1, 9), (4, 20)):
        assert slide(page, STRETCHED, "alpha", alpha) == str(alpha)
        assert slide(page, STRETCHED, "beta", beta) == str(beta)
        demand_stretched(page, "YaRN", 5, alpha, beta)
    page.locator(f'{STRETCHED} select[name="way"]').select_option(label="Llama 3")
    demand_stretched(page, "Llama 3", 5, 4, 20)


def test_a_chart_stands_without_a_script(browser: Browser) -> None:
    context = browser.new_context(viewport=PHONE, java_script_enabled=False)
    page = context.new_page()
    page.goto(CHAPTER)
    for figure in (WAVES, STRETCHED):
        assert page.locator(f"{figure} .live-figure-static svg:visible").count() == 1
    context.close()
