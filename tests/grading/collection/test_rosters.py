"""A roster is read by its headers, however it is written, and entered as nbgrader has learners."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime

import pytest
from made_zips import HandIn, canvas_gradebook, moodle_zip, worked, worksheet, written_csv

from grading.classroom import enrolment
from grading.collection.learners import enter
from grading.collection.roster import Learner
from grading.collection.roster_file import read_roster
from grading.collection.times import Zone

UTC_ZONE = Zone("UTC")
NAMES = [("Anna", "Keller", 11), ("José María", "Núñez", 12)]
NBGRADER = [
    ["id", "first_name", "last_name", "email", "lms_user_id"],
    ["a1", "Anna", "Keller", "anna@uni.example", "11"],
    ["b 2", "José María", "Núñez", "", ""],
]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_separators_and_encodings(tmp_path, separator, encoding):
    path = written_csv(tmp_path / "r.csv", NBGRADER, separator=separator, encoding=encoding)
    roster = read_roster(path, UTC_ZONE)
    assert [(one.id, one.first_name, one.last_name) for one in roster.learners] == [
        ("a1", "Anna", "Keller"),
        ("b 2", "José María", "Núñez"),
    ]
    assert roster.learners[0].email == "anna@uni.example"
    assert roster.learners[0].lms_user_id == "11"


def test_moodle_worksheet(tmp_path):
    dates = ["Monday, 9 November 2026, 3:05 PM", "-"]
    rows = [(*one, date) for one, date in zip(NAMES, dates, strict=True)]
    roster = read_roster(worksheet(tmp_path / "w.csv", rows), Zone("+01:00"))
    anna, jose = roster.learners
    assert roster.id_column == "ID number"
    assert (anna.id, anna.number, anna.full_name) == ("k11", "11", "Anna Keller")
    assert anna.handed_in == datetime(2026, 11, 9, 14, 5, tzinfo=UTC)
    assert jose.handed_in is None
    assert (jose.first_name, jose.last_name) == ("José María", "Núñez")
    assert roster.remarks == []


@pytest.mark.parametrize(
    "date", ["Monday, November 9, 2026, 3:05 PM", "Monday, 9 November 2026, 15:05"]
)
def test_other_dates_of_moodle(tmp_path, date):
    roster = read_roster(worksheet(tmp_path / "w.csv", [(*NAMES[0], date)]), UTC_ZONE)
    assert roster.learners[0].handed_in == datetime(2026, 11, 9, 15, 5, tzinfo=UTC)


def test_dates_in_another_language_are_said(tmp_path):
    rows = [(*NAMES[0], "Montag, 9. November 2026, 15:05")]
    roster = read_roster(worksheet(tmp_path / "w.csv", rows), UTC_ZONE)
    assert roster.remarks[0].startswith("1 dates of the worksheet are not read ('Montag, 9. ")


def test_moodle_participants_by_email(tmp_path):
    rows = [["First name", "Last name", "Email address", "Groups"]]
    rows += [
        ["Anna", "Keller", "anna@uni.example", "Red, Blue"],
        ["Li", "Wei", "li@uni.example", ""],
    ]
    roster = read_roster(written_csv(tmp_path / "p.csv", rows), UTC_ZONE)
    assert [one.id for one in roster.learners] == ["anna@uni.example", "li@uni.example"]
    assert set(roster.learners[0].groups) == {"Red", "Blue", "Red, Blue"}


def test_canvas_gradebook(tmp_path):
    roster = read_roster(canvas_gradebook(tmp_path / "g.csv", NAMES), UTC_ZONE)
    found = [(one.id, one.first_name, one.last_name, one.lms_user_id) for one in roster.learners]
    assert found == [
        ("login11", "Anna", "Keller", "11"),
        ("login12", "José María", "Núñez", "12"),
    ]


def test_ids_come_from_the_first_column_that_tells_all_apart(tmp_path):
    rows = [["Full name", "ID number", "Email address"]]
    rows += [["Anna Keller", "7", "anna@uni.example"], ["Anna Keller", "", "keller@uni.example"]]
    roster = read_roster(written_csv(tmp_path / "r.csv", rows), UTC_ZONE)
    assert roster.id_column == "Email address"
    names = written_csv(tmp_path / "n.csv", [["Full name"], ["Anna Keller"], ["Zoë Ott"]])
    assert [one.id for one in read_roster(names, UTC_ZONE).learners] == ["Anna-Keller", "Zoë-Ott"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([["Nachname", "Vorname"], ["K", "A"]], "Its columns are Nachname, Vorname; known are id"),
        ([["id", "last_name"], ["a", "K"], ["a", "L"]], "gives an id twice.*: a"),
        ([["id", "last_name"], ["a", "K"], ["", "L"]], r"to a learner none: \(none\)"),
        ([["id", "last_name"], ["a/b", "K"]], "no folder can be called: 'a/b'"),
        ([["id", "last_name"], ["DOM\\anna", "K"]], "no folder can be called"),
        ([["id", "last_name"], ["nul", "K"]], "no folder can be called: 'nul'"),
        ([["Full name"], ["Anna K"], ["Anna K"]], "no column that tells all 2 learners apart"),
        ([[]], "no roster that can be read"),
    ],
)
def test_a_roster_that_cannot_be_used_says_why(tmp_path, rows, message):
    path = written_csv(tmp_path / "r.csv", rows)
    with pytest.raises(ValueError, match=message):
        read_roster(path, UTC_ZONE)


def students(course) -> dict[str, tuple]:
    query = "select id, first_name, last_name, email, lms_user_id from student"
    with closing(sqlite3.connect(course / "gradebook.db")) as gradebook:
        return {row[0]: row[1:] for row in gradebook.execute(query)}


def test_who_is_on_the_roster_is_in_the_gradebook_and_stays_under_one_id(
    tmp_path, course, collect, submitted
):
    book = canvas_gradebook(tmp_path / "g.csv", NAMES)
    made = moodle_zip(tmp_path / "m.zip", [HandIn("Anna", "Keller", 5, worked())])
    dry = collect(made, "--roster", book, "--dry-run")
    assert students(course) == {}
    done = collect(made, "--roster", book)
    assert dry.out == done.out + "This was a dry run: nothing was written.\n"
    assert students(course) == {
        "login11": ("Anna", "Keller", None, "11"),
        "login12": ("José María", "Núñez", None, "12"),
    }
    # A roster with another id for the same number of the LMS enters nobody anew, and adds.
    other = [NBGRADER[0], ["x", "Anna", "Keller", "anna@uni.example", "11"]]
    again = collect(made, "--roster", written_csv(tmp_path / "o.csv", other))
    assert again.states() == {"login11": "unchanged"}
    assert students(course)["login11"] == ("Anna", "Keller", "anna@uni.example", "11")
    assert set(students(course)) == {"login11", "login12"}
    # What a roster lacks is no change.
    assert "0 new or changed in gradebook.db" in collect(made, "--roster", book).out
    # Without a roster, the gradebook's names are one.
    assert collect(made).states() == {"login11": "unchanged"}
    (course / "submitted" / "Anna-Keller").mkdir()
    assert "in submitted/, but not in gradebook.db: Anna-Keller\n" in collect(made).out
    stranger = moodle_zip(tmp_path / "s.zip", [HandIn("Who", "Else", 6, worked())])
    assert "nobody in gradebook.db is 'Who Else' (number 6)" in collect(stranger).err
    assert {path.split("/")[0] for path in submitted()} == {"login11"}


def test_a_locked_gradebook_is_said_and_nothing_is_placed(
    tmp_path, course, collect, submitted, empty_gradebook, monkeypatch
):
    (course / "gradebook.db").write_bytes(empty_gradebook.read_bytes())
    monkeypatch.setattr(enrolment, "PATIENCE", 0.25)
    book = canvas_gradebook(tmp_path / "g.csv", NAMES)
    made = moodle_zip(tmp_path / "m.zip", [HandIn("Anna", "Keller", 5, worked())])
    with closing(sqlite3.connect(course / "gradebook.db")) as other:
        other.execute("begin exclusive")
        with pytest.raises(SystemExit, match=r"program holds .*gradebook\.db.*\n.* was written"):
            collect(made, "--roster", book)
    assert submitted() == {}


def test_entering_hundreds_is_one_step(course, empty_gradebook):
    (course / "gradebook.db").write_bytes(empty_gradebook.read_bytes())
    enter([Learner(id=f"l{number}", last_name=str(number)) for number in range(500)], course)
    assert len(students(course)) == 500
