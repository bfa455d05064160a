"""The time that each part may take: the shares add up, and no page takes more than its own."""

import json
import re
from statistics import mean

import pytest
from built_site import ROOT, chapters, executed_pages

CORES, MINUTES = 2, 45
CHAPTERS = 20
ROW = re.compile(r"^\| ([^|]+?) \| (\d+) \| (\d+) \| (\d+) \|$", re.MULTILINE)


def shares() -> dict[str, tuple[int, int, int]]:
    """Return each part's core-seconds, how often they come, and their product as it is written."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = text.split("## Time\n")[1].split("\n## ")[0]
    assert len(ROW.findall(section)) == section.count("\n| ") - 1, "a row is not read"
    return {part: (int(one), int(n), int(whole)) for part, one, n, whole in ROW.findall(section)}


def test_the_shares_add_up_to_the_whole() -> None:
    for part, (one, times, whole) in shares().items():
        assert one * times == whole, part
    assert sum(whole for _, _, whole in shares().values()) <= CORES * MINUTES * 60


def test_a_chapter_has_its_share() -> None:
    of_chapters = [one for one, times, _ in shares().values() if times == CHAPTERS]
    executing, again, testing = of_chapters
    assert executing <= 30
    assert again <= executing + 5, "a second run costs the first and the start of nbval"
    assert testing <= 60
    assert len(chapters()) <= CHAPTERS


def limit(*, trains: bool) -> int:
    """Return the seconds that one page may take, as CONTRIBUTING.md says."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    found = re.search(r"one may take (\d+), and one in which something is trained (\d+)\.", text)
    assert found, "CONTRIBUTING.md says how long one page may take"
    assert (found[1], found[2]) == ("60", "90")
    return int(found[2] if trains else found[1])


def took(name: str) -> tuple[float, bool]:
    """Return the seconds of the processor that a page's last run took, and whether it trains."""
    path = ROOT / "_build" / "executions" / f"{name}.json"
    if not path.exists():
        raise FileNotFoundError(f"There is no record of {name}'s execution: run `make book` first.")
    record = json.loads(path.read_text(encoding="utf-8"))
    return float(record["cpu_seconds"]), bool(record["trains"])


@pytest.mark.parametrize("page_name", executed_pages())
def test_no_page_takes_longer_than_it_may(page_name: str) -> None:
    seconds, trains = took(page_name)
    allowed = limit(trains=trains)
    assert seconds <= allowed, f"{page_name} takes {seconds} s of the processor, {allowed} allowed"


def test_the_chapters_take_their_share_on_average() -> None:
    assert mean(took(slug)[0] for slug in chapters()) <= 30
