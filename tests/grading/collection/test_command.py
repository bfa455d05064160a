"""The command: what it refuses, and in which zone it reads a time."""

import struct
import subprocess
from datetime import UTC, datetime, timedelta, timezone
from zipfile import ZipInfo

import pytest
from made_zips import DOWNLOADED, entry, files_below, make_zip, ntfs_time, unix_time, worked

from grading.collection.times import Zone, zip_time
from grading.notebooks import ROOT, slugs

WORK = {"learner-11/softmax.ipynb": worked()}


def test_wrong_calls_are_refused_with_what_to_do(tmp_path, collect, course):
    made = make_zip(tmp_path / "x.zip", WORK)
    known = ", ".join(slugs())
    wrong = {
        (tmp_path / "no.zip",): "There is no ",
        (made, "--roster", tmp_path / "no.csv"): "There is no ",
        (made, "--assignment", "sofmax"): f"no assignment 'sofmax'. Choose one of: {known}.",
        (made, "--timezone", "Vienna"): "no time zone 'Vienna'. Name a place as in Europe/Vienna",
        (course,): "is where notebooks are placed",
    }
    before = files_below(tmp_path)
    for words, message in wrong.items():
        done = collect(*words)
        assert (done.status, message in done.err) == (2, True), words
    assert files_below(tmp_path) == before


def test_a_folder_that_is_no_course_directory(tmp_path, collect, course):
    (course / "nbgrader_config.py").unlink()
    done = collect(make_zip(tmp_path / "x.zip", WORK))
    assert done.status == 2
    assert "is no course directory: it has no nbgrader_config.py." in done.err


def test_an_empty_zip_and_an_empty_folder_are_said(tmp_path, collect):
    (tmp_path / "nothing").mkdir()
    done = collect(make_zip(tmp_path / "x.zip", {}), tmp_path / "nothing")
    assert done.status == 1
    assert done.err.splitlines() == [
        "not placed: x.zip: it holds no file",
        "not placed: nothing: it holds no file",
    ]


@pytest.mark.parametrize(
    ("zone", "stamp"),
    [
        ("UTC", "2026-11-10 12:00:00"),
        ("Europe/Vienna", "2026-11-10 11:00:00"),
        ("UTC-05:30", "2026-11-10 17:30:00"),
    ],
)
def test_the_clock_of_a_zip_is_read_in_the_zone_that_is_named(tmp_path, collect, zone, stamp):
    done = collect(make_zip(tmp_path / "x.zip", WORK), "--timezone", zone)
    assert done.rows[0][3] == stamp
    assert f"Times without a zone are read in {zone}; --timezone names another." in done.out


@pytest.mark.parametrize("extra", [unix_time, ntfs_time])
def test_a_time_in_utc_goes_before_the_clock(tmp_path, collect, submitted, extra):
    moment = datetime(2026, 3, 29, 1, 59, 59, tzinfo=UTC)
    named = entry("learner-11/softmax.ipynb", extra=b"\x75\x70\x01\x00x" + extra(moment))
    collect(make_zip(tmp_path / "x.zip", [(named, worked())]), "--timezone", "Asia/Tokyo")
    assert submitted()["learner-11/softmax/timestamp.txt"] == b"2026-03-29 01:59:59 UTC\n"


def test_extra_fields_that_are_damaged_leave_the_clock():
    for extra in (b"\x55\x54\x05", b"\x55\x54\x02\x00\x01\x00", struct.pack("<HHI", 10, 4, 0)):
        info = ZipInfo("x", (2026, 11, 10, 12, 0, 0))
        info.extra = extra
        assert zip_time(info, Zone("+02:00")) == DOWNLOADED - timedelta(hours=2)


@pytest.mark.parametrize("clock", [(1980, 1, 1, 0, 0, 0), (1980, 0, 0, 0, 0, 0)])
def test_a_clock_that_was_never_set_is_none(clock):
    info = ZipInfo("x")
    info.date_time = clock
    assert zip_time(info, Zone("UTC")) is None


def test_a_place_on_earth_without_a_name_for_its_zone():
    assert Zone("+05:45").zone == timezone(timedelta(hours=5, minutes=45))
    assert "this computer's time zone" in Zone().name


def test_what_a_collection_makes_and_is_made_from_is_ignored():
    made = ["earlier/a/b.ipynb", "submitted/a/.b.unfinished/b.ipynb", "softmax.zip", "hw.tar.gz"]
    own = ["grading/collection/plan.py", "book/earlier/a.md", "tests/x.zip"]
    command = ["git", "check-ignore", "--no-index", *made, "roster.csv", *own]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.split() == [*made, "roster.csv"]
