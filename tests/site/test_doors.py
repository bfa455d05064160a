"""Every page on the way in says how to begin, and every chapter leads on to what comes next."""

import re
from types import SimpleNamespace

import pytest
from bs4 import BeautifulSoup
from built_site import ROOT, SITE, chapters, demand_site, load, pages

from grading.classroom.hand_out import course_archive
from grading.words.links import PLACEHOLDER


def soup(name: str) -> BeautifulSoup:
    demand_site()
    return BeautifulSoup((SITE / f"{name}.html").read_bytes(), "html.parser")


@pytest.mark.parametrize("slug", chapters())
def test_a_chapter_ends_at_its_notebook_and_the_next_chapter(slug: str) -> None:
    page = soup(slug)
    now = page.select_one("section[id^=summary] p.door")
    assert now is not None
    links = [link["href"] for link in now.find_all("a")]
    rest = chapters()[chapters().index(slug) + 1 :]
    assert links == [f"_downloads/exercises/{slug}.ipynb", *(f"{one}.html" for one in rest[:1])]
    next_page = page.select_one("a.right-next")
    assert (next_page["href"] if next_page else None) == (f"{rest[0]}.html" if rest else None)


@pytest.mark.parametrize("slug", chapters())
def test_a_chapter_offers_a_task_on_the_way(slug: str) -> None:
    doors = soup(slug).select("p.door")
    assert len(doors) >= 2
    assert all(door.find("a", download=True) for door in doors)
    titles = re.findall(r"the task (.+) in the", doors[0].get_text())
    assert titles


def test_no_detour_lies_before_the_first_chapter_or_behind_the_last() -> None:
    name, way = "index", []
    while (link := soup(name).select_one("a.right-next")) is not None:
        name = link["href"].removesuffix(".html")
        way.append(name)
    assert way == ["prerequisites", "for-learners", *chapters()]
    before = [soup(name).select_one("a.left-prev") for name in pages()]
    behind = [link["href"] for link in before if link is not None]
    assert f"{chapters()[-1]}.html" not in behind


def test_the_index_opens_three_doors() -> None:
    cards = soup("index").select(".sd-card")
    titles = [card.select_one(".sd-card-title").get_text(strip=True) for card in cards]
    assert titles == ["Read", "Do", "Teach"]
    links = [{link["href"] for link in card.find_all("a")} for card in cards]
    assert f"{chapters()[0]}.html" in links[0]
    assert "for-learners.html" in links[1]
    assert "for-instructors.html" in links[2]
    assert "make lab" in cards[1].find("pre").get_text()


def test_nothing_that_is_published_leads_to_a_placeholder() -> None:
    demand_site()
    files = [path for path in SITE.rglob("*") if path.suffix in {".html", ".ipynb", ".js"}]
    naming = {path.name for path in files if PLACEHOLDER.encode() in path.read_bytes()}
    assert len(files) > len(pages())
    assert not naming
    exercises = [path.read_text(encoding="utf-8") for path in (ROOT / "exercises").rglob("*.ipynb")]
    assert len(exercises) == len(chapters())
    assert not any(PLACEHOLDER in text for text in exercises)
    assert course_archive() is None or PLACEHOLDER not in course_archive()


def test_a_task_that_the_chapter_does_not_have_stops_the_build(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "book" / "_ext"))
    doors = load(ROOT / "book" / "_ext" / "doors.py")

    def door(name: str, page: str) -> str:
        given = SimpleNamespace(
            arguments=[name], env=SimpleNamespace(docname=page), error=lambda text: ValueError(text)
        )
        return doors.Task.run(given)[0].astext()

    assert door("softmax", "softmax").endswith("in the notebook of exercises.")
    for name, page in (("no_such_task", "softmax"), ("softmax", "scaling")):
        with pytest.raises(ValueError, match=f"no exercise of the chapter {page} is called"):
            door(name, page)


@pytest.mark.parametrize("slug", chapters())
def test_a_chapter_ends_with_four_sentences_in_chinese(slug: str) -> None:
    (chinese,) = soup(slug).select("section[id^=summary] .chinese")
    assert chinese["lang"] == "zh-Hans"
    title, text = chinese.get_text().strip().split("\n", 1)
    assert title == "小结"
    assert text.count("。") == 4
    assert len(re.findall(r"[\u4e00-\u9fff]", text)) > 60
