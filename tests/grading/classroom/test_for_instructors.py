"""The page *For instructors*, typed command by command in a fresh clone with a class of its own.

The commands are read from the page, so that page and test cannot part. The formgrader that it opens
stays open and is read in a browser.
"""

import csv
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import expect

from grading.classroom.sample_learners import ANSWERS, read_learner, submission
from grading.notebooks import ROOT

PAGE = Path("book") / "for-instructors.md"
# Who hands in which of the sample class's answers to the notebook, and by which way.
BY_HAND = ("learner-17", "learner-03")
BY_ARCHIVE = ("learner-18", "learner-13")


def commands(root: Path) -> list[str]:
    """Return the commands of the section about a class of one's own."""
    section = (root / PAGE).read_text(encoding="utf-8").split("\n## A class of your own\n")[1]
    blocks = re.findall(r"^```sh\n(.*?)^```$", section.split("\n## ")[0], re.DOTALL | re.MULTILINE)
    return "".join(blocks).splitlines()


def git(*words: str) -> str:
    return subprocess.run(["git", *words], check=True, capture_output=True, text=True).stdout


def fresh_clone(target: Path) -> Path:
    """Clone the repository, with what is changed and not yet committed, and its environment."""
    git("clone", "--quiet", str(ROOT), str(target))
    listed = git("-C", str(ROOT), "ls-files", "-z", "--modified", "--others", "--exclude-standard")
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, target / name)
        elif not (ROOT / name).is_dir():
            (target / name).unlink(missing_ok=True)
    (target / ".venv").symlink_to(sys.prefix)
    return target


def answered(clone: Path, learner: str) -> bytes:
    """Return the notebook as one member of the sample class answers it."""
    folders = {"solutions": clone / "solutions", "exercises": clone / "exercises"}
    content = submission(read_learner(ANSWERS / f"{learner}.py"), "softmax", **folders)
    assert content is not None
    return content


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_it_answers(address: str, server: subprocess.Popen) -> None:
    for _ in range(240):
        assert server.poll() is None, "the server has ended"
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.25)
    raise TimeoutError(address)


@contextmanager
def served(command: str, clone: Path, environment: dict[str, str]) -> Iterator[str]:
    """Run a command that opens JupyterLab, without a browser; yield the server's address."""
    port = free_port()
    options = [
        "--no-browser",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        "--IdentityProvider.token=",
        "--ServerApp.password=",
    ]
    with (clone.parent / "server.log").open("w") as log:
        server = subprocess.Popen(
            [*command.split(), *options],
            cwd=clone,
            env=environment,
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


@dataclass(frozen=True)
class Followed:
    """The clone after the whole page, what each command printed, and where the class is open."""

    clone: Path
    printed: dict[str, str]
    formgrader: str
    status: str


def run(command: str, clone: Path, environment: dict[str, str]) -> str:
    """Run one command as it is typed in the clone; return what it printed."""
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=clone,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def environment_of(clone: Path, home: Path) -> dict[str, str]:
    # The environment is linked and complete: `true` instead of Python sets up nothing.
    own = {"HOME": str(home), "PYTHONPATH": str(clone), "PYTHON": "true"}
    places = {f"JUPYTER_{kind}_DIR": str(home / kind) for kind in ("CONFIG", "RUNTIME")}
    # Under `make test` a make of its own would inherit the outer one's level and options.
    outer = {
        name: text for name, text in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))
    }
    return outer | own | places


@pytest.fixture(scope="module")
def followed(tmp_path_factory) -> Iterator[Followed]:
    clone = fresh_clone(tmp_path_factory.mktemp("clone") / "course")
    home = tmp_path_factory.mktemp("home")
    environment = environment_of(clone, home)
    before = git("-C", str(clone), "status", "--porcelain")
    downloads = home / "Downloads" / "softmax.ipynb"
    archive = clone / "downloaded" / "softmax" / "archive" / f"{BY_ARCHIVE[0]}_softmax.ipynb"
    for path, (_, answers) in ((downloads, BY_HAND), (archive, BY_ARCHIVE)):
        path.parent.mkdir(parents=True)
        path.write_bytes(answered(clone, answers))
    printed, address = {}, ""
    with ExitStack() as open_to_the_end:
        for command in commands(clone):
            if " formgrader " in command:
                server = served(command, clone, environment)
                address = open_to_the_end.enter_context(server)
            else:
                printed[command] = run(command, clone, environment)
        yield Followed(clone, printed, address, before)


def test_the_page_leads_from_release_to_export(followed):
    verbs = ("make release", "autograde", "formgrader", "report", "generate_feedback", "export")
    order = [i for verb in verbs for i, c in enumerate(commands(followed.clone)) if verb in c]
    assert len(order) == len(verbs)
    assert order == sorted(order)
    assert "entered softmax into gradebook.db\n" in followed.printed["make release"]


def test_the_report_shows_the_marks_and_the_mistakes(followed):
    printed = followed.printed[".venv/bin/python -m grading report ."]
    lines = {line.split()[0]: line.split()[1:] for line in printed.splitlines() if line}
    assert lines["learner-17"] == ["8/10", "r"]
    assert lines["learner-18"][:2] == ["4.5/10", "r"]
    assert lines["learner-18"][2:] == ["SM-OVERFLOW", "LSE-NAIVE", "LSE-LOGSOFT"]


def test_each_learner_has_a_page_of_feedback_and_a_line_of_marks(followed):
    for learner, points in {"learner-17": "8.0", "learner-18": "4.5"}.items():
        page = followed.clone / "feedback" / learner / "softmax" / "softmax.html"
        assert f"softmax (Score: {points} / 10.0)" in page.read_text(encoding="utf-8")
    with (followed.clone / "grades.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["assignment"] == "softmax"]
    scores = {row["student_id"]: row["score"] for row in rows}
    assert scores == {"learner-17": "8.0", "learner-18": "4.5"}


def test_git_sees_nothing_of_a_class(followed):
    assert git("-C", str(followed.clone), "status", "--porcelain") == followed.status


def test_a_second_release_changes_nothing(followed):
    gradebook = followed.clone / "gradebook.db"
    before = gradebook.read_bytes()
    environment = environment_of(followed.clone, followed.clone.parent)
    assert run("make release", followed.clone, environment) == "exercises/ is up to date.\n"
    assert gradebook.read_bytes() == before


@pytest.fixture
def page(browser):
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    yield page
    page.close()


def rows(page) -> list[str]:
    page.wait_for_selector("table tbody tr td a")
    return [re.sub(r"\s+", " ", text) for text in page.locator("table tbody tr").all_inner_texts()]


def test_the_assignment_and_its_submissions_are_listed(followed, page):
    page.goto(f"{followed.formgrader}/formgrader/manage_assignments")
    listed = {row.split()[0]: row.split()[1:] for row in rows(page)}
    assert listed["softmax"] == ["None", "draft", "2"]
    assert page.locator(".alert").count() == 0
    page.goto(f"{followed.formgrader}/formgrader/manage_submissions/softmax")
    assert sorted(re.findall(r"learner-\d+", " ".join(rows(page)))) == ["learner-17", "learner-18"]


def test_the_learner_table_shows_the_marks(followed, page):
    page.goto(f"{followed.formgrader}/formgrader/manage_students")
    listed = rows(page)
    assert any("learner-17" in row and "8 / 30" in row for row in listed)
    assert any("learner-18" in row and "4.5 / 30" in row for row in listed)


def test_a_submission_opens_for_grading_and_asks_no_other_host(followed, page):
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{followed.formgrader}/formgrader/gradebook/softmax/softmax")
    page.wait_for_selector("table tbody tr td a")
    page.locator("table tbody tr td a").first.click()
    # The boxes are drawn first and get their marks from a second answer.
    first = page.locator("input.score").first
    expect(first).to_have_attribute("placeholder", re.compile(r"^[\d.]+$"), timeout=20_000)
    expect(page.locator(".rendered_html math msqrt")).not_to_have_count(0, timeout=20_000)
    page.wait_for_load_state("networkidle")
    assert [url for url in asked if not url.startswith((followed.formgrader, "data:"))] == []
