"""The two live figures of a soft lookup, every control driven, every mark against course_lib."""

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

from course_lib.lookup import kernel_regression, soft_lookup
from course_lib.plotting.lookup_curve import HALVING

THREE = 0.00051
FIGURES = ("lookup-curve", "kernel-curve")
# Where the queries of the curve begin and end, and the values of its axis.
LOOKUP_ENDS, LOOKUP_TOP = (-1.0, 5.0), 69.0
KERNEL_ENDS = (0.0, 6.0)

READ = """(figure) => {
  const mount = document.querySelector(`[data-figure="${figure}"] .live-figure-mount`);
  const svg = mount.querySelector("svg"), frame = svg.getBoundingClientRect();
  const words = [...svg.querySelectorAll("text")]
    .filter((one) => one.textContent && getComputedStyle(one).opacity !== "0")
    .map((one) => [one.textContent, one.getBoundingClientRect()]);
  const line = svg.querySelector(".mark-line path");
  return {
    labels: [...svg.querySelectorAll(".role-mark [aria-label]")]
      .map((one) => one.getAttribute("aria-label")),
    texts: [...svg.querySelectorAll(".role-mark text")].map((one) => one.textContent),
    ticks: [...svg.querySelectorAll(".role-axis-label text")]
      .map((one) => one.textContent + one.getAttribute("transform")),
    path: line.getAttribute("d"),
    panel: line.ownerSVGElement.querySelector(".mark-group.role-scope .background")
      .getAttribute("d"),
    rules: [...svg.querySelectorAll(".mark-rule line")].map((one) => one.outerHTML),
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
    opened.goto(f"{SITE.as_uri()}/soft-lookup.html")
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


def read(page: Page, figure: str) -> dict[str, Any]:
    """Return what the drawing says, and fail where a word is cut off or covers another."""
    seen: dict[str, Any] = page.evaluate(READ, figure)
    assert seen["cut"] == [] == seen["covered"]
    pairs = [text.rsplit(": ", 1) for text in seen["labels"] if re.search(r": [−-]?[\d.]+$", text)]
    # A line and a rule have words of the axes, which say where they begin.
    words = ("query, key", "x", "place x", "name")
    marks = [(name, number) for name, number in pairs if not name.startswith(words)]
    seen["said"] = {name: float(number.replace("−", "-")) for name, number in marks}
    return seen


def curve(seen: dict[str, Any], ends: tuple[float, float], reach: tuple[float, float]) -> Any:
    """Turn the path of the curve back into queries and answers."""
    points = [float(one) for one in re.findall(r"-?[\d.]+(?:e-?\d+)?", seen["path"])]
    x, y = torch.tensor(points).double().view(-1, 2).T
    wide, high = (float(one) for one in re.findall(r"[hv]([\d.]+)", seen["panel"])[:2])
    return ends[0] + x / wide * (ends[1] - ends[0]), reach[1] - y / high * (reach[1] - reach[0])


@pytest.fixture(scope="module")
def stored() -> tuple[torch.Tensor, torch.Tensor]:
    keys, values = names_before("lookup_curve")["stored"]
    return torch.tensor(keys).double(), torch.tensor(values).double()


@pytest.fixture(scope="module")
def measured() -> tuple[torch.Tensor, torch.Tensor]:
    names = names_before("kernel_curve")
    # The page holds three digits of each measurement.
    x, y = (names[name].double().mul(1000).round().div(1000) for name in ("x", "y"))
    return x, y


def demand_lookup(page: Page, stored: Any, power: float, query: float) -> dict[str, Any]:
    keys, values = stored
    heat = HALVING * 2**power
    seen = read(page, FIGURES[0])
    asked = torch.tensor([[query]]).double()
    answer = soft_lookup(asked, keys[:, None], values[:, None], heat).item()
    weights = torch.softmax(-((query - keys) ** 2) / heat, -1).tolist()
    expected = {"answer": answer}
    for key, value, weight in zip(keys.tolist(), values.tolist(), weights, strict=True):
        expected |= {f"key {key:g}, value": value, f"key {key:g}, weight": weight}
    assert seen["said"] == pytest.approx(expected, abs=THREE)
    rows = zip(weights, values.tolist(), strict=True)
    products = [f"{w:.2f} × {v:g} = {w * v:.2f}" for w, v in rows]
    assert seen["texts"] == [*products, f"{answer:.2f}"]
    places, drawn = curve(seen, LOOKUP_ENDS, (0.0, LOOKUP_TOP))
    assert len(places) == 241
    true = soft_lookup(places[:, None], keys[:, None], values[:, None], heat)[:, 0]
    # The path has three digits: a step of the staircase may be met on either side.
    steep = true.diff().abs().max() > 10
    assert (drawn - true).abs().median() < 0.05
    assert steep or (drawn - true).abs().max() < 0.2
    return seen


def test_temperature_and_query_move_what_depends_on_them(page: Page, stored: Any) -> None:
    figure = FIGURES[0]
    awake(page, figure)
    first = demand_lookup(page, stored, 0, 2.0)
    for power, heard in ((-7, "0.0113"), (10, "1480"), (1.5, "4.08"), (-2, "0.361")):
        assert slide(page, figure, "power", power) == heard
        seen = demand_lookup(page, stored, power, 2.0)
        assert seen["ticks"] == first["ticks"]
        assert seen["path"] != first["path"]
        assert seen["rules"] == first["rules"]  # the query stands
    still = seen["path"]
    for query in (-1.0, 0.25, 3.5, 5.0):
        assert slide(page, figure, "query", query) == f"{query:.2f}".replace("-", "−")
        seen = demand_lookup(page, stored, -2, query)
        assert seen["ticks"] == first["ticks"]
        assert seen["path"] == still  # a query changes nothing for the others
        assert seen["rules"] != first["rules"]


def demand_kernel(page: Page, measured: Any, power: float, query: float) -> dict[str, Any]:
    x, y = measured
    width = 2**power
    seen = read(page, FIGURES[1])
    said = seen["said"]
    asked = torch.tensor([query]).double()
    assert said["estimate"] == pytest.approx(
        kernel_regression(asked, x, y, width).item(), abs=THREE
    )
    near = (x - query).square()
    kernel = torch.exp((near.min() - near) / (2 * width**2))
    shown = [number for name, number in said.items() if name.startswith("kernel at")]
    assert shown == pytest.approx(kernel.tolist(), abs=THREE)
    weights = kernel / kernel.sum()
    counted = 1 / weights.square().sum().item()
    kept = (kernel_regression(x, x, y, width) - y).square().mean().sqrt().item()
    others = [torch.arange(len(x)) != s for s in range(len(x))]
    guess = torch.cat([kernel_regression(x[~o], x[o], y[o], width) for o in others])
    left_out = (guess - y).square().mean().sqrt().item()
    assert said["error where it was measured"] == pytest.approx(kept, abs=THREE)
    assert said["error where one is left out"] == pytest.approx(left_out, abs=THREE)
    assert said["count at the query"] == pytest.approx(counted, abs=THREE)
    assert seen["texts"] == [
        f"error where it was measured {said['error where it was measured']:.2f}",
        f"error where one is left out {said['error where one is left out']:.2f}",
        f"count at the query {said['count at the query']:.1f} of {len(x)}",
    ] or all(  # a third digit of 5 is rounded either way
        abs(float(re.findall(r"[\d.]+", text)[0]) - number) < 0.0511
        for text, number in zip(seen["texts"], (kept, left_out, counted), strict=True)
    )
    heights = [number for name, number in said.items() if name.startswith("measured at")]
    assert heights == pytest.approx(y.tolist(), abs=THREE)
    return seen


def test_width_and_query_move_what_depends_on_them(page: Page, measured: Any) -> None:
    figure = FIGURES[1]
    awake(page, figure)
    first = demand_kernel(page, measured, -1, 2.0)
    places, drawn = curve(first, KERNEL_ENDS, (-1.5, 1.5))
    true = kernel_regression(places, *measured, 0.5)
    assert len(places) == 121
    assert (drawn - true).abs().max() < 0.01
    for power, heard in ((-5, "0.0313"), (4, "16"), (-2.5, "0.177")):
        assert slide(page, figure, "power", power) == heard
        seen = demand_kernel(page, measured, power, 2.0)
        assert seen["ticks"] == first["ticks"]
        assert seen["path"] != first["path"]
        assert seen["rules"] == first["rules"]
    still = seen
    for query in (0.0, 4.4, 6.0):
        assert slide(page, figure, "query", query) == f"{query:.1f}"
        seen = demand_kernel(page, measured, -2.5, query)
        assert seen["ticks"] == first["ticks"]
        assert seen["path"] == still["path"]
        same = "error where it was measured", "error where one is left out"
        assert [seen["said"][name] for name in same] == [still["said"][name] for name in same]
        assert seen["rules"] != still["rules"]


def test_the_keyboard_moves_the_sliders(browser: Browser, stored: Any) -> None:
    page = browser.new_page(viewport=DESK)
    page.goto(f"{SITE.as_uri()}/soft-lookup.html")
    awake(page, FIGURES[0])
    page.locator(f'[data-figure="{FIGURES[0]}"] input[name="power"]').focus()
    page.keyboard.press("ArrowRight")
    demand_lookup(page, stored, 0.5, 2.0)
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    demand_lookup(page, stored, 0.5, 2.25)
    page.close()
