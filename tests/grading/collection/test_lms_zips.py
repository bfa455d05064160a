"""What Moodle, Canvas, Google and plain zips give finds its learner and its assignment."""

import pytest
from made_zips import (
    DOWNLOADED,
    HandIn,
    canvas_gradebook,
    canvas_zip,
    entry,
    make_zip,
    moodle_zip,
    worked,
    worksheet,
    written_csv,
    zipped,
)

from grading.notebooks import ROOT, notebook, slugs

BLANK = notebook(ROOT / "exercises", "softmax").read_bytes()
ANNA = HandIn("Anna", "Keller", 11, worked(answers=1))
JOSE = HandIn("José María", "O'Brien_Núñez", 12, worked(answers=2))
MING = HandIn("小明", "王", 13, worked(answers=3))
THREE = [ANNA, JOSE, MING]
WHO = [(one.first, one.last, one.number) for one in THREE]
NBGRADER = [["id", "first_name", "last_name", "email", "lms_user_id"]]
NBGRADER += [[f"learner-{number}", first, last, "", str(number)] for first, last, number in WHO]


@pytest.fixture
def roster(tmp_path):
    return written_csv(tmp_path / "roster.csv", NBGRADER)


def placed(*numbers: int, slug: str = "softmax") -> set[str]:
    folders = [f"learner-{number}/{slug}" for number in numbers]
    return {f"{one}/{name}" for one in folders for name in (f"{slug}.ipynb", "timestamp.txt")}


@pytest.mark.parametrize("layout", ["folders", "old folders", "flat"])
def test_moodle_zips_of_three_versions(tmp_path, collect, roster, submitted, layout):
    text = HandIn("Anna", "Keller", 11, b"<p>hello</p>", "onlinetext.html", kind="onlinetext")
    made = moodle_zip(tmp_path / "m.zip", [*THREE, text], layout=layout)
    done = collect(made, "--roster", roster)
    assert done.status == 0, done.err
    assert set(submitted()) == placed(11, 12, 13)
    assert submitted()["learner-13/softmax/softmax.ipynb"] == MING.data
    assert submitted()["learner-12/softmax/timestamp.txt"] == b"2026-11-10 12:00:00 UTC\n"
    assert "left out: m.zip: Anna Keller_11_assignsubmission_onlinetext" in done.out


def test_a_canvas_zip_with_late_and_renamed_files(tmp_path, collect, roster, submitted):
    late = HandIn(JOSE.first, JOSE.last, 12, JOSE.data, "softmax-2.ipynb", is_late=True)
    done = collect(canvas_zip(tmp_path / "c.zip", [ANNA, late, MING]), "--roster", roster)
    assert done.status == 0, done.err
    assert set(submitted()) == placed(11, 12, 13)
    assert "obrien_núñezjosémaría_LATE_12_7002_softmax-2.ipynb" in done.out


@pytest.mark.parametrize("made", [moodle_zip, canvas_zip])
def test_without_a_roster_the_id_is_the_name_that_the_lms_gives(tmp_path, collect, submitted, made):
    assert collect(made(tmp_path / "x.zip", THREE)).status == 0
    moodle = {"Anna-Keller", "José-María-OBrien-Núñez", "小明-王"}
    canvas = {"kelleranna-11", "obrien_núñezjosémaría-12", "王小明-13"}
    found = {path.split("/")[0] for path in submitted()}
    assert found == (moodle if made is moodle_zip else canvas)


def test_two_learners_of_one_name_are_told_apart_by_number_or_not_at_all(
    tmp_path, collect, submitted
):
    other = HandIn("Anna", "Keller", 19, worked(answers=4))
    made = moodle_zip(tmp_path / "m.zip", [ANNA, other, MING])
    done = collect(made)
    assert done.status == 1
    assert done.err.count("2 learners are called 'Anna Keller' (11, 19)") == 2
    assert {path.split("/")[0] for path in submitted()} == {"小明-王"}
    sheet = worksheet(tmp_path / "w.csv", [("Anna", "Keller", n, "-") for n in (11, 19)])
    done = collect(made, "--roster", sheet)
    assert submitted()["k19/softmax/softmax.ipynb"] == other.data
    assert submitted()["k11/softmax/softmax.ipynb"] == ANNA.data


def test_a_roster_without_numbers_does_not_guess_between_two_of_one_name(
    tmp_path, collect, submitted
):
    twice = [NBGRADER[0][:3], ["a1", "Anna", "Keller"], ["a2", "Anna", "Keller"]]
    names = written_csv(tmp_path / "r.csv", twice)
    done = collect(moodle_zip(tmp_path / "m.zip", [ANNA]), "--roster", names)
    assert done.status == 1
    assert "2 learners are called 'Anna Keller' (a1, a2)" in done.err
    assert submitted() == {}


def test_hidden_names_are_matched_by_the_worksheet_and_else_keep_their_numbers(
    tmp_path, collect, submitted
):
    hidden = [HandIn("Participant", "", one.number, one.data) for one in THREE]
    made = moodle_zip(tmp_path / "m.zip", hidden)
    assert collect(made, "--dry-run").states().keys() == {
        "Participant-11",
        "Participant-12",
        "Participant-13",
    }
    sheet = worksheet(tmp_path / "w.csv", [(*one, "-") for one in WHO])
    assert collect(made, "--roster", sheet).status == 0
    assert submitted()["k12/softmax/softmax.ipynb"] == JOSE.data


def test_hidden_names_are_refused_by_a_roster_that_has_no_numbers(tmp_path, collect, roster):
    moodle = moodle_zip(tmp_path / "m.zip", [HandIn("Participant", "", 555, ANNA.data)])
    canvas = canvas_zip(tmp_path / "c.zip", [ANNA], anonymous=True)
    for made in (moodle, canvas):
        done = collect(made, "--roster", roster)
        assert done.status == 1
        assert "the names are hidden, and roster.csv does not say who" in done.err


def test_a_group_hands_in_for_all_its_members(tmp_path, collect, submitted):
    sheet = worksheet(tmp_path / "w.csv", [(*one, "-") for one in WHO])
    group = HandIn("Group of", "four", 12, worked(answers=5))
    done = collect(moodle_zip(tmp_path / "m.zip", [group]), "--roster", sheet)
    assert done.status == 0
    found = submitted()
    assert [found[f"k{n}/softmax/softmax.ipynb"] == group.data for n in (11, 12, 13)] == [True] * 3


def test_a_group_of_canvas_is_not_given_to_the_one_whose_number_it_bears(
    tmp_path, collect, roster, submitted
):
    done = collect(
        canvas_zip(tmp_path / "c.zip", [HandIn("", "Team Rot", 11, ANNA.data)]), "--roster", roster
    )
    assert done.status == 1
    assert "nobody in roster.csv is 'teamrot' (number 11)" in done.err
    assert submitted() == {}


def test_a_name_of_canvas_with_another_number_is_not_guessed(tmp_path, collect, roster, submitted):
    stranger = HandIn("Anna", "Keller", 4711, ANNA.data)
    done = collect(canvas_zip(tmp_path / "c.zip", [stranger]), "--roster", roster)
    assert "has the name of learner-11 and another number (11)" in done.err
    assert submitted() == {}


def test_google_files_bear_names_and_parts_of_a_download_are_one(
    tmp_path, collect, roster, submitted
):
    files = {
        "Softmax homework/Anna Keller - softmax.ipynb": BLANK,
        "Softmax homework/Copy of softmax (2) - José María O'Brien_Núñez.ipynb": JOSE.data,
        "Softmax homework/Copy of 小明 王 - softmax (1).ipynb": MING.data,
    }
    one = make_zip(tmp_path / "hw-20261110T115900Z-001.zip", files)
    work = {"Softmax homework/Anna Keller - Copy of softmax (1).ipynb": ANNA.data}
    two = make_zip(tmp_path / "hw-20261110T115900Z-002.zip", work)
    done = collect(one, two, "--roster", roster)
    assert done.status == 0, done.err
    assert set(submitted()) == placed(11, 12, 13)
    assert submitted()["learner-11/softmax/softmax.ipynb"] == ANNA.data
    assert done.states() == {f"learner-{n}": "new" for n in (11, 12, 13)}


def test_uploads_to_google_that_all_have_one_name_are_nobodys(tmp_path, collect, roster, submitted):
    files = {"hw/softmax.ipynb": ANNA.data, "hw/softmax (1).ipynb": JOSE.data}
    for words in ((), ("--roster", roster)):
        done = collect(make_zip(tmp_path / "drive-download.zip", files), *words)
        assert done.status == 1
        assert done.err.count("put it into a folder") + done.err.count("put the file into") == 2
        assert submitted() == {}


PLAIN = {
    "learner-11_softmax.ipynb": ANNA.data,
    "learner-12/softmax.ipynb": JOSE.data,
    "learner-13/softmax/softmax.ipynb": MING.data,
}


@pytest.mark.parametrize("with_roster", [True, False])
def test_plain_names_and_folders(tmp_path, collect, roster, submitted, with_roster):
    words = ("--roster", roster) if with_roster else ()
    assert collect(make_zip(tmp_path / "plain.zip", PLAIN), *words).status == 0
    assert set(submitted()) == placed(11, 12, 13)


def test_a_folder_around_all_learners_is_no_learner(tmp_path, collect, submitted):
    files = {f"export-2026/{path}": data for path, data in list(PLAIN.items())[1:]}
    assert collect(make_zip(tmp_path / "plain.zip", files)).status == 0
    assert set(submitted()) == placed(12, 13)


MANY_FOLDERS = {
    "one learner, two folders": ["attempt1/learner-11/softmax.ipynb"],
    "two tutorials": [
        f"{t}/learner-{n}/softmax.ipynb" for t, n in (("mo", 1), ("mo", 2), ("tu", 3))
    ],
    "two folders of one": ["learner-11/softmax.ipynb", "learner-11/old/softmax.ipynb"],
    "a class in an inner zip": [
        "all.zip/learner-1/a.ipynb",
        "all.zip/learner-2/b.ipynb",
    ],
}


@pytest.mark.parametrize("paths", MANY_FOLDERS.values(), ids=MANY_FOLDERS)
def test_without_a_roster_folders_of_folders_are_not_guessed(tmp_path, collect, submitted, paths):
    if paths[0].startswith("all.zip/"):
        inner = {path.removeprefix("all.zip/"): worked(text=path[-7]) for path in paths}
        make_zip(tmp_path / "got" / "all.zip", inner)
        done = collect(tmp_path / "got")
    else:
        done = collect(make_zip(tmp_path / "x.zip", {path: worked(text=path[3]) for path in paths}))
    assert done.status == 1
    assert done.err.count("its path could mean") + done.err.count("has several folders with") >= 1
    assert not any("old" in path for path in submitted())
    assert len(submitted()) <= 2 * (len(paths) - 1)


def test_a_folder_that_was_unpacked(tmp_path, collect, submitted):
    for path, data in PLAIN.items():
        target = tmp_path / "got" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    assert collect(tmp_path / "got").status == 0
    assert set(submitted()) == placed(11, 12, 13)


def test_a_learners_own_zip_in_the_zip_of_an_lms(tmp_path, collect, submitted, roster):
    inner = {"hw/softmax.ipynb": ANNA.data, "__MACOSX/hw/._softmax.ipynb": b"\0\1"}
    inner |= {"hw/.ipynb_checkpoints/softmax-checkpoint.ipynb": BLANK, "hw/.DS_Store": b"x"}
    one = HandIn("Anna", "Keller", 11, zipped(inner), "abgabe.zip")
    done = collect(moodle_zip(tmp_path / "m.zip", [one]), "--roster", roster)
    assert done.status == 0, done.err
    assert submitted()["learner-11/softmax/softmax.ipynb"] == ANNA.data
    assert done.rows[0][2].endswith("_file/abgabe.zip/hw/softmax.ipynb")
    assert "left out" not in done.out


def test_what_jupyter_and_macos_keep_for_themselves_is_no_hand_in(tmp_path, collect, submitted):
    copies = {".ipynb_checkpoints/softmax-checkpoint.ipynb": MING.data, "._softmax.ipynb": b"\0"}
    for path, data in {"softmax.ipynb": ANNA.data, **copies}.items():
        target = tmp_path / "got" / "learner-11" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    assert collect(tmp_path / "got").status == 0
    assert submitted()["learner-11/softmax/softmax.ipynb"] == ANNA.data
    # Where there is nothing else, it is said.
    done = collect(make_zip(tmp_path / "x.zip", {"learner-12/a.zip": zipped(copies)}))
    assert done.status == 1
    assert "x.zip: learner-12/a.zip: it holds no file of a learner's own" in done.err


def test_a_zip_named_for_its_learner_needs_the_roster(tmp_path, collect, submitted, roster):
    made = make_zip(tmp_path / "learner-12.zip", {"softmax.ipynb": JOSE.data})
    assert "nothing in its path says whose it is" in collect(made).err
    assert collect(made, "--roster", roster).status == 0
    assert set(submitted()) == placed(12)


def test_a_folder_of_learners_zips(tmp_path, collect, submitted):
    make_zip(tmp_path / "all" / "learner-12.zip", {"x/softmax.ipynb": JOSE.data})
    make_zip(tmp_path / "all" / "learner-13.zip", {"softmax/softmax.ipynb": MING.data})
    assert collect(tmp_path / "all").status == 0
    assert set(submitted()) == placed(12, 13)


@pytest.mark.parametrize("ending", ["ipynb.txt", "ipynb.json", "IPYNB"])
def test_what_a_browser_makes_of_the_ending(tmp_path, collect, submitted, roster, ending):
    one = HandIn("Anna", "Keller", 11, ANNA.data, f"softmax.{ending}")
    assert collect(moodle_zip(tmp_path / "m.zip", [one]), "--roster", roster).status == 0
    assert set(submitted()) == placed(11)


def test_names_in_other_letters_and_compositions(tmp_path, collect, submitted):
    """NFD as macOS writes it; UTF-8 without its flag; Info-ZIP's field; a code page without it."""
    names = written_csv(
        tmp_path / "r.csv", [NBGRADER[0][:3], ["ö", "Jörg", "Müller"], ["e", "José", "Núñez"]]
    )
    path = "Jo\u0308rg Mu\u0308ller_5_assignsubmission_file/softmax.ipynb"
    plain = "José Núñez_6_assignsubmission_file/softmax.ipynb"
    for raw in (path.encode(), plain.encode(), plain.encode("cp437")):
        name = "x" * 60
        made = make_zip(tmp_path / "m.zip", [(entry(name, raw=raw), ANNA.data)])
        done = collect(made, "--roster", names, "--dry-run")
        assert done.status == 0, done.err
        assert done.rows[0][0] == ("ö" if raw == path.encode() else "e")


def test_an_id_in_other_compositions_of_its_letters(tmp_path, collect, submitted):
    names = written_csv(tmp_path / "r.csv", [["id", "last_name"], ["j\u00f6rg", "Ott"]])
    made = make_zip(tmp_path / "x.zip", {"jo\u0308rg/softmax.ipynb": ANNA.data})
    for words in (("--roster", names), ()):
        assert collect(made, *words).status == 0
    assert {path.split("/")[0] for path in submitted()} == {"j\u00f6rg"}


def test_backslashes_of_windows(tmp_path, collect, submitted):
    made = make_zip(tmp_path / "w.zip", {"learner-11\\softmax\\softmax.ipynb": ANNA.data})
    assert collect(made).status == 0
    assert set(submitted()) == placed(11)


def test_several_assignments_in_one_zip_go_each_to_its_own(tmp_path, collect, submitted):
    files = {"learner-11/a.ipynb": ANNA.data, "learner-11/b.ipynb": worked("scaling")}
    files |= {"learner-12/softmax.ipynb": worked("queries-keys-values")}
    assert collect(make_zip(tmp_path / "x.zip", files)).status == 0
    assert set(submitted()) == (
        placed(11) | placed(11, slug="scaling") | placed(12, slug="queries-keys-values")
    )


def test_a_notebook_without_metadata_is_known_by_its_functions(tmp_path, collect, submitted):
    retyped = b'{"cells": [{"cell_type": "code", "source": ["def logsumexp(x):\\n", " return 1"]}]}'
    assert collect(make_zip(tmp_path / "x.zip", {"learner-11/mine.ipynb": retyped})).status == 0
    assert set(submitted()) == placed(11)


def test_one_assignment_is_asked_for_and_another_was_handed_in(tmp_path, collect, submitted):
    files = {"learner-11/softmax.ipynb": worked("scaling"), "learner-12/x.ipynb": JOSE.data}
    done = collect(make_zip(tmp_path / "x.zip", files), "--assignment", "softmax")
    assert done.status == 1
    assert "it holds tasks of scaling and not of softmax" in done.err
    assert set(submitted()) == placed(12)


def test_a_notebook_of_another_course_is_named(tmp_path, collect, submitted):
    other = b'{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'
    done = collect(make_zip(tmp_path / "x.zip", {"learner-11/softmax.ipynb": other}))
    assert f"it holds no task of {', '.join(slugs())}; ask" in done.err
    assert submitted() == {}


DAMAGED = [ANNA.data[:3000], b"", b"\xff\xfe" + '{"cells": ['.encode("utf-16-le"), b"\0" * 50]


@pytest.mark.parametrize("data", DAMAGED, ids=["cut off", "empty", "half a UTF-16", "zeros"])
def test_a_damaged_notebook_of_a_known_learner_is_placed(tmp_path, collect, submitted, data):
    done = collect(make_zip(tmp_path / "x.zip", {"learner-11/softmax.ipynb": data}))
    assert done.status == 0, done.err
    assert done.states() == {"learner-11": "new (it cannot be read as a notebook)"}
    assert submitted()["learner-11/softmax/softmax.ipynb"] == data


def test_a_damaged_notebook_of_unknown_assignment(tmp_path, collect, submitted):
    alone = {"learner-11/work.ipynb": b"{"}
    done = collect(make_zip(tmp_path / "x.zip", alone))
    assert "it is damaged; say of which assignment with --assignment" in done.err
    # Beside others of one assignment it is of that one; or it is said.
    both = alone | {"learner-12/work.ipynb": JOSE.data}
    assert collect(make_zip(tmp_path / "x.zip", both), "--dry-run").status == 0
    assert collect(make_zip(tmp_path / "x.zip", alone), "--assignment", "scaling").status == 0
    assert set(submitted()) == placed(11, slug="scaling")


def test_the_notebook_with_the_work_is_taken_whatever_it_is_called(tmp_path, collect, submitted):
    files = {
        entry("learner-11/softmax.ipynb", DOWNLOADED.replace(hour=13)): BLANK,
        entry("learner-11/softmax (1).ipynb"): ANNA.data,
        entry("learner-12/softmax.ipynb"): BLANK,
    }
    done = collect(make_zip(tmp_path / "x.zip", files))
    assert submitted()["learner-11/softmax/softmax.ipynb"] == ANNA.data
    assert done.states()["learner-12"] == "new (nothing of the learner's own is in it)"
    assert "softmax.ipynb: learner-11's work is taken from learner-11/softmax (1).ipynb" in done.out


def test_a_tie_is_said_and_the_last_saved_is_taken(tmp_path, collect, submitted):
    later = DOWNLOADED.replace(hour=13)
    files = {
        entry("learner-11/a.ipynb", later): worked(text="later"),
        entry("learner-11/b.ipynb"): worked(text="earlier"),
    }
    done = collect(make_zip(tmp_path / "x.zip", files))
    assert "as much work is in b.ipynb; the one saved last was taken" in done.out
    assert b"later" in submitted()["learner-11/softmax/softmax.ipynb"]


def test_who_handed_in_no_notebook_is_named(tmp_path, collect, roster, submitted):
    essay = HandIn("Anna", "Keller", 11, b"%PDF", "softmax.pdf")
    beside = HandIn(JOSE.first, JOSE.last, 12, b"x,y", "data.csv")
    done = collect(moodle_zip(tmp_path / "m.zip", [essay, JOSE, beside]), "--roster", roster)
    assert done.status == 1
    assert "softmax.pdf: it is no notebook, and learner-11 handed in nothing else here" in done.err
    assert "left out: m.zip: José María OBrien Núñez_12_assignsubmission_file/data.csv" in done.out


def test_canvas_gradebook_as_the_roster(tmp_path, collect, submitted):
    book = canvas_gradebook(tmp_path / "grades.csv", WHO, separator=";", encoding="utf-8-sig")
    done = collect(canvas_zip(tmp_path / "c.zip", THREE), "--roster", book)
    assert done.status == 0, done.err
    assert "grades.csv: 3 learners, ids from the column 'SIS Login ID'; 3 new" in done.out
    assert {path.split("/")[0] for path in submitted()} == {"login11", "login12", "login13"}
