"""The live figures on training, every control moved, every mark against course_lib."""

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

from course_lib.entropy import entropy
from course_lib.generation.logits import temperature_logits, top_k_logits, top_p_logits
from course_lib.plotting.compute_budget import GAPS, LARGE, LAWS, SMALL, TOP
from course_lib.plotting.next_token import ALL, SHOWN, readable
from course_lib.trained.next_tokens import load_next_tokens, shakespeare_tokens

CHAPTER = f"{SITE.as_uri()}/training.html"
NEXT, BUDGET = "next-token", "compute-budget"
READ = """(figure) => {
  const svg = document.querySelector(`[data-figure="${figure}"] .live-figure-mount svg`);
  const frame = svg.getBoundingClientRect();
  const words = [...svg.querySelectorAll("text")]
    .filter((one) => one.textContent && getComputedStyle(one).opacity !== "0")
    .map((one) => [one.textContent, one.getBoundingClientRect()]);
  const line = svg.querySelector(".mark-line path");
  return {
    labels: [...svg.querySelectorAll(".role-mark [aria-label]")]
      .map((one) => one.getAttribute("aria-label")),
    texts: [...svg.querySelectorAll(".role-mark text")]
      .map((one) => [one.textContent, one.getBoundingClientRect()])
      .sort(([_, a], [__, b]) => Math.abs(a.bottom - b.bottom) > 8 ? a.bottom - b.bottom
        : a.left - b.left).map(([text]) => text),
    ticks: [...svg.querySelectorAll(".role-axis-label text")]
      .map((one) => one.textContent + one.getAttribute("transform")),
    path: line && line.getAttribute("d"),
    panel: line && line.ownerSVGElement.querySelector(".mark-group.role-scope .background")
      .getAttribute("d"),
    cut: words.filter(([_, box]) => Math.max(frame.left - box.left, box.right - frame.right,
      frame.top - box.top, box.bottom - frame.bottom) > 0.5).map(([text]) => text),
    covered: words.flatMap(([one, a], n) => words.slice(n + 1).filter(([_, b]) =>
      Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1.5 &&
      Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 4.5).map(([other]) => [one, other])),
  };
}"""


@pytest.fixture(params=[DESK, PHONE], ids=["desk", "phone"])
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    context = browser.new_context(viewport=request.param)
    opened = context.new_page()
    opened.goto(CHAPTER)
    yield opened
    context.close()


def awake(page: Page, figure: str) -> None:
    wake(page, f'[data-figure="{figure}"]')


def slide(page: Page, figure: str, name: str, value: float) -> str:
    """Move a slider; return its value as it is heard, which is as it is seen."""
    slider = page.locator(f'[data-figure="{figure}"] input[name="{name}"]')
    slider.fill(f"{value:g}")
    heard = slider.get_attribute("aria-valuetext") or ""
    assert slider.locator("xpath=..").locator("span:visible").last.inner_text() == heard
    return heard


def choose(page: Page, figure: str, name: str, option: str) -> None:
    page.locator(f'[data-figure="{figure}"] select[name="{name}"]').select_option(label=option)


def read(page: Page, figure: str) -> dict[str, Any]:
    """Return what the drawing says, and fail where a word is cut off or covers another."""
    seen: dict[str, Any] = page.evaluate(READ, figure)
    assert seen["cut"] == [] == seen["covered"]
    return seen


# What is drawn next, after a line.


@pytest.fixture(scope="module")
def lines() -> dict[str, Tensor]:
    # The page holds three digits of each logit.
    return {
        "… " + " ".join(line.split()[-2:]): logits.double().mul(1000).round().div(1000)
        for line, logits in load_next_tokens().items()
    }


def demand_next(seen: dict[str, Any], logits: Tensor, heat: float, k: int, p: float) -> None:
    """Compare every bar, every tick and every word with what course_lib computes."""
    hot = temperature_logits(logits, heat)
    left = hot if k == ALL else top_k_logits(hot, k)
    left = left if p == 1 else top_p_logits(left, p)
    before, weights = hot.softmax(-1), left.softmax(-1)
    is_left = left > -torch.inf
    order = hot.argsort(descending=True, stable=True)[:SHOWN].tolist()
    tokens = [readable(token) for token in shakespeare_tokens()]
    names = [tokens[i] for i in order]
    expected = {("weight", tokens[i]): weights[i].item() for i in order}
    expected |= {("before the cut", tokens[i]): before[i].item() for i in order}
    told = {}
    for label in seen["labels"]:
        if found := re.fullmatch(r"(.*), (weight|before the cut): (\d\.\d{3})", label, re.DOTALL):
            told[found[2], found[1]] = float(found[3])
    assert told == pytest.approx(expected, abs=0.00051)
    labels = [f"{weights[i]:.2f}" if is_left[i] else "cut" for i in order]
    count = is_left.sum().item()
    share = before[is_left].sum().item()
    hesitates = math.exp(entropy(weights).item())
    words = seen["texts"]
    rows = zip(names, labels, strict=True)
    assert words[: 2 * SHOWN] == [word for row in rows for word in row]  # from top to bottom
    assert words[2 * SHOWN] == f"left: {count} of 856 tokens"
    numbers = [float(one.rsplit(" ", 1)[1]) for one in words[2 * SHOWN + 1 :]]
    assert numbers == pytest.approx([share, hesitates], abs=0.051)
    said = dict(one.rsplit(": ", 1) for one in seen["labels"] if ", " not in one and ": " in one)
    assert float(said["tokens left"]) == count
    assert float(said["share before the cut"]) == pytest.approx(share, abs=0.00051)
    assert float(said["hesitates among"]) == pytest.approx(hesitates, abs=0.0051)


def test_temperature_k_and_p_move_what_depends_on_them(
    page: Page, lines: dict[str, Tensor]
) -> None:
    awake(page, NEXT)
    line = next(iter(lines))
    first = read(page, NEXT)
    demand_next(first, lines[line], 1, ALL, 1)
    for heat, k, p in ((0.1, ALL, 1), (2, ALL, 0.5), (1.3, 5, 1), (0.7, 8, 0.6), (1, 1, 0.05)):
        assert slide(page, NEXT, "temperature", heat) == f"{heat:.2f}"
        assert slide(page, NEXT, "top_k", k) == ("all" if k == ALL else f"{k}")
        assert slide(page, NEXT, "top_p", p) == f"{p:.2f}"
        seen = read(page, NEXT)
        demand_next(seen, lines[line], heat, k, p)
        assert seen["ticks"] == first["ticks"]
        assert seen["texts"][: 2 * SHOWN : 2] == first["texts"][: 2 * SHOWN : 2]  # no order changes
    for other in lines:
        choose(page, NEXT, "line", other)
        slide(page, NEXT, "top_p", 0.9)
        slide(page, NEXT, "top_k", ALL)
        demand_next(read(page, NEXT), lines[other], 1, ALL, 0.9)


def test_the_answers_of_the_page_are_what_the_figure_shows(
    page: Page, lines: dict[str, Tensor]
) -> None:
    awake(page, NEXT)

    def left() -> int:
        word = next(one for one in read(page, NEXT)["texts"] if one.startswith("left"))
        return int(word.split()[1])

    slide(page, NEXT, "top_p", 0.5)
    assert left() == 15
    slide(page, NEXT, "temperature", 2)
    assert left() == 62  # p follows the doubt
    slide(page, NEXT, "top_p", 1)
    slide(page, NEXT, "top_k", 5)
    assert left() == 5
    slide(page, NEXT, "temperature", 0.5)
    assert left() == 5  # k does not
    slide(page, NEXT, "top_k", ALL)
    slide(page, NEXT, "temperature", 0.1)
    assert read(page, NEXT)["texts"][1] == "0.59"
    choose(page, NEXT, "line", next(line for line in lines if line.endswith("country")))
    assert read(page, NEXT)["texts"][1] == "1.00"


# A budget, spent on models of all sizes.


def as_number(text: str) -> float:
    """Return a number that is written with a prefix, "1.82G"."""
    prefixes = {"k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
    return float(text.rstrip("".join(prefixes))) * prefixes.get(text[-1], 1)


def demand_budget(seen: dict[str, Any], name: str, power: float) -> dict[str, float]:
    """Compare the curve, the dot and the three numbers with the law."""
    law, flops = LAWS[name], 10**power
    size = law.best(flops)
    tokens = flops / 6 / size
    labels = [one.rsplit(": ", 1) for one in seen["labels"] if ": " in one]
    said = {key: as_number(number) for key, number in labels if re.match(r"[\d.]+\w?$", number)}
    assert said["lowest loss"] == pytest.approx(law.loss(size, tokens), abs=0.00051)
    assert said["parameters"] == pytest.approx(size, rel=0.0051)
    assert said["tokens"] == pytest.approx(tokens, rel=0.0051)
    assert said["tokens per parameter"] == pytest.approx(tokens / size, abs=0.051)
    words = {key: as_number(n) for key, n in (one.rsplit(": ", 1) for one in seen["texts"])}
    assert words.items() <= said.items()
    assert len(words) == 3
    wide, high = (float(one) for one in re.findall(r"[hv]([\d.]+)", seen["panel"])[:2])
    numbers = [float(one) for one in re.findall(r"-?[\d.]+(?:e-?\d+)?", seen["path"])]
    x, y = torch.tensor(numbers).double().view(-1, 2).T
    drawn = TOP - y / high * (TOP - 1.6)
    sizes = [10 ** (SMALL + one / wide * (LARGE - SMALL)) for one in x.tolist()]
    true = [law.loss(one, flops / 6 / one) for one in sizes]
    assert drawn.tolist() == pytest.approx(true, abs=0.02)
    grid = [10 ** (SMALL + n * (LARGE - SMALL) / GAPS) for n in range(GAPS + 1)]
    assert len(x) == sum(law.loss(one, flops / 6 / one) <= TOP for one in grid)
    return said


def test_budget_and_fit_move_the_curve_and_its_lowest_point(page: Page) -> None:
    awake(page, BUDGET)
    names = list(LAWS)
    first = read(page, BUDGET)
    demand_budget(first, names[0], 21)
    found = {}
    for name in names:
        choose(page, BUDGET, "fit", name)
        for power in (19, 21, 23.75, 26):
            assert slide(page, BUDGET, "power", power) == f"10^{power:.2f}"
            seen = read(page, BUDGET)
            found[name, power] = demand_budget(seen, name, power)
            assert seen["ticks"] == first["ticks"]
    ratios = [[found[name, p]["tokens per parameter"] for p in (19, 23.75)] for name in names]
    assert ratios[0][0] < ratios[0][1]
    assert ratios[1][0] < ratios[1][1]
    assert ratios[2][0] > ratios[2][1]  # the fit of 2024 turns the advice round
    for name in names:
        lowest = [found[name, power]["lowest loss"] for power in (19, 21, 23.75, 26)]
        assert lowest == sorted(lowest, reverse=True)


@pytest.mark.parametrize("figure", [NEXT, BUDGET])
def test_the_keyboard_moves_it_and_it_stands_without_a_script(
    browser: Browser, figure: str
) -> None:
    page = browser.new_page(viewport=DESK)
    page.goto(CHAPTER)
    awake(page, figure)
    before = read(page, figure)["labels"]
    page.locator(f'[data-figure="{figure}"] input[type=range]').first.focus()
    page.keyboard.press("End")
    page.wait_for_function(
        "([figure, before]) => { const now = [...document.querySelectorAll("
        "`[data-figure='${figure}'] .role-mark [aria-label]`)]"
        ".map((one) => one.getAttribute('aria-label')); return String(now) !== String(before); }",
        arg=[figure, before],
    )
    page.close()
    context = browser.new_context(viewport=PHONE, java_script_enabled=False)
    page = context.new_page()
    page.goto(CHAPTER)
    still = page.locator(f'[data-figure="{figure}"] .live-figure-static svg:visible')
    assert still.count() == 1
    assert page.locator(f'[data-figure="{figure}"] input').count() == 0
    context.close()
