"""`python -m grading grade` on a small class: graded once, then changed in each way that counts."""

import csv
import json
import re
import shutil
import sqlite3
import subprocess
import sys
import time
import unicodedata
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

import nbformat
import pytest
from opened_formgrader import opened_formgrader

from grading.classroom.course_directory import nbgrader_api, write_settings
from grading.classroom.grade import marking, telling
from grading.classroom.grade.apart import grade_apart
from grading.classroom.grade.gradebook import GradebookLockedError, copy_gradebook, opened
from grading.classroom.grade.pages import page_of
from grading.classroom.grade.rereading import still_read
from grading.classroom.grade.run import alone, chosen, grade
from grading.classroom.grade.states import graded_notebook, state_of
from grading.classroom.grade.submissions import Submission, content_digest, submissions
from grading.report.export import ExportWithStates
from grading.report.marks import read_course
from grading.verdict.record import MIME, UNJUDGED, Record

TIME = "2026-01-05 10:00:00 UTC"
BRACKETS = "learner [17]"
COMPOSED = unicodedata.normalize("NFC", "Zoe\N{COMBINING DIAERESIS}")
RIGHT = {"double": "return 2.0"}


def command(course: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "grading", *words, "--course", str(course)]


def typed(course: Path, *words: str, status: int) -> str:
    """Type a command; return what it wrote to stderr, without the bar of progress."""
    done = subprocess.run(command(course, *words), capture_output=True, text=True, timeout=300)
    assert done.returncode == status, done.stdout + done.stderr
    return "".join(f"{line}\n" for line in done.stderr.splitlines() if "%|" not in line and line)


def one_by_one(call, jobs):
    """Do what `in_processes` does, here: each process of its own imports nbgrader anew."""
    for job, arguments in jobs.items():
        ends: Future = Future()
        ends.set_result(call(*arguments))
        yield job, ends


@contextmanager
def here():
    """Grade in this process; the command and a run that is killed use processes of their own."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (marking, telling):
            patch.setattr(module, "in_processes", one_by_one)
        yield


@pytest.fixture
def in_this_process():
    with here():
        yield


@pytest.fixture(scope="module")
def released(make_tiny_course):
    return make_tiny_course({"double": "return 2.0"})


def handed_in(course, learner: str, body: str = "return 2.0", explanation: str = "One.") -> Path:
    path = course.answer(learner, {"double": body}, explanation)
    (path.parent / "timestamp.txt").write_text(TIME)
    return path


@pytest.fixture(scope="module")
def course(released):
    """A class in which each learner has another fate."""
    course = released
    handed_in(course, "right")
    handed_in(course, "wrong", "return 0.0")
    handed_in(course, "silent", "return None")
    handed_in(course, BRACKETS)
    handed_in(course, unicodedata.normalize("NFD", COMPOSED))
    broken = handed_in(course, "cut-off")
    broken.write_bytes(broken.read_bytes()[:300])
    path = handed_in(course, "deleted")
    nb = nbformat.read(path, as_version=4)
    nb.cells = [
        c for c in nb.cells if c.metadata.get("nbgrader", {}).get("grade_id") != "tiny-double"
    ]
    nbformat.write(nb, path)
    (course.root / "submitted" / "empty" / "tiny").mkdir(parents=True)
    (course.root / "submitted" / "loose.ipynb").write_text("{}")
    with opened(course.root) as gradebook:
        gradebook.add_student("absent", first_name="A", last_name="Comma, with")
    return course


@pytest.fixture(scope="module")
def first(course) -> str:
    return typed(course.root, "grade", status=1)


def pair(learner: str) -> tuple[str, str]:
    return learner, "tiny"


def why_not(course, learner: str) -> str:
    """Return the reason that was noted, which is the same wherever it is told."""
    state = state_of(course.root, pair(learner))
    assert (state.kind, state.reason != "") == ("ungraded", True)
    return state.reason


def test_all_are_graded_whatever_their_ids(course, first):
    assert course.points("right") == {"double": 2.0, "explain": None}
    assert course.points("wrong")["double"] == 0.0
    assert course.points(BRACKETS)["double"] == 2.0
    assert course.points(COMPOSED)["double"] == 2.0
    folders = {path.name for path in (course.root / "submitted").iterdir()}
    assert COMPOSED in folders
    assert page_of(course.root, pair(BRACKETS)).is_file()
    assert course.points("cut-off") == {}


def test_who_is_not_graded_is_named_with_the_reason(course, first):
    lines = first.splitlines()
    assert f"cut-off, tiny: not graded: {why_not(course, 'cut-off')}" in lines
    assert any(line.startswith("empty, tiny: not graded: ") for line in lines)
    assert "submitted/loose.ipynb lies in no learner's folder." in lines
    assert "Traceback" not in first


def test_states_say_what_was_refused(course, first):
    assert state_of(course.root, pair("right")).kind == "graded"
    silent = state_of(course.root, pair("silent"))
    assert silent.kind == "refused"
    assert "showed no result" in silent.refused["tiny-double"]


def test_a_check_that_is_gone_is_told_where_it_cost_points(course, first):
    page = page_of(course.root, pair("deleted")).read_text(encoding="utf-8")
    is_told = "no longer in this notebook" in page
    assert is_told == (course.points("deleted")["double"] == 0.0)
    assert is_told == (state_of(course.root, pair("deleted")).kind == "refused")


def test_what_is_not_graded_has_a_page_of_its_own(course, first, browser):
    view = browser.new_page(viewport={"width": 360, "height": 640}, color_scheme="dark")
    asked = []
    view.on("request", lambda request: asked.append(request.url))
    address = page_of(course.root, pair("cut-off")).as_uri()
    view.goto(address)
    said = view.inner_text("body")
    assert f"This submission could not be graded: {why_not(course, 'cut-off')}." in said
    assert re.search("hand (it )?in", said)
    assert "no mark, which is not a mark of 0" in said
    assert asked == [address]
    assert view.evaluate("document.documentElement.scrollWidth") <= 360
    dark = view.evaluate("getComputedStyle(document.body).backgroundColor")
    view.emulate_media(color_scheme="light")
    assert view.evaluate("getComputedStyle(document.body).backgroundColor") != dark
    view.close()


def exported(course) -> dict[str, dict[str, str]]:
    """Return what the settings' exporter writes."""
    exporter = ExportWithStates(parent=nbgrader_api(course.root))
    exporter.to = str(course.root / "grades.csv")
    with opened(course.root) as gradebook:
        exporter.export(gradebook)
    return table(course)


def table(course) -> dict[str, dict[str, str]]:
    with (course.root / "grades.csv").open(encoding="utf-8", newline="") as file:
        return {row["student_id"]: row for row in csv.DictReader(file)}


def test_the_export_has_no_number_where_there_is_no_mark(course, first):
    course.nbgrader("export")
    rows = table(course)
    assert rows == exported(course)
    assert rows["right"]["score"] == "2.0"
    assert rows["right"]["timestamp"] == TIME
    assert rows["right"]["state"] == "graded"
    assert rows["right"]["reason"] == "an explanation waits to be read"
    assert rows["wrong"]["score"] == "0.0"
    assert (rows["silent"]["score"], rows["silent"]["state"]) == ("0.0", "refused")
    for learner, state in {"cut-off": "ungraded", "empty": "ungraded"}.items():
        assert (rows[learner]["score"], rows[learner]["raw_score"]) == ("", "")
        assert rows[learner]["state"] == state
        assert rows[learner]["reason"] != ""
    absent = rows["absent"]
    assert (absent["score"], absent["state"], absent["reason"]) == ("", "not handed in", "")
    assert absent["last_name"] == "Comma, with"
    assert absent["max_score"] == "4.0"


def test_the_report_has_a_row_for_each_check(course, first):
    marks, rows = read_course(course.root)
    states = {mark.learner: (mark.state, mark.points) for mark in marks}
    assert states["right"] == ("graded", 2.0)
    assert states["cut-off"] == ("ungraded", None)
    checks = {(row.learner, row.check): row for row in rows}
    assert checks["cut-off", "tiny-double"].points is None
    assert checks["cut-off", "tiny-double"].reason == why_not(course, "cut-off")
    assert checks["silent", "tiny-double"].state == "refused"
    unread = checks["right", "tiny-explain"]
    assert (unread.state, unread.points, unread.reason) == ("ungraded", None, "waits to be read")


def graded_at(course) -> dict[str, int]:
    folder = course.root / "autograded"
    return {path.parts[-3]: path.stat().st_mtime_ns for path in folder.rglob("*.ipynb")}


def pages_at(course) -> dict[str, int]:
    folder = course.root / "feedback"
    return {path.parts[-3]: path.stat().st_mtime_ns for path in folder.rglob("*.html")}


def test_a_second_run_does_nothing_and_names_the_ungraded_again(course, first):
    before = graded_at(course), pages_at(course)
    assert typed(course.root, "grade", status=1) == first
    assert (graded_at(course), pages_at(course)) == before
    assert typed(course.root, "grade", "tiny", "--student", "right", status=0) == ""


def test_a_name_that_is_nowhere_is_wrong_usage(course, first):
    assert "nothing of 'tinny'" in typed(course.root, "grade", "tinny", status=2)
    found, _ = submissions(course.root)
    with pytest.raises(ValueError, match="nothing of 'rihgt'"):
        chosen(found, [], "rihgt")


@pytest.fixture(scope="module")
def read_by_hand(course, first):
    """Read one explanation and grade again; return what the run did, and the times before it."""
    before, pages = graded_at(course), pages_at(course)
    with opened(course.root) as gradebook:
        gradebook.find_grade("tiny-explain", "tiny", "tiny", "wrong").manual_score = 1.5
        comment = gradebook.find_comment("tiny-explain", "tiny", "tiny", "wrong")
        comment.manual_comment = "Well seen."
        gradebook.db.commit()
    with here():
        ended = grade(course.root)
    page = page_of(course.root, pair("wrong")).read_text(encoding="utf-8")
    return ended, page, graded_at(course) == before, pages


def test_a_mark_read_later_gives_a_new_page_and_no_new_grading(course, read_by_hand):
    ended, page, is_graded_as_before, pages = read_by_hand
    assert ended.pages == [pair("wrong")]
    assert ended.graded == []
    assert "Well seen." in page
    assert "Score: 1.5 / 4.0" in page
    assert is_graded_as_before
    assert {who for who, time in pages_at(course).items() if time != pages[who]} == {"wrong"}


@pytest.mark.usefixtures("in_this_process")
def test_a_failed_resubmission_leaves_the_earlier_mark_and_says_so(course, read_by_hand):
    path = course.root / "submitted" / "wrong" / "tiny" / "tiny.ipynb"
    whole = path.read_bytes()
    path.write_bytes(whole[:300])
    (path.parent / "timestamp.txt").write_text("2026-01-09 08:00:00 UTC")
    waits = state_of(course.root, pair("wrong"))
    assert (waits.kind, "newer hand-in" in waits.reason) == ("ungraded", True)
    ended = grade(course.root, ["tiny"], "wrong")
    why = ended.ungraded[pair("wrong")].reason
    row = exported(course)["wrong"]
    assert (row["score"], row["timestamp"], row["state"]) == ("1.5", TIME, "ungraded")
    assert row["reason"] == f"{why}; The mark of the hand-in of {TIME} stands"
    page = page_of(course.root, pair("wrong")).read_text(encoding="utf-8")
    assert f"The mark of the hand-in of {TIME} stands." in page
    assert "Well seen." in page
    # Handed in anew, whole and right: graded again, and what was read by hand stays.
    path.write_bytes(whole.replace(b"return 0.0", b"return 2.0"))
    assert grade(course.root, ["tiny"], "wrong").graded == [pair("wrong")]
    assert course.points("wrong")["double"] == 2.0
    row = exported(course)["wrong"]
    assert (row["score"], row["timestamp"]) == ("3.5", "2026-01-09 08:00:00 UTC")
    assert "stands" not in page_of(course.root, pair("wrong")).read_text(encoding="utf-8")


@pytest.mark.usefixtures("in_this_process")
def test_what_nbgraders_own_command_graded_meanwhile_is_seen(course, first):
    """Mended in place and graded by nbgrader: graded. Graded again there and failed: not."""
    path = course.root / "submitted" / "cut-off" / "tiny" / "tiny.ipynb"
    damaged = path.read_bytes()
    shutil.copy(course.root / "submitted" / "right" / "tiny" / "tiny.ipynb", path)
    course.nbgrader("autograde", "tiny", "--student", "cut-off")
    assert state_of(course.root, pair("cut-off")).kind == "graded"
    assert exported(course)["cut-off"]["score"] == "2.0"
    path.write_bytes(damaged)
    course.nbgrader("autograde", "tiny", "--student", "cut-off", "--force", fails=True)
    row = exported(course)["cut-off"]
    assert (row["score"], row["state"]) == ("2.0", "ungraded")
    assert row["reason"].endswith("The mark of an earlier hand-in stands")
    ended = grade(course.root, ["tiny"], "cut-off")
    assert list(ended.ungraded) == [pair("cut-off")]


def says(record: Record) -> str:
    """The body of a function whose result shows a record, as a check's does."""
    shown = {MIME: record.to_json(), "text/plain": f"{record.points}"}
    method = f"lambda self, **_: {shown!r}"
    return f"return type('Shown', (), {{'_repr_mimebundle_': {method}}})()"


@pytest.mark.usefixtures("in_this_process")
def test_a_check_that_failed_by_itself_is_no_mark(course, first):
    """The learner is told that it was not their answer, and the next run tries again."""
    why = "Your answer was not judged, and that is our fault: the machine was too busy."
    record = Record(
        exercise="double", passed=False, points=0.0, max_points=0.0, rule=UNJUDGED, parts=(why,)
    )
    handed_in(course, "unlucky", says(record))
    for _ in range(2):
        ended = grade(course.root, ["tiny"], "unlucky")
        assert (ended.graded, list(ended.ungraded)) == ([], [pair("unlucky")])
    row = exported(course)["unlucky"]
    assert (row["score"], row["state"]) == ("", "ungraded")
    assert row["reason"] == f"tiny-double: {why[:-1]}"
    page = page_of(course.root, pair("unlucky")).read_text(encoding="utf-8")
    assert "that is our fault: the machine was too busy" in page
    assert "You need not do anything" in page
    shutil.rmtree(course.root / "submitted" / "unlucky")


@pytest.mark.usefixtures("in_this_process")
def test_a_changed_engine_grades_again_and_what_was_read_stays_read(course, first, monkeypatch):
    def read() -> tuple[float, bool]:
        with opened(course.root) as gradebook:
            one = gradebook.find_grade("tiny-explain", "tiny", "tiny", "right")
            return one.manual_score, one.needs_manual_grade

    with opened(course.root) as gradebook:
        one = gradebook.find_grade("tiny-explain", "tiny", "tiny", "right")
        one.manual_score, one.needs_manual_grade = 1.0, False
        gradebook.db.commit()
    monkeypatch.setattr(marking, "engine_digest", lambda: "another engine")
    assert grade(course.root, ["tiny"], "right").graded == [pair("right")]
    assert course.points("right")["double"] == 2.0
    assert read() == (1.0, False)
    handed_in(course, "right", explanation="Something else.")
    assert grade(course.root, ["tiny"], "right").graded == [pair("right")]
    assert read() == (1.0, True)


def explained(path: Path, answer: str = "return 2.0", text: str = "One.") -> Path:
    """A graded notebook with an answer, its check and an explanation."""
    marks = {
        "answer": {"solution": True},
        "check": {"grade": True, "solution": False},
        "explanation": {"grade": True, "solution": True},
    }
    cells = [nbformat.v4.new_code_cell(answer), nbformat.v4.new_code_cell("check(double)")]
    cells.append(nbformat.v4.new_markdown_cell(text))
    for cell, (name, own) in zip(cells, marks.items(), strict=True):
        cell.metadata["nbgrader"] = {"grade_id": name, **own}
    nbformat.write(nbformat.v4.new_notebook(cells=[*cells, nbformat.v4.new_code_cell("1")]), path)
    return path


def test_a_mark_by_hand_is_about_what_was_read(tmp_path):
    """An explanation's about its text; one that a person gave a check, about every answer."""
    before = explained(tmp_path / "before.ipynb")
    now = tmp_path / "now.ipynb"
    assert still_read(before, explained(now)) == {"answer", "check", "explanation"}
    assert still_read(before, explained(now, text="Two.")) == {"answer"}
    assert still_read(before, explained(now, answer="return 1.0")) == {"explanation"}
    assert still_read(tmp_path / "none.ipynb", now) == set()


def test_the_formgrader_opens_on_such_a_class_and_logs_no_alarm(course, first, tmp_path):
    with opened_formgrader(course.root, tmp_path) as server:
        base = "/formgrader/api"
        for page in ("", "/manage_assignments", "/gradebook/tiny/tiny", "/manage_students"):
            assert "formgrader" in server.get(f"/formgrader{page}")
        listed = {row["student"]: row for row in json.loads(server.get(f"{base}/submissions/tiny"))}
        assert listed["right"]["autograded"]
        assert listed[BRACKETS]["score"] == 2.0
        assert (listed["empty"]["autograded"], listed["empty"]["submitted"]) == (False, True)
        assert "absent" not in listed
        for row in json.loads(server.get(f"{base}/submitted_notebooks/tiny/tiny")):
            assert "double" in server.get(f"/formgrader/submissions/{row['id']}/?index=0")
        for learner in (BRACKETS, "cut-off", COMPOSED):
            assert server.get(f"/formgrader/manage_students/{quote(learner)}/tiny") != ""
        assert server.alarms() == []


# A class of three, apart from the first: locked, killed, and taken over in pieces.


@pytest.fixture(scope="module")
def three(released, tmp_path_factory):
    root = tmp_path_factory.mktemp("three") / "course"
    shutil.copytree(released.root / "exercises", root / "exercises")
    shutil.copytree(released.root / "solutions", root / "solutions")
    write_settings(root)
    course = type(released).__new__(type(released))
    course.root = root
    shutil.copyfile(released.root / "gradebook.db", root / "gradebook.db")
    with opened(root) as gradebook:
        for submission in list(gradebook.find_assignment("tiny").submissions):
            gradebook.remove_submission("tiny", submission.student.id)
    handed_in(course, "one")
    handed_in(course, "two", "return 1.0")
    handed_in(course, "three", "return 0.0")
    return course


@pytest.mark.usefixtures("in_this_process")
def test_a_lock_on_the_gradebook_is_waited_for_and_then_told(three):
    """Another program writes for longer than the run waits: the batch goes on, and says so."""
    with closing(sqlite3.connect(three.root / "gradebook.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        ended = grade(three.root, patience=0.05)
        assert [state.reason for state in ended.ungraded.values()] == [
            "another program has the gradebook locked; close it and grade again"
        ] * 3
        page = page_of(three.root, pair("one")).read_text(encoding="utf-8")
        assert "You need not do anything" in page
        other.execute("ROLLBACK")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(GradebookLockedError):
            grade(three.root, patience=0.05)
    assert three.points("one") == {}
    # The lock is gone and nothing else has changed: they are tried again.
    assert len(grade(three.root).graded) == 3
    assert [three.points(who)["double"] for who in ("one", "two", "three")] == [2.0, 1.0, 0.0]


def state_files(three) -> set[str]:
    return {path.name for path in (three.root / "states").glob("*.json")}


#: A run is killed when this is there.
MOMENTS = {
    "the first is being graded": "states/work/0/autograded/*/tiny",
    "the first was taken over": "autograded/*/tiny/tiny.ipynb",
    "the first is noted": "states/*.json",
}


def test_a_run_that_is_killed_goes_on_where_it_was(three):
    for name in ("gradebook.db", "autograded", "feedback", "states"):
        path = three.root / name
        shutil.rmtree(path) if path.is_dir() else None
    with opened(three.root) as gradebook:
        for learner in [student.id for student in gradebook.students]:
            gradebook.remove_student(learner)
    for pattern in MOMENTS.values():
        run = subprocess.Popen(command(three.root, "grade"), stderr=subprocess.DEVNULL)
        end = time.monotonic() + 120
        while not list(three.root.glob(pattern)):
            assert run.poll() is None, pattern
            assert time.monotonic() < end, pattern
            time.sleep(0.01)
        run.kill()
        assert run.wait() != 0, pattern
    noted = state_files(three)
    assert 0 < len(noted) < 3
    done = {name.split("%40")[0].split("@")[0] for name in noted}
    before = graded_at(three)
    ended = grade(three.root)
    assert {learner for learner, _ in ended.graded} == {"one", "two", "three"} - done
    assert {who: graded_at(three)[who] for who in done} == {who: before[who] for who in done}
    assert [three.points(who)["double"] for who in ("one", "two", "three")] == [2.0, 1.0, 0.0]
    assert all(page_of(three.root, pair(who)).is_file() for who in ("one", "two", "three"))
    assert grade(three.root).graded == []
    assert not (three.root / "states" / "work").exists()


class KilledError(BaseException):
    """The process ends here."""


def killed(*_, **__):
    raise KilledError


def test_taking_over_can_be_cut_off_anywhere(three, monkeypatch, tmp_path):
    """After each step of a take-over that ends there, the next run repeats it and ends it."""
    one = Submission(learner="two", slug="tiny", folder=three.root / "submitted" / "two" / "tiny")
    copy_gradebook(three.root, tmp_path / "gradebook.db", 1.0)
    why, content = grade_apart(three.root, tmp_path / "place", one)
    assert why is None
    run = marking.Run.starts(three.root, tmp_path, [one], 1.0)
    for number, step in enumerate(("move", "write_page", "marks", "note")):
        (three.root / "submitted" / "two" / "tiny" / "extra.txt").write_text(str(number))
        changed = content_digest(one.folder)
        place = tmp_path / str(number)
        shutil.copytree(tmp_path / "place", place)
        with monkeypatch.context() as patch:
            patch.setattr(marking, step, killed)
            assert marking.enter(run, one, place) is None
            with pytest.raises(KilledError):
                marking.take_over(run, one, place, changed)
        assert not marking.is_done(run, one, changed, insists=False), step
        place = tmp_path / f"{number} again"
        shutil.copytree(tmp_path / "place", place)
        assert marking.enter(run, one, place) is None
        marking.take_over(run, one, place, changed)
        assert marking.is_done(run, one, changed, insists=False)
    assert content != changed
    # nbgrader removes the graded notebook of a run of its own that failed: then nothing is done.
    shutil.rmtree(graded_notebook(three.root, one.pair).parent)
    assert not marking.is_done(run, one, changed, insists=False)


def test_two_runs_never_work_at_once(three):
    with alone(three.root.resolve()), pytest.raises(SystemExit, match="another run of `grade`"):
        grade(three.root)


def test_a_process_that_died_is_a_reason_and_the_next_run_tries_again(three, monkeypatch):
    path = three.root / "submitted" / "one" / "tiny" / "extra.txt"
    path.write_text("A new hand-in.")
    ends: Future = Future()
    ends.set_exception(BrokenProcessPool("killed"))
    real = marking.in_processes
    monkeypatch.setattr(marking, "in_processes", lambda call, jobs: [(job, ends) for job in jobs])
    ended = grade(three.root)
    assert ended.ungraded[pair("one")].reason == "grading it was cut off (BrokenProcessPool)"
    monkeypatch.setattr(marking, "in_processes", real)
    assert pair("one") in grade(three.root).graded


def test_a_gradebook_that_was_put_back_is_noticed_and_graded_again(three, tmp_path):
    """One graded since the copy was made has an old mark there, one none at all: nobody has a 0."""
    assert grade(three.root).is_complete
    with opened(three.root) as gradebook:
        gradebook.remove_submission("tiny", "three")
    shutil.copyfile(three.root / "gradebook.db", tmp_path / "copy.db")
    handed_in(three, "two", "return 0.0")
    assert {learner for learner, _ in grade(three.root).graded} == {"two", "three"}
    now = {who: three.points(who)["double"] for who in ("one", "two", "three")}
    shutil.copyfile(tmp_path / "copy.db", three.root / "gradebook.db")
    rows = exported(three)
    states = {who: (row["state"], row["score"]) for who, row in rows.items()}
    assert states == {
        "one": ("graded", "2.0"),
        "two": ("ungraded", "1.0"),
        "three": ("ungraded", ""),
    }
    assert "the gradebook holds another mark of this hand-in; run" in rows["two"]["reason"]
    assert rows["three"]["reason"].startswith("the gradebook holds no mark of this hand-in; run")
    assert [mark.state for mark in read_course(three.root)[0]] == ["graded", "ungraded", "ungraded"]
    ended = grade(three.root)
    assert {learner for learner, _ in ended.graded} == {"two", "three"}
    assert ended.is_complete
    assert {who: three.points(who)["double"] for who in now} == now
    assert {row["state"] for row in exported(three).values()} == {"graded"}


def test_a_mark_that_was_put_back_is_not_said_to_be_of_the_hand_in_that_was_noted(three, tmp_path):
    shutil.copyfile(three.root / "gradebook.db", tmp_path / "copy.db")
    path = handed_in(three, "one", "return 0.0")
    assert grade(three.root).graded == [pair("one")]
    shutil.copyfile(tmp_path / "copy.db", three.root / "gradebook.db")
    path.write_bytes(path.read_bytes()[:300])
    assert grade(three.root).ungraded[pair("one")].marked == ""
    assert exported(three)["one"]["reason"].endswith("The mark of an earlier hand-in stands")


def test_what_is_no_lock_is_not_called_one(three):
    """A gradebook that is damaged, or a full disk, is said as it is, and that nothing is lost."""
    book = three.root / "gradebook.db"
    whole = book.read_bytes()
    book.write_bytes(b"no database" * 500)
    try:
        said = typed(three.root, "grade", status=1)
    finally:
        book.write_bytes(whole)
    assert "file is not a database. The grading stopped here and lost nothing" in said
    assert "locked" not in said
