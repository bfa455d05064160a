"""What keeps a page from waking is named, after one more try."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser
from site_visits import Visit, wake

FIGURE = (
    '<div class="live-figure" data-figure="figure-weights">'
    '<div class="live-figure-mount">{}</div></div>'
)


def page_of(tmp_path: Path, body: str) -> str:
    path = tmp_path / "page.html"
    path.write_text(f"<!doctype html><title>t</title><body>{body}</body>", encoding="utf-8")
    return path.as_uri()


def visit() -> Visit:
    return Visit("softmax", 390, "dark", "http")


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
    assert "softmax (390 px, dark, http)" in message
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
        "<script>if (sessionStorage.seen) document.querySelector('.live-figure-mount').innerHTML ="
        " '<svg></svg>'; sessionStorage.seen = 1</script>"
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
