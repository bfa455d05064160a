"""The heads of a layer at one token, switched in a browser, against what course_lib computes."""

import re
from collections.abc import Iterator

import pytest
import torch
from built_site import ROOT, SITE, load
from playwright.sync_api import Browser, Page, expect
from site_visits import DESK, PHONE

from course_lib.attention.heads import merge_heads
from course_lib.trained.layer import load_trained_layer

# How a drawing is woken and read is written beside the first figures of this kind.
MARKS = load(ROOT / "tests" / "site" / "test_mechanism_figures.py")
UNREADABLE, awake, drawn = MARKS.UNREADABLE, MARKS.awake, MARKS.drawn
frame_of, numbers, shown = MARKS.frame_of, MARKS.numbers, MARKS.shown

CHAPTER = f"{SITE.as_uri()}/multi-head-attention.html"
HEADS = ".mechanism[data-kind='head-contributions']"
LAYER = load_trained_layer()
TOKENS, IT = LAYER.tokens, LAYER.tokens.index("it")
EVERY = tuple(range(12))


@pytest.fixture(params=[DESK, PHONE], ids=["desk", "phone"])
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    context = browser.new_context(viewport=request.param, has_touch=request.param is PHONE)
    yield awake(context.new_page(), CHAPTER, HEADS)
    context.close()


def written(t: int, heads: tuple[int, ...], *, bias: bool = True) -> torch.Tensor:
    """Return what some heads of the layer write at a token: the others found nothing."""
    found = LAYER.outputs.double().clone()
    found[[h for h in EVERY if h not in heads]] = 0
    return (merge_heads(found) @ LAYER.w_o.double())[t] + (LAYER.b_o.double() if bias else 0)


def demand(page: Page, t: int, on: tuple[int, ...]) -> None:
    """Compare every mark with what the layer writes when these heads are on."""
    whole = written(t, EVERY)
    parts = [written(t, (h,), bias=False) for h in EVERY] + [LAYER.b_o.double()]
    lengths = [part.norm().item() for part in parts]
    shares = [(part @ whole / whole.norm() ** 2).item() for part in parts]
    live = [n == 12 or n in on for n in range(13)]
    near, frame = {"abs": 0.0051}, frame_of(page, HEADS)
    tops = [row.argmax().item() for row in LAYER.weights[:, t]]
    reads = [f"{TOKENS[s]} {LAYER.weights[h, t, s]:.2f}" for h, s in enumerate(tops)]
    assert shown(page, "reads", HEADS) == reads
    for part, truth in (("length", lengths), ("share", shares)):
        texts = shown(page, part, HEADS)
        assert [text != "off" for text in texts] == live
        told = numbers([text for text in texts if text != "off"])
        wanted = [value for value, is_on in zip(truth, live, strict=True) if is_on]
        assert told == pytest.approx(wanted, **near)
        long = [abs(v) * frame[part] * on for v, on in zip(truth, live, strict=True)]
        assert drawn(page, f"{part}-bar", "width", HEADS) == pytest.approx(long, abs=0.1)
    shares_on = zip(shares, live, strict=True)
    starts = [frame["zero"] + min(s, 0) * frame["share"] * a for s, a in shares_on]
    assert drawn(page, "share-bar", "x", HEADS) == pytest.approx(starts, abs=0.1)
    now = written(t, on)
    for part, value in (("sum", now), ("missing", whole - now)):
        assert numbers(shown(page, part, HEADS)) == pytest.approx([value.norm().item()], **near)
        long = [value.norm().item() * frame["length"]]
        assert drawn(page, f"{part}-bar", "width", HEADS) == pytest.approx(long, abs=0.1)
    begin = drawn(page, "sum-bar", "x", HEADS)[0]
    end = [begin + whole.norm().item() * frame["length"]]
    for edge in ("x1", "x2"):
        assert drawn(page, "full", edge, HEADS) == pytest.approx(end, abs=0.1)
    boxes = page.locator(f"{HEADS} svg:visible [data-part='box']").evaluate_all(
        "(all) => all.map((box) => box.style.fill)"
    )
    assert [fill == "var(--output)" for fill in boxes] == live[:12]
    checked = page.locator(f"{HEADS} input[type=checkbox]").evaluate_all(
        "(all) => all.map((box) => box.checked)"
    )
    assert checked == live[:12]


def test_every_token_and_every_head_moves_every_mark(page: Page) -> None:
    demand(page, IT, EVERY)
    frame = frame_of(page, HEADS)
    for t in range(len(TOKENS)):
        page.locator(f"{HEADS} select").select_option(str(t))
        demand(page, t, EVERY)
        assert frame_of(page, HEADS) == frame
    page.locator(f"{HEADS} select").select_option(str(IT))
    boxes = page.locator(f"{HEADS} input[type=checkbox]")
    assert boxes.count() == 12
    for h in EVERY:
        boxes.nth(h).uncheck()
        demand(page, IT, tuple(one for one in EVERY if one != h))
        boxes.nth(h).check()
    for h in EVERY:  # until the bias alone is left
        boxes.nth(h).uncheck()
    demand(page, IT, ())
    page.locator(f"{HEADS} select").select_option("4")
    demand(page, 4, ())  # a choice of heads outlives that of the token


def test_what_the_chapter_says_of_three_heads_is_what_the_figure_says(page: Page) -> None:
    boxes = page.locator(f"{HEADS} input[type=checkbox]")
    boxes.nth(3).uncheck()
    said = page.locator(f"{HEADS} .mechanism-said").text_content() or ""
    assert "Without head 3 its length is 6.49, and what is missing is 1.32 long." in said
    assert page.locator(f"{HEADS} svg:visible").get_attribute("aria-label") == said
    boxes.nth(7).uncheck()
    said = page.locator(f"{HEADS} .mechanism-said").text_content() or ""
    assert "Without heads 3, 7 " in said
    demand(page, IT, tuple(h for h in EVERY if h not in (3, 7)))


def test_a_head_is_switched_by_a_click_a_tap_and_the_keyboard(page: Page) -> None:
    touch = page.viewport_size == PHONE
    marks = page.locator(f"{HEADS} svg:visible [data-part='box']")
    names = page.locator(f"{HEADS} svg:visible [data-part='name']")
    for one, h in ((marks, 7), (names, 2)):
        (one.nth(h).tap if touch else one.nth(h).click)(force=True)
        box = marks.nth(h).bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 24, "smaller than a finger"
    demand(page, IT, tuple(h for h in EVERY if h not in (2, 7)))
    page.locator(f"{HEADS} input[type=checkbox]").nth(7).focus()
    page.keyboard.press("Space")
    demand(page, IT, tuple(h for h in EVERY if h != 2))


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the address of a page that holds the figure and nothing else."""
    chapter = (SITE / "multi-head-attention.html").read_text(encoding="utf-8")
    (figure,) = re.findall(r'<div class="mechanism" .*?</script></div>', chapter, re.DOTALL)
    root, target = SITE.as_uri(), tmp_path_factory.mktemp("alone") / "alone.html"
    target.write_text(
        f'<!doctype html><html data-content_root="{root}/"><meta charset="utf-8">'
        f'<link rel="stylesheet" href="{root}/_static/live-figure.css">'
        f'<script src="{root}/_static/live-figure.js"></script>'
        f"<style>body {{margin: 16px; font: 16px system-ui, sans-serif}}</style>"
        f"<body>{figure}</body></html>",
        encoding="utf-8",
    )
    return target.as_uri()


@pytest.mark.parametrize("width", [320, 358, 390, 600, 719, 720, 1280])
def test_words_stay_inside_apart_and_large_enough(browser: Browser, alone: str, width: int) -> None:
    page = awake(browser.new_page(viewport={"width": width, "height": 900}), alone, HEADS)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for t in range(len(TOKENS)):
        page.locator(f"{HEADS} select").select_option(str(t))
        assert page.evaluate(UNREADABLE) == []
    for h in EVERY:
        page.locator(f"{HEADS} input[type=checkbox]").nth(h).uncheck()
    assert page.evaluate(UNREADABLE) == []
    page.close()


def test_it_stands_still_without_a_script_and_in_print_as_it_was_left(browser: Browser) -> None:
    context = browser.new_context(viewport=PHONE, java_script_enabled=False)
    still = context.new_page()
    still.goto(CHAPTER)
    lengths = [written(IT, (h,), bias=False).norm().item() for h in EVERY]
    told = numbers(shown(still, "length", HEADS))
    assert told[:12] == pytest.approx(lengths, abs=0.0051)
    context.close()
    page = awake(browser.new_page(viewport=PHONE), CHAPTER, HEADS)
    page.locator(f"{HEADS} input[type=checkbox]").nth(1).uncheck()
    page.emulate_media(media="print")
    expect(page.locator(f"{HEADS} .mechanism-wide")).to_be_visible()
    demand(page, IT, tuple(h for h in EVERY if h != 1))
    page.close()
