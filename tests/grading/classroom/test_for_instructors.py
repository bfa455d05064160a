"""The page *For instructors*, walked in a fresh clone with a class of its own, to the marks.

The commands are read from the page, so that page and test cannot part. On the way somebody reads
the explanations, a learner hands in again, commands are killed, and the course changes twice. The
formgrader that it opens stays open and is read in a browser.
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
from walked_page import Walk, blocks, commands, walk

from grading.classroom.enrolment import opened
from grading.classroom.sample_learners import ANSWERS, read_learner, submission
from grading.notebooks import ROOT, notebook, read_notebook, write_notebook

PAGE = Path("book") / "for-instructors.md"
# What is not typed, and why.
EXCUSED = {
    "What you get 1": "tests/grading/classroom/test_sample_class.py grades the sample class",
}
# Which of the sample class's answers lie where a command takes them from: 4.5 points, and all 8.
SOME, ALL = "learner-13", "learner-03"
PROVIDED = {
    "~/Downloads/softmax.ipynb": SOME,
    "downloaded/softmax/archive/learner-18_softmax.ipynb": SOME,
}


# -- what people do between the commands -----------------------------------------------------------


def provide(one: Walk, name: str, answers: str) -> None:
    """Put a notebook where the page's commands take it from."""
    home = Path(one.environment["HOME"])
    path = home / name[2:] if name.startswith("~/") else one.clone / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(answered(one.clone, answers))


def provide_all(one: Walk) -> None:
    for name, answers in PROVIDED.items():
        provide(one, name, answers)


def release_that_is_killed(one: Walk) -> None:
    """Pull the plug while nbgrader generates, before anything is entered."""
    one.kill("Release 1", lambda: any((one.clone / "_build").glob("release-*/gradebook.db")))
    assert not (one.clone / "gradebook.db").exists()


def grading_that_is_killed(one: Walk) -> None:
    """Pull the plug while the first submission is graded."""
    one.kill("Grade 1", lambda: any((one.clone / "autograded").glob("*/softmax/softmax.ipynb")))
    # nbgrader's own command takes the folder that is left for a mark.
    shutil.rmtree(one.clone / "autograded")


def commit(one: Walk, words: str) -> None:
    who = ("-c", "user.name=An author", "-c", "user.email=author@example.org")
    git("-C", str(one.clone), "add", "solutions", "exercises")
    git("-C", str(one.clone), *who, "commit", "--quiet", "--allow-empty", "-m", words)


def update_of_texts(one: Walk) -> None:
    """Change prose and a docstring of the course, and release it to a class that has handed in."""
    path = notebook(one.clone / "solutions", "softmax")
    nb = read_notebook(path)
    answer = next(
        cell for cell in nb.cells if "Args:" in cell.source and "nbgrader" in cell.metadata
    )
    answer.source = answer.source.replace("Args:", "Arguments:")
    nb.cells[0].source += "\n\nTake your time."
    write_notebook(nb, path)
    commit(one, "Better words in the exercise on the softmax")
    said = one.type_block("When an exercise changes 1")
    assert "wrote exercises/softmax/softmax.ipynb\n" in said
    assert "entered new texts of softmax; nothing is graded otherwise\n" in said
    commit(one, "The same in exercises/")


def update_of_what_is_graded(one: Walk) -> None:
    """Let the explanation give other points in the course; the class keeps what it works on."""
    path = notebook(one.clone / "solutions", "softmax")
    nb = read_notebook(path)
    nb.cells[-1].metadata["nbgrader"]["points"] = 3
    write_notebook(nb, path)
    commit(one, "The explanation of the softmax gives three points")
    before = marks(one.clone)
    said = one.type_block("When an exercise changes 1")
    assert "softmax stays as your class has it: gradebook.db holds 2 submissions" in said
    assert "\n  softmax-explain: 2 points, now 3\n" in said
    move = commands(one.block("When an exercise changes 2"))[0]
    assert f"\n  {move}\n" in said
    assert marks(one.clone) == before


def read_explanations(one: Walk) -> None:
    """Give every explanation that waits 1.5 points and a comment, as one does in the formgrader."""
    with opened(one.clone) as gradebook:
        for handed_in in gradebook.find_assignment("softmax").submissions:
            for sheet in handed_in.notebooks:
                for grade in sheet.grades:
                    if grade.needs_manual_grade:
                        grade.manual_score, grade.needs_manual_grade = 1.5, False
                for comment in sheet.comments:
                    if comment.name == "softmax-explain":
                        comment.manual_comment = "Why the root?"
        gradebook.db.commit()


def hand_in_again(one: Walk) -> None:
    """Let one learner hand in again, with everything right."""
    provide(one, "~/Downloads/softmax.ipynb", ALL)
    one.type_block("Collect 1")
    # nbgrader's own command passes over whoever has a mark; the page says how not to.
    one.type("by hand", ".venv/bin/nbgrader autograde softmax --student learner-17 --force")


def marks(clone: Path) -> list[tuple[str, ...]]:
    """Return what the class has on each cell: points of the machine, of a person, a comment."""
    found = []
    with opened(clone) as gradebook:
        for handed_in in gradebook.find_assignment("softmax").submissions:
            learner = handed_in.student.id
            for sheet in handed_in.notebooks:
                for grade in sheet.grades:
                    points = (str(grade.auto_score), str(grade.manual_score))
                    found.append((learner, grade.name, *points))
                for comment in sheet.comments:
                    found.append((learner, comment.name, str(comment.manual_comment)))
    return sorted(found)


BEFORE = {
    "Release 1": [provide_all, release_that_is_killed],
    "Grade 1": [update_of_texts, grading_that_is_killed],
    "Give back 1": [read_explanations, hand_in_again, read_explanations, update_of_what_is_graded],
}


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
    """The clone after the whole page, what was typed, and where the class is open.

    Attributes:
        exported: the marks as they were given back, before the class was moved.
        status: what git said of the clone at first.
    """

    walk: Walk
    formgrader: str
    exported: dict[str, str]
    status: str

    @property
    def clone(self) -> Path:
        return self.walk.clone

    def printed(self, word: str) -> str:
        """Return what the first command that holds a word printed."""
        return next(one.printed for one in self.walk.typed if word in one.command)


def environment_of(clone: Path, home: Path) -> dict[str, str]:
    # The environment is linked and complete: `true` instead of Python sets up nothing.
    own = {"HOME": str(home), "PYTHONPATH": str(clone), "PYTHON": "true"}
    places = {f"JUPYTER_{kind}_DIR": str(home / kind) for kind in ("CONFIG", "RUNTIME")}
    # Under `make test` a make of its own would inherit the outer one's level and options.
    outer = {
        name: text for name, text in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))
    }
    return outer | own | places


def scores(clone: Path) -> dict[str, str]:
    with (clone / "grades.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["assignment"] == "softmax"]
    return {row["student_id"]: row["score"] for row in rows}


def git_status(clone: Path) -> list[str]:
    """Return what git says of a clone, but for what an author of the course commits."""
    lines = git("-C", str(clone), "status", "--porcelain").splitlines()
    return [line for line in lines if not line[3:].startswith(("solutions/", "exercises/"))]


@pytest.fixture(scope="module")
def followed(tmp_path_factory) -> Iterator[Followed]:
    clone = fresh_clone(tmp_path_factory.mktemp("clone") / "course")
    home = tmp_path_factory.mktemp("home")
    environment = environment_of(clone, home)
    before = git_status(clone)
    addresses, exported = [], {}
    page = blocks((clone / PAGE).read_text(encoding="utf-8"))
    with ExitStack() as open_to_the_end:

        def open_it(command: str) -> None:
            addresses.append(open_to_the_end.enter_context(served(command, clone, environment)))

        one = Walk(clone, environment, page, {"formgrader": open_it})
        keep = [lambda _: exported.update(scores(clone))]
        steps = BEFORE | {"When an exercise changes 1": keep}
        walk(one, excused=EXCUSED, before=steps, statuses={})
        commit(one, "The new version, handed out")
        yield Followed(one, addresses[0], exported, before)


def test_the_page_leads_from_release_to_export(followed):
    verbs = ("make release", "autograde", "formgrader", "report", "generate_feedback", "export")
    typed = [one.command for one in followed.walk.typed]
    order = [next(i for i, c in enumerate(typed) if f"{verb} " in f"{c} ") for verb in verbs]
    assert order == sorted(order)
    assert "entered softmax into gradebook.db\n" in followed.printed("make release")


def test_the_report_shows_the_marks_and_the_mistakes(followed):
    report = followed.printed("grading report")
    assert "SM-OVERFLOW" in report
    assert re.search(r"learner-18\s.*4\.5/10", report)


def test_each_learner_has_a_page_of_feedback_and_a_line_of_marks(followed):
    # 8 after handing in again, and 4.5; 1.5 of each explanation, from a person.
    assert followed.exported == {"learner-17": "9.5", "learner-18": "6.0"}
    for learner, points in followed.exported.items():
        page = followed.clone / "feedback" / learner / "softmax" / "softmax.html"
        text = page.read_text(encoding="utf-8")
        assert f"softmax (Score: {points} / 10.0)" in text
        assert "Why the root?" in text


def test_git_sees_nothing_of_a_class(followed):
    assert git_status(followed.clone) == followed.status


def test_a_class_that_was_moved_keeps_its_marks(followed):
    found = {(who, cell): rest for who, cell, *rest in marks(followed.clone) if len(rest) == 2}
    assert found["learner-17", "softmax-explain"] == ["None", "1.5"]
    assert found["learner-18", "softmax-explain"] == ["None", "1.5"]
    total = {who: 0.0 for who, _ in found}
    for (who, _), (auto, _) in found.items():
        total[who] += float(auto) if auto != "None" else 0.0
    assert total == {"learner-17": 8.0, "learner-18": 4.5}
    copies = list(followed.clone.glob("gradebook.db.*.bak"))
    assert len(copies) == 1


def test_a_second_release_changes_nothing(followed):
    gradebook = followed.clone / "gradebook.db"
    before = gradebook.read_bytes()
    assert followed.walk.type("at last", "make release") == "exercises/ is up to date.\n"
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
    assert any("learner-17" in row and "9.5 / 31" in row for row in listed)
    assert any("learner-18" in row and "6 / 31" in row for row in listed)


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
