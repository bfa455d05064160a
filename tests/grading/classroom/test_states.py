"""States, reasons and pages without nbgrader: files with safe names, words, escaped HTML."""

import dataclasses
from types import SimpleNamespace

import pytest

from grading.classroom.grade.gradebook import _take_over_marks
from grading.classroom.grade.pages import box, ungraded_page, with_box
from grading.classroom.grade.reasons import HAND_IN_AGAIN, LOCKED, WAIT, Ungraded, from_log
from grading.classroom.grade.states import (
    State,
    file_digest,
    job_name,
    note,
    noted,
    state_of,
)
from grading.classroom.grade.submissions import content_digest, handed_in_at, submissions

PAIR = ("learner-17", "tiny")
IDS = (
    "learner-17",
    "a--b",
    "a@b",
    "a%40b",
    "a b",
    "[a]",
    "a/b",
    "..",
    "Zo\u00eb",
    "con",
    "a" * 300,
)


def test_each_submission_has_a_file_name_of_its_own_that_every_system_takes(tmp_path):
    names = [job_name((learner, slug)) for learner in IDS for slug in ("tiny", "b@tiny")]
    names += [job_name(("a", "b--c")), job_name(("a--b", "c"))]
    assert len(set(names)) == len(names)
    for name in names:
        assert len(name) < 210
        assert not set(name) & set(':/\\<>"|?*[] '), name
        note(tmp_path, (name, "s"), State(kind="graded"))


def test_a_note_holds_all_of_a_state_and_a_damaged_one_is_none(tmp_path):
    state = State(kind="refused", refused={"c": "no result"}, marked="x", inputs="y", page="z")
    note(tmp_path, PAIR, state)
    assert noted(tmp_path, PAIR) == state
    path = next((tmp_path / "states").glob("*.json"))
    for damaged in ("", "[]", "{}", path.read_text()[:30], path.read_text().replace("ref", "rev")):
        path.write_text(damaged)
        assert noted(tmp_path, PAIR) is None


def test_nothing_in_the_folders_is_not_handed_in(tmp_path):
    assert state_of(tmp_path, PAIR) == State(kind="not handed in")


def test_a_newer_hand_in_is_no_graded_one(tmp_path):
    folder = tmp_path / "submitted" / "learner-17" / "tiny"
    folder.mkdir(parents=True)
    (folder / "tiny.ipynb").write_text("{}")
    note(tmp_path, PAIR, State(kind="graded", files=content_digest(folder), marked="Monday"))
    assert state_of(tmp_path, PAIR).kind == "graded"
    (folder / "tiny.ipynb").write_text("{ }")
    newer = state_of(tmp_path, PAIR)
    assert (newer.kind, newer.marked) == ("ungraded", "Monday")
    assert newer.reason == "a newer hand-in is not graded yet; run `python -m grading grade tiny`"


def test_what_programs_hide_is_not_handed_in_and_links_are_not_followed(tmp_path):
    folder = tmp_path / "submitted" / "learner-17" / "tiny"
    (folder / ".ipynb_checkpoints").mkdir(parents=True)
    (folder / ".ipynb_checkpoints" / "old.ipynb").write_text("old")
    (tmp_path / "submitted" / ".DS_Store").write_text("")
    empty = content_digest(folder)
    (tmp_path / "secret.txt").write_text("secret")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    assert content_digest(folder) == empty
    (folder / "mine.txt").write_text("mine")
    assert content_digest(folder) != empty
    found, unplaced = submissions(tmp_path)
    assert [one.pair for one in found] == [PAIR]
    assert unplaced == []


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("2026-01-05 10:00:00 UTC", "2026-01-05 10:00:00 UTC"),
        ("2026-01-05 10:00:00 +0100", "2026-01-05 09:00:00 UTC"),
        ("2026-01-05 10:00:00.250000", "2026-01-05 10:00:00 UTC"),
        ("", ""),
    ],
)
def test_times_are_shown_in_utc(tmp_path, written, shown):
    (tmp_path / "timestamp.txt").write_text(written)
    assert handed_in_at(tmp_path) == shown


def test_something_else_than_a_time_is_refused(tmp_path):
    assert handed_in_at(tmp_path) == ""
    (tmp_path / "timestamp.txt").write_text("last Monday, I think")
    with pytest.raises(ValueError, match="last Monday"):
        handed_in_at(tmp_path)


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        ("x\n  grading.doctor.errors.UngradableError: Two cells are one.\n", "Two cells are one"),
        ("a NotJSONError: b", "the file is damaged: it is not JSON"),
        ("nbclient.exceptions.DeadKernelError: Kernel died", "the notebook ends its own process"),
        ("OperationalError: (sqlite3.OperationalError) database is locked", LOCKED.reason),
        ("Traceback\n  pkg.mod.OddError: what it says\n", "OddError: what it says"),
        ("nothing", "nbgrader gave no reason; see states/logs/"),
    ],
)
def test_a_log_is_read_for_its_reason(log, reason):
    assert from_log(log).reason.startswith(reason)


def test_only_what_is_not_the_learners_is_tried_again():
    assert LOCKED.is_ours
    assert Ungraded("x", WAIT).is_ours
    assert not Ungraded("x").is_ours
    assert Ungraded("x").next_step == HAND_IN_AGAIN


def test_what_a_submission_says_is_escaped():
    state = State(kind="ungraded", reason="<script>alert(1)</script> & `x<y`", next_step="<b>")
    html = ungraded_page(("<i>", "<u>"), state, has_mark=False)
    assert "<script" not in html
    assert "<b>" not in html
    assert "<u>" not in html
    assert "<code>x&lt;y</code>" in html


def test_an_earlier_mark_stands_first_on_a_page():
    state = State(kind="ungraded", reason="it is not JSON", marked="2026-01-05 10:00:00 UTC")
    page = with_box("<html><body class='a'><h1>8/10</h1></body></html>", state)
    assert page.index("<body class='a'>") < page.index("hand-in of 2026") < page.index("<h1>")
    undated = dataclasses.replace(state, marked="")
    assert "The mark of an earlier hand-in stands." in box(undated, has_mark=True)
    assert "not a mark of 0" in box(undated, has_mark=False)


def test_no_file_has_no_hash(tmp_path):
    assert file_digest(tmp_path / "none") == ""


@pytest.mark.parametrize(
    ("same", "before", "waits"),
    [({"e"}, None, False), (set(), None, True), ({"e"}, 0.0, True)],
    ids=["the same text", "another text", "another number of the machine's"],
)
def test_what_a_person_read_stays_read_where_it_is_the_same(same, before, waits):
    """nbgrader asks for every mark by hand to be looked at again, whenever a hand-in is graded."""
    given = SimpleNamespace(name="e", auto_score=None, needs_manual_grade=True)
    own = SimpleNamespace(name="e", auto_score=before, needs_manual_grade=False, manual_score=1.5)
    _take_over_marks([given], [own], same)
    assert (own.auto_score, own.manual_score, own.needs_manual_grade) == (None, 1.5, waits)
