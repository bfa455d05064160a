"""The heads whose sharing the reader chooses, against what course_lib counts and computes."""

import math
import re
from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal
from functools import cache

import pytest
import torch
from built_site import SITE
from playwright.sync_api import Browser, Page
from site_visits import DESK, PHONE
from woken_figures import wake

from course_lib.attention.grouped import grouped_query_attention
from course_lib.attention.latent import latent_attention_absorbed
from course_lib.attention.latent_parameters import LatentParameters
from course_lib.cache.growing import KVCache
from course_lib.cache.latent import LatentCache
from course_lib.plotting.shared_heads import (
    BLOCK,
    FAINT,
    GROUPS,
    HEAD_DIM,
    HEADS,
    LATENT,
    LATENT_DIM,
    LAYERS,
    MIB,
    NAMES,
    ROPE_DIM,
)

CHAPTER = f"{SITE.as_uri()}/kv-cache-and-gqa.html"
FIGURE = ".mechanism[data-kind='shared-heads']"
MARKS = """(all) => all.map((one) => ({
  text: one.textContent, x: Number(one.getAttribute("x")), x2: Number(one.getAttribute("x2")),
  cx: Number(one.getAttribute("cx")), wide: Number(one.getAttribute("width")),
  seen: one.getAttribute("visibility") !== "hidden",
  strength: Number(one.getAttribute("opacity") ?? 1),
  s: Number(one.dataset.s), left: Number(one.dataset.left), right: Number(one.dataset.right)}))"""


@pytest.fixture(params=[DESK, PHONE], ids=["desk", "phone"])
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    context = browser.new_context(viewport=request.param, has_touch=request.param is PHONE)
    yield awake(context.new_page())
    context.close()


def awake(page: Page) -> Page:
    page.goto(CHAPTER)
    return wake(page, FIGURE)


def marks(page: Page, part: str) -> list[dict[str, float | str]]:
    found: list[dict[str, float | str]] = page.locator(
        f"{FIGURE} svg:visible [data-part='{part}']"
    ).evaluate_all(MARKS)
    return found


def numbers_kept(groups: int) -> int:
    """Let a cache keep one token of one layer, and count its numbers."""
    if groups == LATENT:
        latent = LatentCache(capacity=1)
        latent.extend(torch.zeros(1, 1, LATENT_DIM), torch.zeros(1, 1, ROPE_DIM))
        return latent.nbytes // 4
    kept = KVCache(capacity=1)
    one = torch.zeros(1, groups, 1, HEAD_DIM)
    kept.extend(one, one)
    return kept.nbytes // 4


def fixed(number: float, digits: int) -> str:
    """Write a number as a browser does: exact halves go up."""
    return str(Decimal(number).quantize(Decimal(10) ** -digits, ROUND_HALF_UP))


@cache
def sharers(groups: int, head: int) -> set[int]:
    """Change what one query head reads, and see which heads' outputs move."""
    generator = torch.Generator().manual_seed(groups)

    def drawn(*size: int) -> torch.Tensor:
        return torch.randn(*size, generator=generator)

    query = drawn(1, HEADS, 1, 4)
    if groups == LATENT:
        latent, rotary = drawn(1, 5, 6), drawn(1, 5, 2)
        matrices = LatentParameters(
            w_dkv=drawn(3, 6), g_kv=torch.ones(6), w_kr=drawn(3, 2),
            w_uk=drawn(6, HEADS * 4), w_uv=drawn(6, HEADS * 4),
        )  # fmt: skip
        turned = drawn(1, HEADS, 1, 2)
        before = latent_attention_absorbed(query, turned, latent, rotary, matrices)
        latent[:, 0] += 1
        after = latent_attention_absorbed(query, turned, latent, rotary, matrices)
        return set((after - before).abs().amax((0, 2, 3)).nonzero().flatten().tolist())
    key, value = drawn(1, groups, 5, 4), drawn(1, groups, 5, 4)
    before = grouped_query_attention(query, key, value)
    for g in range(groups):
        changed = value.clone()
        changed[:, g] += 1
        after = grouped_query_attention(query, key, changed)
        moved = set((after - before).abs().amax((0, 2, 3)).nonzero().flatten().tolist())
        if head in moved:
            return moved
    raise AssertionError("each head reads something")


def demand(page: Page, groups: int, head: int, power: int) -> None:
    """Compare every mark and every word with what course_lib counts and computes."""
    width = page.locator(f"{FIGURE} svg:visible").evaluate("(one) => one.viewBox.baseVal.width")
    pitch, shared, kept = width / HEADS, sharers(groups, head), numbers_kept(groups)
    for part in ("head", "wire"):
        there = marks(page, part)
        assert len(there) == HEADS
        for one in there:
            assert one["strength"] == (1 if one["s"] in shared else FAINT)
    ends = [float(one["x2"]) for one in marks(page, "wire")]
    for h in range(HEADS):
        together = sharers(groups, h)
        middle = (sum(together) / len(together) + 0.5) * pitch
        assert ends[h] == pytest.approx(middle, abs=0.01)
    blocks = marks(page, "block") + marks(page, "latent")
    seen = [one for one in blocks if one["seen"]]
    assert len(seen) * BLOCK == kept
    if groups != LATENT:
        for one in seen:
            assert float(one["x"]) + float(one["wide"]) / 2 == pytest.approx(
                ends[int(one["s"]) * HEADS // groups], abs=0.02
            )
            below = int(one["s"]) * HEADS // groups in shared
            assert one["strength"] == (1 if below else FAINT)
    (chosen,) = marks(page, "chosen")
    assert chosen["cx"] == pytest.approx((head + 0.5) * pitch)
    labels = ["latent vector", "rotary key"] if groups == LATENT else ["keys", "values"]
    assert [one["text"] for one in marks(page, "label")] == labels
    assert [one["text"] for one in marks(page, "sum")] == [f"{kept:,} numbers per token and layer"]
    size = kept * LAYERS * 2 * 2**power
    (dot,) = marks(page, "size")
    share = (math.log2(size / 2**20) - MIB[0]) / (MIB[1] - MIB[0])
    left, right = float(dot["left"]), float(dot["right"])
    assert dot["cx"] == pytest.approx(left + share * (right - left), abs=0.01)
    (told,) = marks(page, "told")
    assert told["text"] == f"{LAYERS} layers, {2**power:,} tokens: {fixed(size / 2**30, 2)} GiB"
    said = page.locator(f"{FIGURE} .mechanism-said").text_content() or ""
    assert said.startswith(f"Head {head} ")
    sentence = said.split(". ")[0]
    named = {int(one) for one in re.findall(r"\d+", sentence.removeprefix(f"Head {head}"))}
    others = shared - {head}
    assert named == (set() if len(others) == HEADS - 1 else others)
    assert ("all others" in sentence) == (len(others) == HEADS - 1)
    assert ("of its own" in sentence) == (not others)
    percent = fixed(100 * kept / 4096, 1)
    assert f"{fixed(size / 2**30, 2)} GiB, {percent} % of multi-head" in said
    assert page.locator(f"{FIGURE} svg:visible").get_attribute("aria-label") == said


def choose(page: Page, name: str) -> None:
    radio = page.locator(FIGURE).get_by_role("radio", name=name, exact=True)
    (radio.tap if page.viewport_size == PHONE else radio.check)()


def slide(page: Page, n: int, value: int) -> None:
    page.locator(f"{FIGURE} input[type=range]").nth(n).fill(str(value))


def test_every_choice_every_head_and_every_length_move_every_mark(page: Page) -> None:
    demand(page, 16, 5, 13)
    heads = iter(range(HEADS))
    for n, (groups, name) in enumerate(zip(GROUPS, NAMES, strict=True)):
        choose(page, name)
        for power in (10 + n, 17 - n, 10 + (3 * n) % 8):
            head = next(heads, 15)
            slide(page, 0, head)
            slide(page, 1, power)
            demand(page, groups, head, power)


def test_tokens_move_nothing_but_the_size(page: Page) -> None:
    parts = ("head", "wire", "block", "latent", "label", "sum", "chosen")
    before = [marks(page, part) for part in parts]
    slide(page, 1, 17)
    assert [marks(page, part) for part in parts] == before
    demand(page, 16, 5, 17)


def test_the_keyboard_does_all_of_it(browser: Browser) -> None:
    page = awake(browser.new_page(viewport=DESK))
    page.get_by_role("radio", name=NAMES[0], exact=True).focus()
    page.keyboard.press("ArrowDown")
    demand(page, 8, 5, 13)
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    demand(page, 8, 6, 13)
    page.keyboard.press("Tab")
    page.keyboard.press("End")
    demand(page, 8, 6, 17)
    page.close()


def test_it_stands_without_a_script_and_is_printed_as_it_was_left(browser: Browser) -> None:
    context = browser.new_context(viewport=PHONE, java_script_enabled=False)
    page = context.new_page()
    page.goto(CHAPTER)
    assert page.locator(f"{FIGURE} svg:visible").count() == 1
    assert page.locator(f"{FIGURE} input").count() == 0
    assert len([one for one in marks(page, "block") if one["seen"]]) * BLOCK == numbers_kept(16)
    assert not [one for one in marks(page, "latent") if one["seen"]]
    context.close()
    page = awake(browser.new_page(viewport=PHONE))
    page.get_by_role("radio", name="4 heads", exact=True).check()
    slide(page, 0, 9)
    page.emulate_media(media="print")
    assert page.locator(f"{FIGURE} .mechanism-wide").is_visible()
    demand(page, 4, 9, 13)
    page.close()


@pytest.mark.parametrize("width", [320, 390, 720, 1280])
def test_words_stay_inside_and_nothing_is_wider_than_the_screen(
    browser: Browser, width: int
) -> None:
    page = awake(browser.new_page(viewport={"width": width, "height": 900}))
    for name in NAMES:
        choose(page, name)
        slide(page, 1, 17)
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
