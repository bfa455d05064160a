"""Every link of the built site that stays within it leads to a file and to a place in that file."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from bs4 import BeautifulSoup
from built_site import SITE, demand_site


def parsed() -> dict[Path, BeautifulSoup]:
    demand_site()
    files = [path for path in sorted(SITE.glob("**/*.html")) if path.name != "404.html"]
    return {path: BeautifulSoup(path.read_bytes(), "html.parser") for path in files}


def broken(site: dict[Path, BeautifulSoup]) -> list[str]:
    """Return each link that leads nowhere."""
    names = {path: {tag["id"] for tag in soup.find_all(id=True)} for path, soup in site.items()}
    wrong = []
    for path, soup in site.items():
        for tag in soup.find_all(["a", "img", "script", "link", "source"]):
            link = tag.get("href") or tag.get("src") or ""
            parts = urlsplit(link)
            if parts.scheme or parts.netloc or not link:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.is_file():
                wrong.append(f"{path.name}: {link} is no file")
            elif parts.fragment and unquote(parts.fragment) not in names.get(target, {""}):
                wrong.append(f"{path.name}: {link} is no place in {target.name}")
    return wrong


@pytest.fixture(scope="module")
def site() -> dict[Path, BeautifulSoup]:
    return parsed()


def test_links_and_anchors_resolve(site: dict[Path, BeautifulSoup]) -> None:
    assert sum(len(soup.find_all("a", href=True)) for soup in site.values()) > 100
    assert not broken(site)


def test_a_broken_link_and_a_missing_anchor_are_seen() -> None:
    page = SITE / "index.html"
    for link in ("no-such-page.html", "index.html#no-such-place", "#no-such-place"):
        assert broken({page: BeautifulSoup(f'<a id="x" href="{link}">x</a>', "html.parser")})


def test_no_identifier_stands_twice(site: dict[Path, BeautifulSoup]) -> None:
    for path, soup in site.items():
        names = [tag["id"] for tag in soup.find_all(id=True)]
        twice = {name for name in names if names.count(name) > 1}
        assert not twice, f"{path.name}: {twice}"
