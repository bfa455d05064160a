"""The tokenizer of the page, typed into in a browser, against course_lib's ids for the same."""

import re
from collections.abc import Iterator
from functools import cache

import pytest
from built_site import ROOT, SITE, load
from chapter_figures import names_before
from playwright.sync_api import Browser, Page, expect
from site_visits import DESK, PHONE
from texts import TEXTS

from course_lib.tokenizer.bpe import ranks_from_merges
from course_lib.tokenizer.pre_tokens import gpt2_pre_tokens
from course_lib.tokenizer.vocabulary import Tokenizer
from course_lib.trained.released_tokens import load_released_tokens, load_shakespeare_merges

# How a drawing is woken and read is written beside the first figures of this kind.
MARKS = load(ROOT / "tests" / "site" / "test_mechanism_figures.py")
UNREADABLE, awake, drawn = MARKS.UNREADABLE, MARKS.awake, MARKS.drawn
frame_of, shown = MARKS.frame_of, MARKS.shown

CHAPTER = f"{SITE.as_uri()}/tokens-and-embeddings.html"
TILES = ".mechanism[data-kind='token-tiles']"
MERGES = load_shakespeare_merges()
SIGNS = str.maketrans({" ": "␣", "\n": "⏎", "\t": "⇥"})
#: A field of text turns every break into a line feed, as browsers do.
TYPED = {name: re.sub("\r\n?", "\n", text) for name, text in TEXTS.items()}
KINDS = ("English", "Chinese", "code", "emoji")


@cache
def vocabulary(merges: int) -> Tokenizer:
    return Tokenizer(ranks=ranks_from_merges(MERGES[:merges]))


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    """Return the texts that the chapter gave the figure."""
    found: dict[str, str] = names_before("token_tiles")["texts"]
    return found


@pytest.fixture(params=[DESK, PHONE], ids=["desk", "phone"])
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    context = browser.new_context(viewport=request.param, has_touch=request.param is PHONE)
    yield awake(context.new_page(), CHAPTER, TILES)
    context.close()


def readable(token: bytes) -> str:
    try:
        return token.decode().translate(SIGNS)
    except UnicodeDecodeError:
        return ""


def demand(page: Page, text: str, merges: int) -> None:
    """Compare every mark with the tokens that course_lib makes of a text."""
    tokenizer, cuts = vocabulary(merges), gpt2_pre_tokens(text)
    ids = tokenizer.encode(text)
    tokens = [tokenizer.tokens[i] for i in ids]
    assert shown(page, "id", TILES) == [str(i) for i in ids]
    assert shown(page, "piece", TILES) == [readable(token) for token in tokens]
    assert shown(page, "byte", TILES) == [f"{byte:02x}" for token in tokens for byte in token]
    width = int(page.locator(f"{TILES} svg:visible").get_attribute("viewBox").split()[2])  # type: ignore[union-attr]
    places, x, y = [], 0, 88
    for piece in cuts:
        for i in tokenizer.encode(piece) if piece else []:
            wide = max(30, 20 * len(tokenizer.tokens[i]) + 6)
            if x + wide > width:
                x, y = 0, y + 68
            places.append((x, y, wide))
            x += wide + 2
        x += 7
    for n, name in enumerate(("x", "y", "width")):
        assert drawn(page, "tile", name, TILES) == [place[n] for place in places]
    fills = page.locator(f"{TILES} svg:visible [data-part='tile']").evaluate_all(
        "(all) => all.map((one) => one.style.fill)"
    )
    strong = [f"var(--{'output' if len(token) > 1 else 'muted'})" for token in tokens]
    assert fills == strong
    scale = frame_of(page, TILES)["scale"]
    counts = {"characters": len(text), "bytes": len(text.encode()), "tokens": len(ids)}
    for name, count in counts.items():
        assert shown(page, name, TILES) == [str(count)]
        long = min(count, 180) * scale
        assert drawn(page, f"{name}-bar", "width", TILES) == pytest.approx([long], abs=0.1)
        assert drawn(page, name, "x", TILES) == pytest.approx([88 + long], abs=0.1)
    said = page.locator(f"{TILES} .mechanism-said").text_content() or ""
    assert [int(one) for one in re.findall(r"\d+", said)] == [
        counts["characters"], counts["bytes"], len(cuts), counts["tokens"],
    ]  # fmt: skip
    told = page.locator(f"{TILES} svg:visible").get_attribute("aria-label") or ""
    assert told == f"{said} Ids: {', '.join(map(str, ids))}."


def learn(page: Page, merges: int) -> None:
    page.locator(f"{TILES} input[type=range]").fill(str(merges))
    expect(page.locator(f"{TILES} .mechanism-value")).to_have_text(str(merges))


def type_in(page: Page, text: str) -> None:
    """Type a text, which may be longer than the field takes."""
    field = page.locator(f"{TILES} textarea")
    field.evaluate("(field) => field.removeAttribute('maxlength')")
    field.fill(text)


def test_it_begins_as_it_was_drawn(page: Page, texts: dict[str, str]) -> None:
    demand(page, next(iter(texts.values())), 600)


def test_every_text_and_number_of_merges_moves_every_mark(
    page: Page, texts: dict[str, str]
) -> None:
    for name, text in texts.items():
        radio = page.get_by_role("radio", name=name, exact=True)
        (radio.tap if page.viewport_size == PHONE else radio.check)()
        expect(page.locator(f"{TILES} textarea")).to_have_value(text)
        for merges in (0, 4, 77, 78, 600):
            learn(page, merges)
            demand(page, text, merges)
    assert page.locator(f"{TILES} input[type=radio]:checked").count() == 1


def test_ids_of_english_chinese_code_and_emoji_are_those_of_course_lib(
    page: Page, texts: dict[str, str]
) -> None:
    released = load_released_tokens("gpt2").texts
    for kind in KINDS:
        type_in(page, released[kind])
        demand(page, released[kind], 600)
        chosen = page.locator(f"{TILES} input[type=radio]:checked").count()
        assert chosen == (released[kind] in texts.values())


def test_any_text_has_the_ids_of_course_lib(browser: Browser) -> None:
    page = awake(browser.new_page(viewport=DESK), CHAPTER, TILES)
    for text in TYPED.values():
        type_in(page, text)
        demand(page, text, 600)
    page.close()


def test_a_key_at_a_time(browser: Browser) -> None:
    page = awake(browser.new_page(viewport=DESK), CHAPTER, TILES)
    field = page.locator(f"{TILES} textarea")
    field.focus()
    page.keyboard.press("Control+A")
    text = ""
    for key in "Et tu":
        page.keyboard.type(key)
        text += key
        demand(page, text, 600)
    page.keyboard.type("x" * 80)  # the field takes 60
    demand(page, (text + "x" * 80)[:60], 600)
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    page.keyboard.press("Home")
    value = field.input_value()
    demand(page, value, 0)
    page.close()


def test_the_answers_of_the_page_are_what_the_figure_shows(page: Page) -> None:
    type_in(page, "Caesar.")
    assert shown(page, "id", TILES) == ["642", str(vocabulary(600).ranks[b"."])]
    learn(page, 0)
    assert len(shown(page, "id", TILES)) == 7
    learn(page, 600)
    type_in(page, "I, Caesar")
    assert shown(page, "id", TILES)[-1] == "332"
    page.get_by_role("radio", name="Chinese", exact=True).check()
    for merges in (0, 600):
        learn(page, merges)
        assert len(shown(page, "id", TILES)) == 48


def test_it_stands_without_a_script_and_is_printed_as_it_was_left(
    browser: Browser, texts: dict[str, str]
) -> None:
    context = browser.new_context(viewport=PHONE, java_script_enabled=False)
    still = context.new_page()
    still.goto(CHAPTER)
    ids = vocabulary(600).encode(next(iter(texts.values())))
    assert shown(still, "id", TILES) == [str(i) for i in ids]
    assert still.locator(f"{TILES} textarea").count() == 0
    context.close()
    page = awake(browser.new_page(viewport=PHONE), CHAPTER, TILES)
    type_in(page, "Et tu, Brute?")
    page.emulate_media(media="print")
    expect(page.locator(f"{TILES} .mechanism-wide")).to_be_visible()
    demand(page, "Et tu, Brute?", 600)
    page.close()


@pytest.mark.parametrize("width", [320, 358, 390, 600, 720, 1280])
def test_words_stay_inside_apart_and_large_enough(
    browser: Browser, width: int, texts: dict[str, str]
) -> None:
    page = awake(browser.new_page(viewport={"width": width, "height": 900}), CHAPTER, TILES)
    for text in (*texts.values(), "wwwwwwww MMMMMM", "啊" * 60):
        type_in(page, text)
        for merges in (0, 600):
            learn(page, merges)
            found = page.locator(f"{TILES} svg:visible").evaluate(
                """(drawing) => {
                  const frame = drawing.getBoundingClientRect();
                  const grown = frame.width / drawing.viewBox.baseVal.width;
                  return [...drawing.querySelectorAll("text")].filter((word) => word.textContent)
                    .filter((word) => {
                      const box = word.getBoundingClientRect();
                      return box.left < frame.left - 0.5 || box.right > frame.right + 0.5 ||
                        box.bottom > frame.bottom + 0.5 ||
                        parseFloat(getComputedStyle(word).fontSize) * grown < 11.99;
                    }).map((word) => word.textContent);
                }"""
            )
            assert found == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()
