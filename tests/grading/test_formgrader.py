"""The formgrader, started for real and read in a browser."""

import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
from playwright.sync_api import expect


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_it_answers(address: str, server: subprocess.Popen) -> None:
    for _ in range(240):
        assert server.poll() is None, "the server has ended"
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.25)
    raise TimeoutError(address)


@pytest.fixture(scope="module")
def formgrader(make_tiny_course):
    """The address of a formgrader on a graded course, started by the course's own command."""
    course = make_tiny_course({"double": "return 2.0"})
    for learner, points in {"learner-01": "2.0", "learner-02": "0.0"}.items():
        course.answer(learner, {"double": f"return {points}"})
        names = (f"--last-name={learner}", "--first-name=sample")
        course.nbgrader("db", "student", "add", learner, *names)
    course.nbgrader("autograde", course.slug)
    port = free_port()
    command = [sys.executable, "-m", "grading", "formgrader", str(course.root)]
    options = [
        "--no-browser",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        "--IdentityProvider.token=",
        "--ServerApp.password=",
    ]
    places = {f"JUPYTER_{kind}_DIR": str(course.root / kind) for kind in ("CONFIG", "RUNTIME")}
    with (course.root / "server.log").open("w") as log:
        server = subprocess.Popen(
            [*command, *options],
            env=os.environ | places,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            wait_until_it_answers(f"http://127.0.0.1:{port}/api", server)
            yield f"http://127.0.0.1:{port}"
        finally:
            os.killpg(server.pid, 15)
            server.wait(timeout=30)


@pytest.fixture
def page(browser):
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    yield page
    page.close()


def rows(page) -> list[str]:
    page.wait_for_selector("table tbody tr td a")
    return [re.sub(r"\s+", " ", text) for text in page.locator("table tbody tr").all_inner_texts()]


def test_the_assignment_and_its_submissions_are_listed(formgrader, page):
    page.goto(f"{formgrader}/formgrader/manage_assignments")
    assert [row.split() for row in rows(page)] == [["tiny", "None", "draft", "2"]]
    assert page.locator(".alert").count() == 0
    page.goto(f"{formgrader}/formgrader/manage_submissions/tiny")
    listed = rows(page)
    assert [row.split(",")[0] for row in listed] == ["learner-01", "learner-02"]


def test_the_learner_table_shows_the_marks(formgrader, page):
    page.goto(f"{formgrader}/formgrader/manage_students")
    listed = rows(page)
    assert any("learner-01" in row and "2 / 4" in row for row in listed)
    assert any("learner-02" in row and "0 / 4" in row for row in listed)


def test_a_submission_opens_for_grading_and_asks_no_other_host(formgrader, page):
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{formgrader}/formgrader/gradebook/tiny/tiny")
    page.wait_for_selector("table tbody tr td a")
    page.locator("table tbody tr td a").first.click()
    # The boxes are drawn first and get their marks from a second answer.
    first = page.locator("input.score").first
    expect(first).to_have_attribute("placeholder", re.compile(r"^[20]$"), timeout=20_000)
    expect(page.locator(".rendered_html math msqrt")).to_have_count(1, timeout=20_000)
    page.wait_for_load_state("networkidle")
    assert [url for url in asked if not url.startswith((formgrader, "data:"))] == []
