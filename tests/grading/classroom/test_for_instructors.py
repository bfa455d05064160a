"""The page *For instructors*, walked in a fresh clone with a class of its own, to the marks.

The commands are read from the page, so that page and test cannot part. The class hands in by zips
of Moodle and Canvas. On the way somebody reads the explanations, hand-ins are damaged and come
again, commands are killed, and the course changes twice. The formgrader that it opens stays open
and is read in a browser.
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
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from zipfile import ZipFile

import nbformat
import pytest
from made_zips import HandIn, canvas_zip, moodle_zip, written_csv
from nbformat.notebooknode import NotebookNode
from playwright.sync_api import expect
from walked_page import Typed, Walk, blocks, commands, walk

from grading.classroom.enrolment import opened
from grading.classroom.sample_learners import ANSWERS, read_learner, submission
from grading.notebooks import ROOT, notebook, read_notebook, slugs, write_notebook

PAGE = Path("book") / "for-instructors.md"
# What is not typed, and why.
EXCUSED = {
    "Try the sample class 1": "tests/grading/classroom/test_sample_class.py grades it",
}
# Whose answers of the sample class are handed in: 5 points, and all 8.
SOME, ALL = "learner-13", "learner-03"
CLASS = {
    "learner-17": ("Zoë", "Example", 4017),
    "learner-18": ("Jörg", "Sample", 4018),
    "learner-19": ("Ana", "Specimen", 4019),
    "learner-20": ("Minh", "Absent", 4020),
}
# When the zips were made, by the clock of a computer that is five hours behind UTC.
ZONE = "EST5"
FIRST, SECOND, THIRD = (datetime(2026, 11, day, 12, 0, 0, tzinfo=UTC) for day in (10, 17, 24))


# -- what people do between the commands -----------------------------------------------------------


def publish(clone: Path) -> None:
    """Enter a repository of one's own, and build the book here, which nobody else can read."""
    settings = clone / "_config.yml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(text.replace("your-organisation", "example"), encoding="utf-8")
    book = clone / "_build" / "html"
    book.mkdir(parents=True)
    for name in ("index", "softmax"):
        (book / f"{name}.html").write_text(name)


def handed_in(learner: str, data: bytes, file: str = "softmax.ipynb") -> HandIn:
    first, last, number = CLASS[learner]
    return HandIn(first, last, number, data, file)


def written_roster(one: Walk, *, without: str = "") -> None:
    rows = [
        [learner, first, last, f"{learner}@example.org", str(number)]
        for learner, (first, last, number) in CLASS.items()
        if learner != without
    ]
    head = ["id", "first_name", "last_name", "email", "lms_user_id"]
    written_csv(one.clone / "roster.csv", [head, *rows], encoding="utf-8-sig")


def downloads(one: Walk, name: str) -> Path:
    return Path(one.environment["HOME"]) / "Downloads" / name


def edited(content: bytes, edit: Callable[[NotebookNode], None]) -> bytes:
    nb = nbformat.reads(content.decode(), as_version=4)
    edit(nb)
    return nbformat.writes(nb).encode()


def without_imports(nb: NotebookNode) -> None:
    nb.cells = [cell for cell in nb.cells if cell.id != "imports"]


def damaged(clone: Path) -> bytes:
    """Return what an editor saved in a way of its own, after a cell was deleted."""
    return b"\xef\xbb\xbf" + edited(answered(clone, SOME), without_imports)


def first_zip(one: Walk) -> None:
    """Download what two learners handed in well enough, and one did not, from Moodle."""
    cut_off = answered(one.clone, ALL)[:9000]
    blank = notebook(one.clone / "exercises", "softmax").read_bytes()
    hand_ins = [
        handed_in("learner-17", answered(one.clone, SOME)),
        handed_in("learner-18", blank),
        handed_in("learner-18", damaged(one.clone), "softmax (1).ipynb"),
        handed_in("learner-19", cut_off),
    ]
    moodle_zip(downloads(one, "softmax.zip"), hand_ins, when=FIRST)


def at_first(one: Walk, name: str) -> bytes:
    """Return the first file of a name in the first zip."""
    with ZipFile(downloads(one, "softmax.zip")) as archive:
        return archive.read(next(path for path in archive.namelist() if path.endswith(name)))


def look_with_a_roster_that_lacks_somebody(one: Walk) -> None:
    """See by the dry run whom the roster lacks, and add the line."""
    written_roster(one, without="learner-18")
    one.type("a dry run", commands(one.block("Collect 1"))[0], 1)
    assert not (one.clone / "submitted").exists()
    with opened(one.clone) as gradebook:
        assert gradebook.students == []
    written_roster(one)


def release_that_is_killed(one: Walk) -> None:
    """Pull the plug while nbgrader generates, before anything is entered."""
    one.kill("Release 1", lambda: any((one.clone / "_build").glob("release-*/gradebook.db")))
    assert not (one.clone / "gradebook.db").exists()
    assert any((one.clone / "_build").glob("release-*/"))


def grading_that_is_killed(one: Walk) -> None:
    """Pull the plug while a notebook runs; nothing is cleared away."""
    running = "states/work/*/autograded/*/softmax/softmax.ipynb"
    one.kill("Grade 1", lambda: any(one.clone.glob(running)))
    assert any(one.clone.glob(running))


def second_zip(one: Walk) -> None:
    """Let one learner hand in again, all right and explained otherwise; another is the same."""

    def explain(nb: NotebookNode) -> None:
        explanation_of(nb).source += "\n\nAnd more."

    hand_ins = [
        handed_in("learner-17", edited(answered(one.clone, ALL), explain)),
        handed_in("learner-18", at_first(one, "softmax (1).ipynb")),
    ]
    canvas_zip(downloads(one, "softmax-2.zip"), hand_ins, when=SECOND)


def commit(one: Walk, words: str) -> None:
    who = ("-c", "user.name=An author", "-c", "user.email=author@example.org")
    git("-C", str(one.clone), "add", "solutions", "exercises")
    git("-C", str(one.clone), *who, "commit", "--quiet", "--allow-empty", "-m", words)


def update_of_texts(one: Walk) -> None:
    """Change prose and a docstring of the course, and release it under the marks."""
    path = notebook(one.clone / "solutions", "softmax")
    nb = read_notebook(path)
    answer = next(
        cell for cell in nb.cells if "Args:" in cell.source and "nbgrader" in cell.metadata
    )
    answer.source = answer.source.replace("Args:", "Arguments:")
    nb.cells[0].source += "\n\nTake your time."
    write_notebook(nb, path)
    commit(one, "Better words in the exercise on the softmax")
    before = marks(one.clone)
    said = one.type_block("The course changes 1")
    assert "wrote exercises/softmax/softmax.ipynb\n" in said
    assert "entered new texts of softmax; nothing is graded otherwise\n" in said
    assert marks(one.clone) == before
    commit(one, "The same in exercises/")


def explanation_of(nb: NotebookNode) -> NotebookNode:
    """Return the last cell that is graded; behind it stands the learner's own table."""
    return [cell for cell in nb.cells if "nbgrader" in cell.metadata][-1]


def new_version(nb: NotebookNode) -> None:
    """Take a check away, and let the explanation give a point more."""
    nb.cells = [cell for cell in nb.cells if cell.id != "bug-check"]
    explanation_of(nb).metadata["nbgrader"]["points"] = 3


def update_of_what_is_graded(one: Walk) -> None:
    path = notebook(one.clone / "solutions", "softmax")
    nb = read_notebook(path)
    new_version(nb)
    write_notebook(nb, path)
    commit(one, "The explanation of the softmax gives three points, and the bug is gone")


def the_class_stays(one: Walk) -> None:
    """Read what the release said, which is what the page says next."""
    said = one.typed[-1].printed
    assert "softmax stays as your class has it: gradebook.db holds 2 submissions" in said
    assert "\n  softmax-explain: 2 points, now 3\n" in said
    assert "\n  softmax-bug: gone\n" in said
    for move in commands(one.block("The course changes 2")):
        assert f"\n  {move}\n" in said


def hand_in_the_new_version(one: Walk) -> None:
    """Let the learner whose file was cut off hand in what a newer clone of the course has."""
    content = edited(answered(one.clone, ALL), new_version)
    moodle_zip(downloads(one, "softmax-2.zip"), [handed_in("learner-19", content)], when=THIRD)
    one.type_block("A learner hands in again 1")


def read_explanations(one: Walk) -> None:
    """Give every explanation that waits 1.5 points and a comment, as one does in the formgrader."""
    with opened(one.clone) as gradebook:
        for entered in gradebook.find_assignment("softmax").submissions:
            for sheet in entered.notebooks:
                for grade in sheet.grades:
                    if grade.needs_manual_grade:
                        grade.manual_score, grade.needs_manual_grade = 1.5, False
                for comment in sheet.comments:
                    if comment.name == "softmax-explain":
                        comment.manual_comment = "Why the root?"
        gradebook.db.commit()


Marks = dict[tuple[str, str], tuple[float | None, float | None, bool]]


def marks(clone: Path) -> Marks:
    """Return what the class has on each cell: by machine, by a person, and whether it waits."""
    with opened(clone) as gradebook:
        return {
            (entered.student.id, grade.name): (
                grade.auto_score,
                grade.manual_score,
                grade.needs_manual_grade,
            )
            for entered in gradebook.find_assignment("softmax").submissions
            for sheet in entered.notebooks
            for grade in sheet.grades
        }


def points(found: Marks, learner: str) -> float:
    """Return what the machine gave a learner."""
    return sum(score[0] or 0.0 for (who, _), score in found.items() if who == learner)


# One learner's file is cut off, until it comes again.
ENDS = {"Grade 1": (1,), "Give back 1": (1, 0), "A learner hands in again 1": (0, 1)}


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
class GivenBack:
    """What the class was given: the rows of grades.csv and the learners' pages."""

    rows: dict[str, dict[str, str]]
    pages: dict[str, str]


def given_back(clone: Path) -> GivenBack:
    with (clone / "grades.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["assignment"] == "softmax"]
    pages = {path.parts[-3]: path.read_text("utf-8") for path in clone.glob("feedback/*/*/*.html")}
    return GivenBack({row["student_id"]: row for row in rows}, pages)


@dataclass(frozen=True)
class Followed:
    """The clone after the whole page, what was typed, and where the class is open.

    Attributes:
        given: what was given back at first, and at last.
        marks: what the class had on each cell, when it was looked at.
        status: what git said of the clone at first.
    """

    walk: Walk
    formgrader: str
    given: tuple[GivenBack, GivenBack]
    marks: dict[str, Marks]
    status: list[str]

    @property
    def clone(self) -> Path:
        return self.walk.clone

    def typed(self, block: str, word: str = "") -> list[Typed]:
        """Return a block's commands that hold a word, in the order in which they were typed."""
        return [one for one in self.walk.typed if one.block == block and word in one.command]


def environment_of(clone: Path, home: Path) -> dict[str, str]:
    # The environment is linked and complete: `true` instead of Python sets up nothing.
    own = {"HOME": str(home), "PYTHONPATH": str(clone), "PYTHON": "true", "TZ": ZONE}
    places = {f"JUPYTER_{kind}_DIR": str(home / kind) for kind in ("CONFIG", "RUNTIME")}
    # Under `make test` a make of its own would inherit the outer one's level and options.
    outer = {
        name: text for name, text in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))
    }
    return outer | own | places


def git_status(clone: Path) -> list[str]:
    """Return what git says of a clone, but for what an author of the course commits."""
    lines = git("-C", str(clone), "status", "--porcelain").splitlines()
    return [line for line in lines if not line[3:].startswith(("solutions/", "exercises/"))]


@pytest.fixture(scope="module")
def followed(tmp_path_factory) -> Iterator[Followed]:
    clone = fresh_clone(tmp_path_factory.mktemp("clone") / "course")
    home = tmp_path_factory.mktemp("home")
    environment = environment_of(clone, home)
    publish(clone)
    before = git_status(clone)
    addresses, first, looks = [], [], {}
    page = blocks((clone / PAGE).read_text(encoding="utf-8"))

    def look(when: str) -> Callable[[Walk], None]:
        return lambda one: looks.update({when: marks(one.clone)})

    def keep(one: Walk) -> None:
        first.append(given_back(one.clone))

    with ExitStack() as open_to_the_end:

        def open_it(command: str) -> None:
            addresses.append(open_to_the_end.enter_context(served(command, clone, environment)))

        one = Walk(clone, environment, page, {"formgrader": open_it})
        steps = {
            "Release 1": [release_that_is_killed],
            "Collect 1": [first_zip, look_with_a_roster_that_lacks_somebody],
            "Grade 1": [grading_that_is_killed],
            "Give back 1": [read_explanations],
            "A learner hands in again 1": [keep, update_of_texts, second_zip],
            "The course changes 1": [look("again"), read_explanations, update_of_what_is_graded],
            "The course changes 2": [the_class_stays, hand_in_the_new_version, look("stays")],
        }
        walk(one, excused=EXCUSED, before=steps, ends=ENDS)
        look("moved")(one)
        read_explanations(one)
        one.type_block("Give back 1")
        commit(one, "The new version, handed out")
        yield Followed(one, addresses[0], (first[0], given_back(clone)), looks, before)


def test_the_page_leads_from_release_to_export(followed):
    verbs = ("make release", "collect", "grade", "formgrader", "report", "export", "release --move")
    typed = [one.command for one in followed.walk.typed]
    order = [next(i for i, c in enumerate(typed) if f"{verb} " in f"{c} ") for verb in verbs]
    assert order == sorted(order)


def test_a_release_that_was_killed_is_completed_and_cleared_away(followed):
    assert "entered softmax into gradebook.db\n" in followed.typed("Release 1")[0].printed
    assert list((followed.clone / "_build").glob("release-*/")) == []


def test_a_dry_run_shows_what_the_collection_does_and_names_who_is_missing(followed):
    lacking = followed.typed("a dry run")[0]
    assert "nobody in roster.csv is 'Jörg Sample'" in lacking.errors
    dry, real = followed.typed("Collect 1")
    # The learners are new to the gradebook in both; else one says that it was dry.
    assert dry.printed.removesuffix("This was a dry run: nothing was written.\n") == real.printed
    assert re.search(
        r"learner-18 +softmax +softmax\.zip: .+softmax \(1\)\.ipynb +2026-11-10 17:00:00",
        real.printed,
    )
    assert "3 new" in real.printed


def test_a_grading_that_was_killed_goes_on_by_itself(followed):
    ended = followed.typed("Grade 1")[0]
    assert ended.printed == "graded 2, pages written 3\n"
    assert re.search("^learner-19, softmax: not graded: The file is cut off", ended.errors, re.M)
    assert not (followed.clone / "states" / "work").exists()


def test_the_report_shows_the_marks_and_the_mistakes(followed):
    report = followed.typed("Read 1", "report")[0].printed
    assert "SM-OVERFLOW" in report
    assert re.search(r"learner-18\s.*5/10", report)
    assert re.search(r"learner-19\s.*not graded", report)
    assert re.search(r"learner-20\s+-$", report, re.MULTILINE), "who handed in nothing is listed"
    assert "graded 2, refused 0, ungraded 1, mended before grading 1" in report


def test_each_learner_is_given_a_state_and_what_it_says(followed):
    """5 of the machine, 1.5 of a person; no number where there is no mark; and nobody is late."""
    rows = followed.given[0].rows
    told = {who: (row["score"], row["state"]) for who, row in rows.items()}
    assert told == {
        "learner-17": ("6.5", "graded"),
        "learner-18": ("6.5", "graded"),
        "learner-19": ("", "ungraded"),
        "learner-20": ("", "not handed in"),
    }
    assert rows["learner-17"]["timestamp"] == "2026-11-10 17:00:00 UTC"
    assert "cut off" in rows["learner-19"]["reason"]
    assert [rows[who]["reason"] for who in ("learner-17", "learner-18", "learner-20")] == [""] * 3
    # Which the report had before it was read.
    assert "graded 0, pages written 2\n" in followed.typed("Give back 1", "grade")[0].printed


def test_each_learner_has_a_page(followed):
    first = followed.given[0].pages
    assert first.keys() == {"learner-17", "learner-18", "learner-19"}
    for learner in ("learner-17", "learner-18"):
        assert "softmax (Score: 6.5 / 10.0)" in first[learner]
        assert "Why the root?" in first[learner]
    assert "This submission could not be graded: The file is cut off" in first["learner-19"]
    assert (
        "https://example.github.io/attention-course/softmax.html#equation-" in first["learner-17"]
    )
    assert "file://" not in first["learner-17"]
    for repair in ("UTF-8 with a byte order mark", 'The cell "imports" was missing'):
        assert repair in unescape(first["learner-18"])
        assert repair not in unescape(first["learner-17"])


def test_a_later_hand_in_counts_and_the_earlier_one_is_kept(followed):
    collected, graded = followed.typed("A learner hands in again 1")[:2]
    assert "1 resubmission, 1 unchanged" in collected.printed
    # Both: the new texts of the course are cells that changed.
    assert graded.printed.startswith("graded 2, ")
    kept = list((followed.clone / "earlier" / "learner-17" / "softmax").glob("*/softmax.ipynb"))
    assert [path.read_bytes() for path in kept] == [at_first(followed.walk, "softmax.ipynb")]


def test_only_an_explanation_that_changed_waits_again(followed):
    found = followed.marks["again"]
    assert points(found, "learner-17") == 8.0
    assert points(found, "learner-18") == 5
    assert found["learner-17", "softmax-explain"] == (None, 1.5, True)
    assert found["learner-18", "softmax-explain"] == (None, 1.5, False)


def test_a_notebook_of_the_new_version_is_graded_as_the_class_has_it(followed):
    graded = followed.typed("A learner hands in again 1", "grade")[1]
    assert graded.printed.startswith("graded 1, ")
    found = followed.marks["stays"]
    assert points(found, "learner-19") == 8.0
    assert found["learner-19", "softmax-bug"][0] == 0.5
    again = followed.marks["again"]
    same = {cell: score[0] for cell, score in found.items() if cell in again}
    assert same == {cell: score[0] for cell, score in again.items()}


def test_a_class_that_was_moved_keeps_its_marks(followed):
    move, graded = followed.typed("The course changes 2")
    assert move.printed.startswith("copied gradebook.db to gradebook.db.")
    assert graded.printed.startswith("graded 3, ")
    found = followed.marks["moved"]
    assert {cell for _, cell in found} == {
        cell for _, cell in followed.marks["stays"] if cell != "softmax-bug"
    }
    scores = {who: points(found, who) for who in ("learner-17", "learner-18", "learner-19")}
    assert scores == {"learner-17": 7.5, "learner-18": 4.5, "learner-19": 7.5}
    # It gives other points now, so it waits; the points that it had stay.
    assert found["learner-17", "softmax-explain"] == (None, 1.5, True)
    assert len(list(followed.clone.glob("gradebook.db.*.bak"))) == 1


def test_the_last_export_has_the_marks_of_the_last_hand_ins(followed):
    rows, pages = followed.given[1].rows, followed.given[1].pages
    told = {who: (row["score"], row["max_score"], row["state"]) for who, row in rows.items()}
    assert told == {
        "learner-17": ("9.0", "10.5", "graded"),
        "learner-18": ("6.0", "10.5", "graded"),
        "learner-19": ("9.0", "10.5", "graded"),
        "learner-20": ("", "10.5", "not handed in"),
    }
    times = [rows[who]["timestamp"][:16] for who in ("learner-17", "learner-18", "learner-19")]
    assert times == ["2026-11-17 17:00", "2026-11-10 17:00", "2026-11-24 17:00"]
    assert "softmax (Score: 9.0 / 10.5)" in pages["learner-19"]
    assert "could not be graded" not in pages["learner-19"]


def test_git_sees_nothing_of_a_class(followed):
    assert git_status(followed.clone) == followed.status


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
    assert listed["softmax"] == ["None", "draft", "3"]
    assert page.locator(".alert").count() == 0
    page.goto(f"{followed.formgrader}/formgrader/manage_submissions/softmax")
    assert sorted(set(re.findall(r"learner-\d+", " ".join(rows(page))))) == sorted(CLASS)[:3]


def test_the_learner_table_shows_the_marks(followed, page):
    page.goto(f"{followed.formgrader}/formgrader/manage_students")
    listed = rows(page)
    # Each notebook has ten points, and the one that was changed half a point more.
    whole = f"{10 * len(slugs()) + 0.5:g}"
    assert any("Example, Zoë" in row and f"9 / {whole}" in row for row in listed)
    assert any("Sample, Jörg" in row and f"6 / {whole}" in row for row in listed)


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
