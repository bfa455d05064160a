"""The gradients through time, driven in a browser, against what course_lib computes.

The recurrent networks come from the chapter itself: its cells are run up to the figure, and their
gradients are taken here by PyTorch's own differentiation.
"""

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from built_site import SITE
from chapter_figures import names_before, page_with
from playwright.sync_api import Browser, BrowserContext, Page
from site_visits import DESK, PHONE
from woken_figures import wake

FIGURE = '.live-figure[data-figure="gradient-norms"]'
PLACES = pytest.mark.parametrize(("where", "size"), [("server", DESK), ("folder", PHONE)])
SQUASHINGS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "none": lambda a: a,
    "tanh": torch.tanh,
    "ReLU": torch.relu,
}
#: Marks say three digits; the data are stored with four.
THREE = 0.006


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context(viewport=DESK, color_scheme="light")
    yield made
    made.close()


@pytest.fixture(scope="module")
def chapter() -> dict[str, Any]:
    return names_before("gradient_norms")


def awake(page: Page, where: str, server: str) -> Page:
    page.goto(
        f"{server if where == 'server' else SITE.as_uri() + '/'}{page_with('gradient_norms')}.html"
    )
    return wake(page, FIGURE)


def norms(chapter: dict[str, Any], matrix: str, squash: str, sigma: float) -> list[float]:
    """Return the norm for each distance, by automatic differentiation of the whole run."""
    w, inputs = sigma * chapter["kinds"][matrix], chapter["inputs"]
    f, h = SQUASHINGS[squash], torch.zeros(len(w)).double()
    states = [h]
    for x in inputs:
        states.append(f(x + states[-1] @ w))

    def last(h: torch.Tensor, start: int) -> torch.Tensor:
        for x in inputs[start:]:
            h = f(x + h @ w)
        return h

    found = []
    for start in range(len(inputs), -1, -1):
        jacobian = torch.autograd.functional.jacobian(
            lambda h, start=start: last(h, start), states[start]
        )
        found.append(torch.linalg.matrix_norm(jacobian, 2).item())
    return found


def said(page: Page, kind: str) -> dict[str, float]:
    shown = page.locator(f'{FIGURE} .live-figure-mount [aria-roledescription="{kind}"]')
    labels = shown.evaluate_all("(all) => all.map((one) => one.getAttribute('aria-label'))")
    pairs = [label.rsplit(": ", 1) for label in labels]
    return {name: float(number.replace("−", "-")) for name, number in pairs}


def places(page: Page) -> list[list[float]]:
    """Return where the middle of each dot lies, from left to right."""
    dots = page.locator(f'{FIGURE} .live-figure-mount [aria-roledescription="point"]')
    return dots.evaluate_all(
        """(all) => all.map((one) => one.getBoundingClientRect())
          .map((box) => [(box.left + box.right) / 2, (box.top + box.bottom) / 2])
          .sort((one, other) => one[0] - other[0])"""
    )


def fall_of_the_bound(page: Page) -> float:
    """Return by how many pixels of the drawing the dashed line falls from its first point on."""
    dashes = page.locator(f"{FIGURE} .live-figure-mount svg path[stroke-dasharray='6,4']")
    drawn = dashes.evaluate_all("(all) => all.map((one) => one.getAttribute('d'))")
    (line,) = [path for path in drawn if path]
    heights = [float(point.split(",")[1]) for point in line.lstrip("M").split("L")]
    # A line that is straight on this axis: its middle lies where its ends say.
    steps = torch.linspace(heights[0], heights[-1], len(heights)).double()
    assert (torch.tensor(heights).double() - steps).abs().max() < 0.5
    return heights[-1] - heights[0]


def axes(page: Page) -> list[tuple[str, str]]:
    ticks = page.locator(f"{FIGURE} .live-figure-mount svg .role-axis-label text")
    where = ticks.evaluate_all("(all) => all.map((one) => one.getAttribute('transform'))")
    return list(zip(ticks.all_text_contents(), where, strict=True))


def choose(page: Page, name: str, option: str) -> None:
    page.locator(f'{FIGURE} select[name="{name}"]').select_option(label=option)


def slide(page: Page, name: str, value: float) -> None:
    page.locator(f'{FIGURE} input[name="{name}"]').fill(f"{value:g}")


def assert_shown(
    page: Page, chapter: dict[str, Any], matrix: str, squash: str, sigma: float, length: int
) -> None:
    truth = norms(chapter, matrix, squash, sigma)
    dots = {f"norm, {k} steps back": truth[k] for k in range(length + 1)}
    assert said(page, "point") == pytest.approx(dots, rel=THREE)
    bars = {
        f"norm, {length} steps back": truth[length],
        f"bound, {length} steps back": sigma**length,
    }
    assert said(page, "bar") == pytest.approx(bars, rel=THREE)
    # One power of ten is as high everywhere: the dots lie where their numbers are.
    heights = [y for _, y in places(page)]
    logs = torch.tensor([truth[k] for k in range(length + 1)]).double().log10()
    fall = logs[0] - logs
    if fall.abs().max() > 0.5:
        drop = torch.tensor(heights).double() - heights[0]
        per_decade = drop[-1] / fall[-1]
        assert per_decade > 4
        assert (drop - per_decade * fall).abs().max() < 1.5
    # Twenty powers of ten, from 1e-16 to 1e4, are 190 pixels high.
    expected = -length * math.log10(sigma) * 190 / 20
    assert fall_of_the_bound(page) == pytest.approx(expected, abs=0.5)
    spoken = {
        name: page.locator(f'{FIGURE} input[name="{name}"]').get_attribute("aria-valuetext")
        for name in ("sigma", "length")
    }
    assert spoken == {"sigma": f"{sigma:.1f}", "length": f"{length}"}


@PLACES
def test_every_control_moves_every_mark_on_axes_that_stand_still(
    context: BrowserContext, server: str, chapter: dict[str, Any], where: str, size: Any
) -> None:
    page = context.new_page()
    page.set_viewport_size(size)
    awake(page, where, server)
    assert_shown(page, chapter, "rotation", "none", 0.9, 20)
    ticks = axes(page)
    for matrix, squash in itertools.product(("rotation", "random"), SQUASHINGS):
        choose(page, "matrix", matrix)
        choose(page, "squash", squash)
        for sigma, length in ((0.5, 20), (1.5, 20), (1.2, 7)):
            slide(page, "sigma", sigma)
            slide(page, "length", length)
            assert_shown(page, chapter, matrix, squash, sigma, length)
            assert axes(page) == ticks, "a scale moved with a control"


@PLACES
def test_each_control_moves_what_depends_on_it(
    context: BrowserContext, server: str, where: str, size: Any
) -> None:
    page = context.new_page()
    page.set_viewport_size(size)
    awake(page, where, server)
    slide(page, "sigma", 1.1)
    before = said(page, "bar")
    choose(page, "squash", "tanh")
    squashed = said(page, "bar")
    assert squashed["norm, 20 steps back"] < before["norm, 20 steps back"]
    assert squashed["bound, 20 steps back"] == before["bound, 20 steps back"]
    choose(page, "matrix", "random")
    assert said(page, "bar")["norm, 20 steps back"] < squashed["norm, 20 steps back"]
    assert len(places(page)) == 21
    slide(page, "length", 5)
    assert len(places(page)) == 6
    assert set(said(page, "bar")) == {"norm, 5 steps back", "bound, 5 steps back"}


def test_the_figure_obeys_the_keyboard(
    context: BrowserContext, server: str, chapter: dict[str, Any]
) -> None:
    page = awake(context.new_page(), "server", server)
    page.locator(f'{FIGURE} select[name="matrix"]').focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Tab")
    page.keyboard.press("Home")
    assert_shown(page, chapter, "random", "tanh", 1.0, 1)


@PLACES
def test_words_stay_inside_and_do_not_cover_each_other(
    context: BrowserContext, server: str, where: str, size: Any
) -> None:
    page = context.new_page()
    page.set_viewport_size(size)
    awake(page, where, server)
    for sigma, squash in ((0.5, "ReLU"), (1.5, "none")):
        choose(page, "squash", squash)
        slide(page, "sigma", sigma)
        cut_off, covered = page.evaluate(
            """(figure) => {
              const svg = document.querySelector(`${figure} .live-figure-mount svg`);
              const frame = svg.getBoundingClientRect();
              const words = [...svg.querySelectorAll("text")].filter((one) => one.textContent)
                .filter((one) => getComputedStyle(one).opacity !== "0")
                .map((one) => [one.textContent, one.getBoundingClientRect()]);
              const out = words.filter(([, box]) => frame.left - box.left > 0.5
                || box.right - frame.right > 0.5 || box.bottom - frame.bottom > 0.5);
              const pairs = words.flatMap((one, n) => words.slice(n + 1).map((two) => [one, two]));
              const over = pairs.filter(([[, a], [, b]]) =>
                Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1.5 &&
                Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 4.5);
              return [out.map(([text]) => text), over.map(([[a], [b]]) => [a, b])];
            }""",
            FIGURE,
        )
        assert cut_off == []
        assert covered == []
