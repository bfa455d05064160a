"""Links to equations lead somewhere: to the book of one's own, the published one, or the built."""

import os
import socket
import urllib.request
from pathlib import Path

import pytest

from grading import check
from grading.classroom.jupyter import PORT, book_served
from grading.classroom.sample_class import linked_here
from grading.words import links

SETTINGS = "repository:\n  url: https://github.com/{}/attention\n"


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A book that was built here, of a course whose address is still a placeholder."""
    folder = tmp_path / "_build" / "html"
    folder.mkdir(parents=True)
    for name in ("index", "softmax"):
        (folder / f"{name}.html").write_text(f"<h1>{name}</h1>", encoding="utf-8")
    settings = tmp_path / "_config.yml"
    settings.write_text(SETTINGS.format(links.PLACEHOLDER), encoding="utf-8")
    monkeypatch.setattr(links, "BUILT", folder)
    monkeypatch.setattr(links, "SETTINGS", settings)
    monkeypatch.delenv("COURSE_BOOK", raising=False)
    links._published.cache_clear()
    yield folder
    links._published.cache_clear()


def test_a_placeholder_is_no_address(book: Path) -> None:
    page = (book / "softmax.html").as_uri()
    assert links.equation_link("softmax", "eq-vjp") == f"{page}#equation-eq-vjp"
    assert links.equation_link("scaling", "eq-scale") is None
    result = check(lambda x, axis: x, exercise="softmax")
    assert f'<a href="{page}#equation-eq-softmax">' in result.html
    assert links.PLACEHOLDER not in str(result)


def test_a_published_book_is_linked(book: Path) -> None:
    links.SETTINGS.write_text(SETTINGS.format("someone"), encoding="utf-8")
    found = links.equation_link("scaling", "eq-scale")
    assert found == "https://someone.github.io/attention/scaling.html#equation-eq-scale"


def test_a_book_of_ones_own_comes_first(book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSE_BOOK", "http://localhost:8000/")
    assert links.equation_link("scaling", "eq-a") == (
        "http://localhost:8000/scaling.html#equation-eq-a"
    )
    assert links.local_book() is None


def fetched(link: str | None) -> bytes:
    assert link is not None
    assert link.startswith("http://127.0.0.1:")
    with urllib.request.urlopen(link, timeout=10) as page:
        return page.read()


def test_in_the_lab_the_built_book_is_served(book: Path) -> None:
    links.SETTINGS.write_text(SETTINGS.format("someone"), encoding="utf-8")
    with book_served():
        assert fetched(links.equation_link("softmax", "eq-softmax")) == b"<h1>softmax</h1>"
        # What this machine has not built is read where it is published.
        there = links.equation_link("scaling", "eq-scale")
        assert there == "https://someone.github.io/attention/scaling.html#equation-eq-scale"
    assert links.SERVED not in os.environ


def test_a_book_that_is_built_while_the_lab_runs_is_linked_from_then_on(book: Path) -> None:
    for page in book.iterdir():
        page.unlink()
    book.rmdir()
    answer = lambda x, axis: x  # noqa: E731
    with book_served():
        assert links.equation_link("softmax", "eq-softmax") is None
        result = check(answer, exercise="softmax")
        assert "(`make book` builds it here, and the next check links to it)" in result.message
        assert "<code>make book</code>" in result.html
        assert "<a href" not in result.html
        book.mkdir()
        (book / "softmax.html").write_text("<h1>later</h1>", encoding="utf-8")
        assert fetched(links.equation_link("softmax", "eq-softmax")) == b"<h1>later</h1>"
        result = check(answer, exercise="softmax")
        assert "make book" not in str(result) + result.html
        assert '<a href="http://127.0.0.1:' in result.html


def test_where_another_lab_has_the_port_another_one_is_taken(book: Path) -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            other.bind(("127.0.0.1", PORT))
            other.listen()
        except OSError:  # somebody else has it, which is as good
            pass
        with book_served():
            link = links.equation_link("softmax", "eq-softmax")
            assert f":{PORT}/" not in str(link)
            assert fetched(link) == b"<h1>softmax</h1>"


def test_without_the_books_sources_nobody_is_told_to_build_it(book: Path) -> None:
    """As in a course that pip installed."""
    (book / "softmax.html").unlink()
    links.SETTINGS.unlink()
    result = check(lambda x, axis: x, exercise="softmax")
    assert "Read the equation in the chapter “Softmax: from scores to weights”." in result.message
    assert "make book" not in str(result) + result.html


def test_the_sample_class_links_to_the_book_on_this_machine(book: Path) -> None:
    links.SETTINGS.write_text(SETTINGS.format("someone"), encoding="utf-8")
    with linked_here():
        assert (
            links.equation_link("scaling", "eq-a") == f"{book.as_uri()}/scaling.html#equation-eq-a"
        )
    assert "COURSE_BOOK" not in os.environ
