"""A learner's files survive every command."""

from datetime import datetime

import pytest

from grading.classroom.workspace import make_copies, reset
from grading.notebooks import notebook

NOON = datetime(2026, 5, 4, 12, 0, 9)


@pytest.fixture
def root(tmp_path):
    for slug in ("scaling", "softmax"):
        exercise = notebook(tmp_path / "exercises", slug)
        exercise.parent.mkdir(parents=True)
        exercise.write_text(f"the exercise {slug}")
    return tmp_path


def test_copies_are_made_once(root):
    made = make_copies(root)
    assert [path.name for path in made] == ["scaling.ipynb", "softmax.ipynb"]
    assert notebook(root / "work", "softmax").read_text() == "the exercise softmax"
    assert make_copies(root) == []


def test_copies_never_overwrite(root):
    mine = notebook(root / "work", "softmax")
    mine.parent.mkdir(parents=True)
    mine.write_text("my evening's work")
    assert make_copies(root) == [notebook(root / "work", "scaling")]
    assert mine.read_text() == "my evening's work"


def test_a_new_exercise_reaches_an_old_workspace(root):
    make_copies(root)
    exercise = notebook(root / "exercises", "masks")
    exercise.parent.mkdir()
    exercise.write_text("the exercise masks")
    assert make_copies(root) == [notebook(root / "work", "masks")]


def test_reset_keeps_a_dated_copy(root):
    make_copies(root)
    mine = notebook(root / "work", "softmax")
    mine.write_text("my evening's work")
    kept = reset("softmax", root, NOON)
    assert kept == mine.with_name("softmax.2026-05-04-120009.bak.ipynb")
    assert kept.read_text() == "my evening's work"
    assert mine.read_text() == "the exercise softmax"


def test_two_resets_in_one_second_keep_both_copies(root):
    make_copies(root)
    mine = notebook(root / "work", "softmax")
    mine.write_text("first")
    first = reset("softmax", root, NOON)
    mine.write_text("second")
    second = reset("softmax", root, NOON)
    assert first != second
    assert (first.read_text(), second.read_text()) == ("first", "second")


def test_reset_of_a_notebook_never_opened_makes_it(root):
    assert reset("softmax", root, NOON) is None
    assert notebook(root / "work", "softmax").read_text() == "the exercise softmax"


def test_reset_of_an_unknown_name_says_which_there_are(root):
    with pytest.raises(ValueError, match=r"no exercise 'sofmax'.*scaling, softmax"):
        reset("sofmax", root)
    with pytest.raises(ValueError, match="no exercise"):
        reset("../exercises/softmax", root)
