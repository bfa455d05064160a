"""A visit sees each planted fault; what keeps a page from waking is named, after one more try."""

from pathlib import Path

import pytest
from built_site import axe_source
from playwright.sync_api import Browser
from site_reading import read_closely
from site_visits import DESK, PHONE, UNZIPPED, Visit, look_around, open_page, wake

FIGURE = (
    '<div class="live-figure" data-figure="figure-weights">'
    '<div class="live-figure-mount">{}</div></div>'
)


def page_of(tmp_path: Path, body: str) -> str:
    path = tmp_path / "page.html"
    path.write_text(f"<!doctype html><title>t</title><body>{body}</body>", encoding="utf-8")
    return path.as_uri()


def visit() -> Visit:
    return Visit("softmax", "http")


def test_a_page_that_stays_asleep_is_named_with_what_sleeps(
    browser: Browser, tmp_path: Path
) -> None:
    page = browser.new_page()
    page.goto(page_of(tmp_path, FIGURE.format("")))
    loads: list[str] = []
    page.on("load", lambda page: loads.append(page.url))
    with pytest.raises(RuntimeError) as raised:
        wake(page, visit(), within=300)
    message = str(raised.value)
    assert "softmax (http)" in message
    assert "the live figure figure-weights" in message
    assert len(loads) == 1
    page.close()


def test_an_image_that_never_comes_is_named(browser: Browser, tmp_path: Path) -> None:
    page = browser.new_page()
    page.route("**/never.png", lambda route: None)
    page.goto(
        page_of(tmp_path, '<img src="never.png" alt="" width=9 height=9>'), wait_until="commit"
    )
    with pytest.raises(RuntimeError, match=r"the image file:.*never\.png"):
        wake(page, visit(), within=300)
    page.close()


def test_a_figure_that_came_at_the_second_load_is_awake(
    browser: Browser, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    late = (
        "<script>if (performance.getEntriesByType('navigation')[0].type === 'reload')"
        " document.querySelector('.live-figure-mount').innerHTML = '<svg></svg>'</script>"
    )
    page = browser.new_page()
    page.goto(page_of(tmp_path, FIGURE.format("") + late))
    known = visit()
    known.failed.append("a.png: net::ERR_ABORTED")
    wake(page, known, within=300)
    assert known.failed == ["a.png: net::ERR_ABORTED"]
    assert "is loaded once more: the live figure figure-weights" in capsys.readouterr().out
    page.close()


def test_what_the_scroll_passed_too_fast_is_shown_once_more(
    browser: Browser, tmp_path: Path
) -> None:
    # Drawn when it was seen twice in a row, 200 ms apart: a quick scroll does not do that.
    slow = """<div style="height: 9000px"></div>%s<div style="height: 9000px"></div><script>
      let seen = 0;
      setInterval(() => {
        const mount = document.querySelector(".live-figure-mount");
        const box = mount.getBoundingClientRect();
        seen = box.top < innerHeight && box.bottom >= 0 ? seen + 1 : 0;
        if (seen > 1) mount.innerHTML = "<svg></svg>";
      }, 200)</script>"""
    page = browser.new_page()
    page.goto(page_of(tmp_path, slow % FIGURE.format("")))
    loads: list[str] = []
    page.on("load", lambda page: loads.append(page.url))
    wake(page, visit(), within=5000)
    assert not loads
    assert page.evaluate("scrollY") == 0
    page.close()


def test_a_page_that_is_awake_is_loaded_once(browser: Browser, tmp_path: Path) -> None:
    page = browser.new_page()
    page.goto(page_of(tmp_path, FIGURE.format("<svg></svg>")))
    loads: list[str] = []
    page.on("load", lambda page: loads.append(page.url))
    wake(page, visit(), within=300)
    assert not loads
    page.close()


# A page that follows the reader's system, as the book's pages do.
WHOLE = """<!doctype html><html lang="en"><title>A page</title>
<meta name="viewport" content="width=device-width">
<style>[data-theme=dark] body {{ background: #111; color: #eee; }} {style}</style><script>
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;
  const follow = () => {{ root.dataset.theme = dark.matches ? "dark" : "light"; }};
  follow();
  dark.onchange = follow;
</script><body><main><article><h1>A page</h1><p>Words.</p>{body}</article></main></body></html>"""
# Same ink, but the last word is pale where a test makes it so; single letters stand before it.
LETTERS = (
    '<span>one</span><span>x</span><span>two</span><span class="pale">y</span>'
    '<span class="pale">three</span><span>four</span>'
)


def visited(browser: Browser, tmp_path: Path, body: str, style: str = "") -> Visit:
    (tmp_path / "page.html").write_text(WHOLE.format(body=body, style=style), encoding="utf-8")
    page, seen = open_page(browser, tmp_path.as_uri() + "/", "page", UNZIPPED[0])
    look_around(page, seen, UNZIPPED, axe_source())
    page.context.close()
    return seen


def ways_of(seen: Visit) -> set[str]:
    """Return the widths and modes in which axe finds the contrast too low."""
    pale = [look for look in seen.looks if any("color-contrast" in v for v in look.violations)]
    return {f"{look.width} {look.theme}" for look in pale}


def test_a_page_without_a_fault_is_left_alone(browser: Browser, tmp_path: Path) -> None:
    pre = f"<pre>{LETTERS}</pre><div class='katex-html'>{LETTERS}</div>"
    seen = visited(browser, tmp_path, pre)
    assert [(look.width, look.theme) for look in seen.looks] == [
        (390, "dark"), (390, "light"), (1280, "light"), (1280, "dark"),
    ]  # fmt: skip
    assert [look.seen["theme"] for look in seen.looks] == ["dark", "light", "light", "dark"]
    assert not any(look.violations for look in seen.looks), seen.looks
    assert not seen.failed + seen.errors
    for question in ("unnamed", "eager", "unwritten"):
        assert not seen.wrong(question)
    assert all(look.seen["overflow"] <= 0 for look in seen.looks)


def test_what_is_too_wide_for_a_phone_is_seen_there_alone(browser: Browser, tmp_path: Path) -> None:
    seen = visited(browser, tmp_path, '<div style="width: 700px">x</div>')
    wide = {look.width for look in seen.looks if look.seen["overflow"] > 0}
    assert wide == {PHONE["width"]} != {DESK["width"]}


def test_a_request_to_another_host_and_a_missing_picture_are_seen(
    browser: Browser, tmp_path: Path
) -> None:
    lost = '<img src="lost.png" alt="lost" loading="lazy" width="9" height="9">'
    seen = visited(browser, tmp_path, lost + '<img src="https://example.org/x.png" width="9">')
    assert [url for url in seen.requests if url.startswith("https://example.org/")]
    assert len([text for text in seen.failed if "lost.png" in text]) == 1
    assert all(len(what) == 1 for what in seen.wrong("unnamed").values())
    assert all("example.org" in what[0] for what in seen.wrong("eager").values())


@pytest.mark.parametrize("holder", ["<p>{}</p>", "<pre>{}</pre>", '<p class="katex-html">{}</p>'])
def test_letters_that_are_pale_in_one_mode_are_seen_in_it_alone(
    browser: Browser, tmp_path: Path, holder: str
) -> None:
    """Also one among many: only letters of the same ink on the same ground stand for another."""
    body = holder.format(LETTERS)
    seen = visited(browser, tmp_path, body, "[data-theme=dark] .pale { color: #333 }")
    assert ways_of(seen) == {"390 dark", "1280 dark"}
    seen = visited(browser, tmp_path, body, "[data-theme=light] .pale { background: #444 }")
    assert ways_of(seen) == {"390 light", "1280 light"}


def test_an_error_of_a_script_is_seen(browser: Browser, tmp_path: Path) -> None:
    seen = visited(browser, tmp_path, "<script>nothing()</script>")
    assert any("nothing is not defined" in text for text in seen.errors)


def test_lines_that_have_to_be_pushed_aside_are_seen(browser: Browser, tmp_path: Path) -> None:
    long = "<pre style='overflow: auto'>" + "long " * 400 + "</pre>"
    formula = "<div class='katex-display' style='overflow: auto'>" + "x" * 90 + "</div>"
    cells = "<table><tr><td>" + "y" * 90 + "</td></tr></table>"
    text = WHOLE.format(body=f"<details>{long}</details>{formula}{cells}", style="")
    (tmp_path / "page.html").write_text(text, encoding="utf-8")
    page, _ = open_page(browser, tmp_path.as_uri() + "/", "page", UNZIPPED[0])
    found = read_closely(page)
    page.context.close()
    assert len(found["wide listings"]) == len(found["wide formulas"]) == len(found["beyond"]) == 1
    assert (found["listings"], found["formulas"]) == (1, 1)


def test_a_name_that_is_not_what_is_shown_is_seen(browser: Browser, tmp_path: Path) -> None:
    seen = visited(browser, tmp_path, '<button aria-label="Toggle hidden content">Show</button>')
    assert all(
        any("label-content-name-mismatch" in one for one in look.violations) for look in seen.looks
    )


def test_a_word_of_a_table_that_is_torn_is_seen(browser: Browser, tmp_path: Path) -> None:
    style = "table { width: 60px; table-layout: fixed } td { overflow-wrap: anywhere }"
    table = "<table><td>ungraded</td><td>co-operation</td><td><code>ungraded</code></td></table>"
    body = table.replace("<td>", "<td style='width: 50px'>")
    (tmp_path / "page.html").write_text(WHOLE.format(body=body, style=style), encoding="utf-8")
    page, _ = open_page(browser, tmp_path.as_uri() + "/", "page", UNZIPPED[0])
    assert read_closely(page)["torn"] == ["ungraded", "operation"]
    page.context.close()


def test_lines_that_go_on_unseen_and_a_focus_without_a_ring_are_seen(
    browser: Browser, tmp_path: Path
) -> None:
    line = f"<span class='line'>{'word ' * 90}</span>"
    deep = "<style>.deep .line { padding-left: 4ch; text-indent: -4ch }</style>"
    wrap = "pre { white-space: pre-wrap } .line { display: block } .none { outline: 0 }"
    body = f"{deep}<pre>{line}</pre><pre class='deep' style='font-size: 11px'>{line}</pre>"
    rings = "<button class='none'>a</button><button style='outline: 3px solid #777'>b</button>"
    pale = "<button style='outline: 3px solid #ccc'>c</button>"
    text = WHOLE.format(body=body + rings + pale, style=wrap)
    (tmp_path / "page.html").write_text(text, encoding="utf-8")
    page, _ = open_page(browser, tmp_path.as_uri() + "/", "page", UNZIPPED[0])
    found = read_closely(page)
    page.context.close()
    listings = found["phone listings"]
    assert (len(listings["small"]), len(listings["flush"]), listings["wrapped"]) == (1, 1, 2)
    assert found["rings"]["light"]["seen"] == 3
    assert len(found["rings"]["light"]["bare"]) == 2
