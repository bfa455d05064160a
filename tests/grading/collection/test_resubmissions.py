"""A second collection: the newer replaces, the earlier is kept, the same stays; killed or not."""

import os
from datetime import timedelta
from pathlib import Path

import pytest
from made_zips import (
    DOWNLOADED,
    HandIn,
    entry,
    files_below,
    make_zip,
    moodle_zip,
    worked,
    worksheet,
    zipped,
)

from grading.collection.places import Place, finish_all

OLD, NEW = worked(text="old"), worked(text="new")
LATER = DOWNLOADED + timedelta(days=2)
PLACE = "learner-11/softmax/softmax.ipynb"
STAMP = "learner-11/softmax/timestamp.txt"


def handed_in(path, data, when=DOWNLOADED):
    return make_zip(path, {entry("learner-11/softmax.ipynb", when): data})


def test_a_newer_one_replaces_and_the_earlier_is_kept(tmp_path, course, collect, submitted):
    collect(handed_in(tmp_path / "a.zip", OLD))
    done = collect(handed_in(tmp_path / "b.zip", NEW, LATER))
    assert done.states() == {"learner-11": "resubmission"}
    assert "What a resubmission replaces is kept in earlier/." in done.out
    assert submitted() == {PLACE: NEW, STAMP: b"2026-11-12 12:00:00 UTC\n"}
    kept = files_below(course / "earlier")
    (folder,) = {path.rsplit("/", 1)[0] for path in kept}
    assert folder.startswith("learner-11/softmax/2026-11-10-120000-")
    assert sorted(kept.values()) == sorted([OLD, b"2026-11-10 12:00:00 UTC\n"])


def test_the_same_is_left_alone_to_the_bit_and_the_second(tmp_path, course, collect, submitted):
    collect(handed_in(tmp_path / "a.zip", OLD))
    paths = [course / "submitted" / name for name in (PLACE, STAMP)]
    for path in paths:
        os.utime(path, (1_000_000_000, 1_000_000_000))
    before = submitted()
    done = collect(handed_in(tmp_path / "b.zip", OLD, LATER))
    assert done.rows == [
        [
            "learner-11",
            "softmax",
            "b.zip: learner-11/softmax.ipynb",
            "2026-11-10 12:00:00",
            "unchanged",
        ]
    ]
    assert submitted() == before
    assert [path.stat().st_mtime for path in paths] == [1_000_000_000] * 2
    assert not (course / "earlier").exists()


def test_an_older_one_never_replaces_a_newer(tmp_path, course, collect, submitted):
    collect(handed_in(tmp_path / "b.zip", NEW, LATER))
    done = collect(handed_in(tmp_path / "a.zip", OLD))
    assert done.status == 0
    assert done.states() == {"learner-11": "older"}
    assert "what lies in submitted/ was handed in later" in done.out
    assert submitted()[PLACE] == NEW


def test_a_time_in_the_future_is_said_and_hides_no_later_hand_in(
    tmp_path, course, collect, submitted
):
    done = collect(handed_in(tmp_path / "a.zip", OLD, DOWNLOADED + timedelta(days=365)))
    assert (done.status, done.states()) == (0, {"learner-11": "new"})
    assert "1 of these times lie in the future" in done.out
    done = collect(handed_in(tmp_path / "b.zip", NEW, LATER))
    assert (done.status, submitted()[PLACE]) == (1, OLD)
    assert "the time of what lies in submitted/learner-11/softmax is in the future" in done.err
    # As the message says:
    (course / "submitted" / STAMP).write_text("2026-11-10 12:00:00 UTC")
    done = collect(tmp_path / "b.zip")
    assert (done.status, submitted()[PLACE]) == (0, NEW)
    assert "in the future" not in done.out


@pytest.mark.parametrize("order", [("a", "b"), ("b", "a")])
def test_two_zips_at_once_in_either_order(tmp_path, course, collect, submitted, order):
    made = {
        "a": handed_in(tmp_path / "a.zip", OLD),
        "b": handed_in(tmp_path / "b.zip", NEW, LATER),
    }
    done = collect(*(made[name] for name in order))
    assert [row[-1] for row in done.rows] == ["new", "resubmission"]
    assert submitted()[PLACE] == NEW
    assert OLD in files_below(course / "earlier").values()


def test_other_contents_of_the_same_second_are_not_guessed(tmp_path, collect, submitted):
    collect(handed_in(tmp_path / "a.zip", OLD))
    done = collect(handed_in(tmp_path / "b.zip", NEW))
    assert done.status == 1
    assert "submitted/learner-11/softmax has another notebook of the very same time" in done.err
    assert submitted()[PLACE] == OLD


def test_what_was_copied_by_hand_is_known_by_its_file_time(tmp_path, course, collect, submitted):
    path = course / "submitted" / "learner-11" / "softmax" / "my work.ipynb"
    path.parent.mkdir(parents=True)
    path.write_bytes(OLD)
    (path.parent / "data.csv").write_bytes(b"1,2")
    noon = DOWNLOADED.timestamp()
    os.utime(path, (noon, noon))
    assert collect(handed_in(tmp_path / "a.zip", OLD)).states() == {"learner-11": "unchanged"}
    early = handed_in(tmp_path / "0.zip", NEW, DOWNLOADED - timedelta(days=1))
    assert collect(early).states() == {"learner-11": "older"}
    assert collect(handed_in(tmp_path / "b.zip", NEW, LATER)).states() == {
        "learner-11": "resubmission"
    }
    # The old notebook must not lie beside the new one, where it could be graded in its place.
    assert set(submitted()) == {PLACE, STAMP, "learner-11/softmax/data.csv"}
    kept = files_below(course / "earlier")
    assert {path.split("/")[-1] for path in kept} == {"my work.ipynb", "data.csv"}


def test_a_dry_run_writes_nothing_and_says_what_the_run_then_does(tmp_path, collect, submitted):
    collect(handed_in(tmp_path / "a.zip", OLD))
    made = handed_in(tmp_path / "b.zip", NEW, LATER)
    bad = make_zip(tmp_path / "c.zip", {"learner-12/softmax.ipynb": b"{}"})
    before = files_below(tmp_path)
    dry = collect(made, bad, "--dry-run")
    assert files_below(tmp_path) == before
    done = collect(made, bad)
    assert dry.out == done.out + "This was a dry run: nothing was written.\n"
    assert (dry.err, dry.status) == (done.err, done.status)
    assert done.status == 1


def test_moodles_worksheet_has_the_time_of_the_hand_in(tmp_path, collect, submitted):
    anna = HandIn("Anna", "Keller", 11, OLD)
    made = moodle_zip(tmp_path / "m.zip", [anna])
    plain = collect(made, "--dry-run")
    assert "1 of these times are those of the download" in plain.out
    date = "Monday, 9 November 2026, 11:05 AM"
    sheet = worksheet(tmp_path / "w.csv", [("Anna", "Keller", 11, date)])
    done = collect(made, "--roster", sheet, "--timezone", "Europe/Vienna")
    assert "of the download" not in done.out
    assert submitted()["k11/softmax/timestamp.txt"] == b"2026-11-09 10:05:00 UTC\n"
    # The sheet of another assignment has other numbers, and its dates are not this one's.
    other = worksheet(
        tmp_path / "o.csv", [("Anna", "Keller", 99, "Sunday, 1 November 2026, 1:00 PM")]
    )
    again = collect(moodle_zip(tmp_path / "n.zip", [HandIn("Anna", "Keller", 11, NEW)], when=LATER))
    assert again.rows[0][3:] == ["2026-11-12 12:00:00", "resubmission"]
    assert other.exists()


def test_nbgraders_own_stamp_is_taken_and_a_learners_is_not(tmp_path, collect, submitted):
    stamp = b"2026-11-01 08:00:00 UTC"
    beside = {"learner-11/softmax/softmax.ipynb": OLD, "learner-11/softmax/timestamp.txt": stamp}
    own = zipped({"softmax.ipynb": NEW, "timestamp.txt": stamp})
    done = collect(make_zip(tmp_path / "x.zip", {**beside, "learner-12/mine.zip": own}))
    assert done.status == 0
    assert submitted()[STAMP] == stamp + b"\n"
    assert submitted()["learner-12/softmax/timestamp.txt"] == b"2026-11-10 12:00:00 UTC\n"
    text = HandIn("Anna", "Keller", 13, stamp, "timestamp.txt")
    collect(moodle_zip(tmp_path / "m.zip", [HandIn("Anna", "Keller", 13, OLD), text]))
    assert submitted()["Anna-Keller/softmax/timestamp.txt"] == b"2026-11-10 12:00:00 UTC\n"


def test_a_date_after_the_download_is_of_a_later_hand_in(tmp_path, collect, submitted):
    made = moodle_zip(tmp_path / "m.zip", [HandIn("Anna", "Keller", 11, OLD)])
    date = "Friday, 13 November 2026, 11:05 AM"
    sheet = worksheet(tmp_path / "w.csv", [("Anna", "Keller", 11, date)])
    collect(made, "--roster", sheet)
    assert submitted()["k11/softmax/timestamp.txt"] == b"2026-11-10 12:00:00 UTC\n"


class KilledError(BaseException):
    """Nothing in the code under test catches it or cleans up behind it, as with kill -9."""


def put_until(place: Place, stop: int) -> bool:
    """Place the new notebook, killed before the stop-th change of the disk; whether it ended."""
    steps = [0]

    def counted(call):
        def run(*words, **options):
            steps[0] += 1
            if steps[0] == stop:
                raise KilledError
            return call(*words, **options)

        return run

    with pytest.MonkeyPatch.context() as patch:
        for name in ("replace", "utime", "mkdir", "unlink", "rmdir"):
            patch.setattr(os, name, counted(getattr(os, name)))
        for name in ("write_bytes", "write_text"):
            patch.setattr(Path, name, counted(getattr(Path, name)))
        try:
            place.put(b"new", LATER)
        except KilledError:
            return False
    return True


@pytest.mark.parametrize("had", [b"old", None])
def test_killed_at_any_step_a_learner_has_the_old_or_the_new(tmp_path, had):
    """Kill before the 1st, 2nd, … change of the disk; then look; then finish; then do it again."""
    for stop in range(1, 60):
        course = tmp_path / str(stop)
        place = Place(course, "learner-11", "softmax")
        if had:
            place.put(had, DOWNLOADED)
            (place.folder / "my other.ipynb").write_bytes(b"other")
        whole = b"2026-11-10 12:00:00 UTC\n", b"2026-11-12 12:00:00 UTC\n"
        is_done = put_until(place, stop)
        found = files_below(course / "submitted" / "learner-11" / "softmax")
        notebook, stamp = found.get("softmax.ipynb"), found.get("timestamp.txt")
        assert (notebook, stamp) in [
            (had, whole[0] if had else None),
            (b"new", whole[1]),
            # Between the two there is no time, never the other's.
            *([(had, None), (b"new", None)] if had else []),
        ], stop
        finish_all(course)
        found = files_below(place.folder)
        assert found.get("timestamp.txt") == (
            whole[1] if found.get("softmax.ipynb") == b"new" else whole[0] if had else None
        ), stop
        assert list(course.glob("submitted/*/.*")) == []
        place.put(b"new", LATER)
        assert files_below(place.folder) == {"softmax.ipynb": b"new", "timestamp.txt": whole[1]}
        if had:
            assert b"old" in files_below(course / "earlier").values()
            assert b"other" in files_below(course / "earlier").values()
        if is_done:
            break
    assert is_done
    assert stop > 5
