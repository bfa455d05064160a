"""Every figure of a mechanism, moved in a browser, against what course_lib computes.

Where a figure stands in a chapter alone, its numbers come from the chapter's own cells.
"""

import hashlib
import re
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from built_site import ROOT, SITE
from chapter_figures import names_before
from playwright.sync_api import Browser, Page, expect
from site_visits import DESK, PHONE
from woken_figures import wake

from course_lib.attention.dot_product import scaled_dot_product_attention
from course_lib.plotting import colors
from course_lib.plotting.attention_steps import steps_by_hand

CHAPTER, INDEX = (f"{SITE.as_uri()}/{slug}.html" for slug in ("queries-keys-values", "index"))
EXAMPLE = steps_by_hand().data
KEY, VALUE = (torch.tensor(EXAMPLE[name], dtype=torch.float64) for name in ("key", "value"))


@pytest.fixture(params=[DESK, PHONE], ids=["desk", "phone"])
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    context = browser.new_context(viewport=request.param, has_touch=request.param is PHONE)
    yield context.new_page()
    context.close()


STEPS, EXPLORER = (f".mechanism[data-kind='attention-{kind}']" for kind in ("steps", "explorer"))


def awake(page: Page, url: str = CHAPTER, figure: str = STEPS) -> Page:
    """Bring a figure into sight until it lives: pictures that come late may push it away again."""
    page.goto(url)
    return wake(page, figure)


def shown(page: Page, part: str, figure: str = STEPS) -> list[str]:
    """Return the words of one part in the drawing that is in sight."""
    marks = page.locator(f"{figure} svg:visible [data-part='{part}']")
    return list(marks.evaluate_all("(all) => all.map((mark) => mark.textContent)"))


def numbers(texts: list[str]) -> list[float]:
    found = [re.findall(r"-?[\d.]+", text.replace("−", "-")) for text in texts]
    return [float(one) for row in found for one in row]


def demand(page: Page, query: list[float]) -> None:
    """Compare every mark with what course_lib computes for a query."""
    asked = torch.tensor([query], dtype=torch.float64)
    output, weights = scaled_dot_product_attention(asked, KEY, VALUE)
    assert numbers(shown(page, "query")) == query
    products = torch.tensor(query, dtype=torch.float64) * KEY
    assert numbers(shown(page, "product")) == products.flatten().tolist()
    assert numbers(shown(page, "score")) == products.sum(1).tolist()
    near = {"abs": 0.0051}
    assert numbers(shown(page, "scaled")) == pytest.approx((products.sum(1) / 2).tolist(), **near)
    shares, mean = weights[0].tolist(), output[0].tolist()
    for part in ("weight", "share"):
        assert numbers(shown(page, part)) == pytest.approx(shares, **near)
    for part in ("mean", "mean-beside"):
        assert numbers(shown(page, part)) == pytest.approx(mean, **near)
    frame = frame_of(page)
    assert drawn(page, "bar", "width") == pytest.approx(
        [share * frame["full"] for share in shares], abs=0.1
    )
    x = frame["left"] + mean[0] * frame["across"]
    y = frame["bottom"] - mean[1] * frame["up"]
    assert drawn(page, "mean-dot", "cx") == pytest.approx([x], abs=0.1)
    assert drawn(page, "mean-dot", "cy") == pytest.approx([y], abs=0.1)
    assert drawn(page, "pull", "x2") == pytest.approx([x] * len(shares), abs=0.1)
    thick = [1 + 9 * share for share in shares]
    assert drawn(page, "pull", "stroke-width") == pytest.approx(thick, abs=0.01)


def frame_of(page: Page, figure: str = STEPS) -> dict[str, float]:
    """Return what the drawing in sight tells its script: where it begins, how far it reaches."""
    told: dict[str, str] = page.locator(f"{figure} svg:visible > g").evaluate("g => g.dataset")
    return {name: float(value) for name, value in told.items()}


def drawn(page: Page, part: str, attribute: str, figure: str = STEPS) -> list[float]:
    marks = page.locator(f"{figure} svg:visible [data-part='{part}']")
    script = "(all, name) => all.map((mark) => Number(mark.getAttribute(name) ?? NaN))"
    return list(marks.evaluate_all(script, attribute))


def test_every_word_and_every_question_moves_every_mark(page: Page) -> None:
    awake(page)
    demand(page, EXAMPLE["query"][EXAMPLE["start"]])
    for t, token in enumerate(EXAMPLE["tokens"]):
        radio = page.get_by_role("radio", name=token, exact=True)
        (radio.tap if page.viewport_size == PHONE else radio.check)()
        assert shown(page, "asks") == [token]
        demand(page, EXAMPLE["query"][t])
    sliders = page.locator(f"{STEPS} input[type=range]")
    assert sliders.count() == 2  # nobody answers "plural" or "verb": those would move nothing
    sliders.nth(0).fill("2")
    sliders.nth(1).fill("-2")
    demand(page, [2, -2, 0, 0])
    assert shown(page, "asks") == ["it *"]  # no question of its own any more
    said = page.locator(f"{STEPS} .mechanism-said").text_content() or ""
    assert "street 0.58" in said
    label = page.locator(f"{STEPS} svg:visible").get_attribute("aria-label") or ""
    assert said in label
    for token in ("street", "it"):  # what was asked anew is forgotten
        page.get_by_role("radio", name=token, exact=True).check()
    demand(page, EXAMPLE["query"][2])


def test_the_keyboard_does_all_of_it(browser: Browser) -> None:
    page = awake(browser.new_page(viewport=DESK))
    page.get_by_role("radio", name="it", exact=True).focus()
    page.keyboard.press("ArrowUp")
    assert shown(page, "asks") == ["street"]
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    demand(page, [0.5, 0, 0, 0])
    page.keyboard.press("Tab")
    page.keyboard.press("End")
    demand(page, [0.5, 3, 0, 0])
    assert page.evaluate("document.activeElement.getAttribute('aria-valuetext')") == "3"
    page.close()


def test_the_index_shows_the_figure_that_the_chapter_makes_of_its_own_tensors(page: Page) -> None:
    for slug in ("index", "queries-keys-values"):
        assert steps_by_hand().html() in (SITE / f"{slug}.html").read_text(encoding="utf-8")
    awake(page, INDEX)
    page.locator(f"{STEPS} input[type=range]").nth(0).fill("-3")
    demand(page, [-3, 2, 0, 0])
    assert shown(page, "asks") == ["it *"]


def test_it_stands_still_without_a_script_and_in_print(browser: Browser) -> None:
    context = browser.new_context(viewport=PHONE, java_script_enabled=False, color_scheme="dark")
    page = context.new_page()
    page.goto(CHAPTER)
    assert page.locator(f"{STEPS} svg:visible").count() == 1
    assert page.locator(f"{STEPS} input").count() == 0
    demand(page, EXAMPLE["query"][EXAMPLE["start"]])
    context.close()
    page = awake(browser.new_page(viewport=PHONE, color_scheme="dark"))
    page.locator(f"{STEPS} input[type=range]").nth(1).fill("-2")
    page.emulate_media(media="print")
    assert page.locator(f"{STEPS} .mechanism-wide").is_visible()
    assert page.locator(f"{STEPS} .mechanism-controls").is_hidden()
    demand(page, [2, -2, 0, 0])  # as it was left
    assert color(page, "key") == colors.KEY
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_its_colours_are_those_of_the_book(browser: Browser, scheme: Any) -> None:
    page = browser.new_page(viewport=DESK, color_scheme=scheme)
    awake(page)
    for name in ("query", "key", "value", "output", "muted", "ink"):
        wanted = getattr(colors, name.upper())
        assert color(page, name) == (wanted if scheme == "light" else colors.DARK[wanted])
    assert color(page, "on-part") == (colors.ON_PART if scheme == "light" else colors.DARK_PAGE)
    page.close()


def color(page: Page, name: str) -> str:
    script = "(f, name) => getComputedStyle(f).getPropertyValue('--' + name).trim()"
    return str(page.locator(STEPS).evaluate(script, name))


# -- the sentence ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sentence() -> dict[str, Any]:
    """Return what the chapter gave the figure: the tokens, and query, key and value of each."""
    names = names_before("attention_explorer")
    return {"tokens": list(names["head"].tokens)} | {
        part: names[part].double() for part in ("query", "key", "value")
    }


def demand_row(page: Page, sentence: dict[str, Any], t: int) -> None:
    """Compare every mark with what course_lib computes for the query of token t."""
    query, key, value = (sentence[part] for part in ("query", "key", "value"))
    output, weights = scaled_dot_product_attention(query, key, value)
    expect(page.locator(f"{EXPLORER} select")).to_have_value(str(t))
    assert shown(page, "name", EXPLORER) == sentence["tokens"]
    scores = query[t] @ key.T / key.shape[1] ** 0.5
    parts, length = weights[t] * value.norm(dim=-1), output[t].norm()
    for part, truth, digits in (
        ("score", scores, 1),
        ("weight", weights[t], 2),
        ("part", parts, 2),
    ):
        off = {"abs": 0.51 * 10**-digits}
        assert numbers(shown(page, part, EXPLORER)) == pytest.approx(truth.tolist(), **off)
    assert numbers(shown(page, "length", EXPLORER)) == pytest.approx([length.item()], abs=0.0051)
    frame, near = frame_of(page, EXPLORER), {"abs": 0.05}
    for part, truth in (("score", scores.abs()), ("weight", weights[t]), ("part", parts)):
        long = (truth * frame[part]).tolist()
        assert drawn(page, f"{part}-bar", "width", EXPLORER) == pytest.approx(long, **near)
    from_zero = (frame["zero"] + (scores * frame["score"]).clamp(max=0)).tolist()
    assert drawn(page, "score-bar", "x", EXPLORER) == pytest.approx(from_zero, **near)
    long = [length.item() * frame["part"]]
    assert drawn(page, "length-bar", "width", EXPLORER) == pytest.approx(long, **near)
    boxes = page.locator(f"{EXPLORER} svg:visible [data-part='box']").evaluate_all(
        "(all) => all.map((box) => box.style.fill)"
    )
    assert [n for n, fill in enumerate(boxes) if fill == "var(--query)"] == [t]


def test_every_token_can_ask_and_every_mark_follows_on_axes_that_stand_still(
    page: Page, alone: str, sentence: dict[str, Any]
) -> None:
    awake(page, alone, EXPLORER)
    demand_row(page, sentence, sentence["tokens"].index("it"))
    frame, before = frame_of(page, EXPLORER), shown(page, "score", EXPLORER)
    for t, token in enumerate(sentence["tokens"]):
        page.locator(f"{EXPLORER} select").select_option(str(t))
        demand_row(page, sentence, t)
        assert frame_of(page, EXPLORER) == frame
        said = page.locator(f"{EXPLORER} .mechanism-said").text_content() or ""
        assert said.startswith(f"{token} reads most: ")
        drawing = page.locator(f"{EXPLORER} svg:visible")
        assert drawing.get_attribute("aria-label") == said
        assert token == "it" or shown(page, "score", EXPLORER) != before


def test_a_token_asks_by_a_click_and_by_a_tap(page: Page, sentence: dict[str, Any]) -> None:
    awake(page, figure=EXPLORER)
    rows = page.locator(f"{EXPLORER} svg:visible [data-part='box']")
    words = page.locator(f"{EXPLORER} svg:visible [data-part='name']")
    touch = page.viewport_size == PHONE
    for marks, t in ((rows, 12), (words, 3), (rows, 0), (words, 14)):
        (marks.nth(t).tap if touch else marks.nth(t).click)(force=True)
        demand_row(page, sentence, t)
        box = rows.nth(t).bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 24, "smaller than a finger"
    # The list and the click are one choice, and a pointer that passes chooses nothing.
    page.locator(f"{EXPLORER} select").select_option("7")
    rows.nth(5).hover(force=True)
    demand_row(page, sentence, 7)


def test_a_token_asks_by_the_keyboard(browser: Browser, sentence: dict[str, Any]) -> None:
    page = awake(browser.new_page(viewport=DESK), figure=EXPLORER)
    page.locator(f"{EXPLORER} select").focus()
    page.keyboard.press("ArrowDown")
    demand_row(page, sentence, sentence["tokens"].index("it") + 1)
    page.keyboard.press("Home")
    demand_row(page, sentence, 0)
    page.close()


def test_the_sentence_stands_without_a_script_and_is_printed_as_it_was_left(
    browser: Browser, sentence: dict[str, Any]
) -> None:
    context = browser.new_context(viewport=PHONE, java_script_enabled=False)
    page = context.new_page()
    page.goto(CHAPTER)
    it = sentence["tokens"].index("it")
    assert shown(page, "name", EXPLORER) == sentence["tokens"]
    weights = scaled_dot_product_attention(*(sentence[p] for p in ("query", "key", "value")))[1]
    still = numbers(shown(page, "weight", EXPLORER))
    assert still == pytest.approx(weights[it].tolist(), abs=0.0051)
    context.close()
    page = awake(browser.new_page(viewport=PHONE), figure=EXPLORER)
    page.locator(f"{EXPLORER} select").select_option("7")
    page.emulate_media(media="print")
    assert page.locator(f"{EXPLORER} .mechanism-wide").is_visible()
    demand_row(page, sentence, 7)
    page.close()


# -- what holds of all of them ---------------------------------------------------------------------

# Words that leave their drawing, lie on another, or are smaller than 12 pixels of the page.
UNREADABLE = """() => [...document.querySelectorAll(".mechanism svg")]
  .filter((drawing) => drawing.getClientRects().length).flatMap((drawing) => {
    const frame = drawing.getBoundingClientRect();
    const grown = frame.width / drawing.viewBox.baseVal.width;
    const words = [...drawing.querySelectorAll("text")].filter((word) => word.textContent)
      .map((word) => [word.textContent, word.getBoundingClientRect(),
                      parseFloat(getComputedStyle(word).fontSize) * grown]);
    const out = words.filter(([, box]) => Math.max(frame.left - box.left, box.right - frame.right,
      frame.top - box.top, box.bottom - frame.bottom) > 0.5).map(([word]) => `${word} is outside`);
    const small = words.filter(([, , size]) => size < 11.99)
      .map(([word, , size]) => `${word} has ${size} px`);
    const pairs = words.flatMap((one, n) => words.slice(n + 1).map((other) => [one, other]));
    const covered = pairs.filter(([[, a], [, b]]) =>
      Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1.5 &&
      Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 4.5
    ).map(([[one], [other]]) => `${one} lies on ${other}`);
    return [...out, ...small, ...covered];
  })"""


# Gives every radio and list each choice, and sliders their ends and what lies between.
AT_EVERY_SETTING = f"""() => {{
  const found = {{}}, unreadable = {UNREADABLE};
  const all = (what) => [...document.querySelectorAll(`.mechanism ${{what}}`)];
  const set = (control, value, event) => {{
    control.value = value;
    control.dispatchEvent(new Event(event));
  }};
  all("input[type=radio]").forEach((radio, n) => {{
    radio.click();
    found[`radio ${{n}}`] = unreadable();
  }});
  all("select").forEach((choice) => [...choice.options].forEach(({{value}}) => {{
    set(choice, value, "change");
    found[`choice ${{value}}`] = unreadable();
  }}));
  const sliders = all("input[type=range]");
  for (const first of [-3, -1.5, 2.5]) for (const last of [-2.5, 0, 3]) {{
    sliders.forEach((slider, n) => set(slider, n ? last : first, "input"));
    found[`sliders ${{first}}, ${{last}}`] = unreadable();
  }}
  return found;
}}"""


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the address of a page that holds the chapter's mechanisms and nothing else."""
    chapter = (SITE / "queries-keys-values.html").read_text(encoding="utf-8")
    figures = re.findall(r'<div class="mechanism" .*?</script></div>', chapter, re.DOTALL)
    assert len(figures) == 2
    root = SITE.as_uri()
    target = tmp_path_factory.mktemp("alone") / "alone.html"
    target.write_text(
        f'<!doctype html><html data-content_root="{root}/"><meta charset="utf-8">'
        f'<link rel="stylesheet" href="{root}/_static/live-figure.css">'
        f'<script src="{root}/_static/live-figure.js"></script>'
        f"<style>body {{margin: 16px; font: 16px system-ui, sans-serif}}</style>"
        f"<body>{'<hr>'.join(figures)}</body></html>",
        encoding="utf-8",
    )
    return target.as_uri()


@pytest.mark.parametrize("width", [320, 358, 390, 600, 719, 720, 1280])
def test_words_stay_inside_apart_and_large_enough_at_every_setting(
    browser: Browser, alone: str, width: int
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 2400})
    page.goto(alone)
    expect(page.locator(".mechanism.is-live")).to_have_count(2)
    found: dict[str, list[str]] = page.evaluate(AT_EVERY_SETTING)
    assert len(found) > 20
    assert not {setting: words for setting, words in found.items() if words}
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


def test_a_drawing_follows_a_phone_that_is_turned(browser: Browser, alone: str) -> None:
    page = awake(browser.new_page(viewport=PHONE), alone)
    page.locator(f"{STEPS} input[type=range]").nth(1).fill("-2")
    for size, name in (({"width": 844, "height": 390}, "wide"), (PHONE, "narrow")):
        page.set_viewport_size(size)
        assert page.locator(f"{STEPS} .mechanism-{name}").is_visible()
        assert page.locator(f"{STEPS} svg:visible").count() == 1
        demand(page, [2, -2, 0, 0])
        assert not page.evaluate(UNREADABLE)
    page.close()


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_who_wants_no_motion_sees_none(browser: Browser, alone: str, motion: Any) -> None:
    page = browser.new_page(viewport=DESK, reduced_motion=motion)
    for figure in (STEPS, EXPLORER):
        awake(page, alone, figure)
        moving = page.locator(f"{figure} svg:visible *").evaluate_all(
            "(all) => all.map((one) => parseFloat(getComputedStyle(one).transitionDuration))"
        )
        assert (max(moving) > 0) == (motion == "no-preference")
    page.close()


def test_it_asks_nobody_else_and_nothing_before_it_comes_near(browser: Browser) -> None:
    page = browser.new_page(viewport=DESK)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(CHAPTER)
    page.wait_for_timeout(200)
    assert [url for url in asked if "/_live/" in url] == []
    wake(page, STEPS)
    files = [url.partition("/_live/")[2] for url in asked if "/_live/" in url]
    assert files[:2] == ["d3/d3-selection.min.js", "attention-steps.js"]
    assert all(url.startswith(SITE.as_uri()) for url in asked)
    page.close()


def test_the_drawing_is_the_same_at_every_run_and_its_library_is_the_one_that_is_named() -> None:
    assert steps_by_hand().html() == steps_by_hand().html()
    library = (ROOT / "book" / "_live" / "d3" / "d3-selection.min.js").read_text(encoding="utf-8")
    assert library.startswith("// https://d3js.org/d3-selection/ v3.0.0 ")
    assert (
        hashlib.sha256(library.encode()).hexdigest().startswith("45daab9cf677901bcae102f3f23ca293")
    )
    assert "D3's selection 3.0.0" in (ROOT / "NOTICE.md").read_text(encoding="utf-8")
