"""The notebook of a hand-in is found by what it holds."""

import copy
import json

import pytest

from grading.doctor.choosing import best_notebook, related
from grading.doctor.errors import UngradableError


@pytest.fixture
def blank(hand_in):
    return json.dumps(hand_in.released).encode()


@pytest.fixture
def full(hand_in):
    return hand_in.text().encode()


def half(hand_in):
    part = copy.deepcopy(hand_in)
    part.cells[part.at("softmax-answer")] = part.blank("softmax-answer")
    return part.text().encode()


def test_more_written_answers_win_whatever_the_name(hand_in, released, blank, full):
    files = {"softmax.ipynb": blank, "b.ipynb": half(hand_in), "a/z.txt": full}
    choice = best_notebook(files, released)
    assert choice.name == "a/z.txt"
    assert choice.repairs[-1] == '3 notebooks were handed in; "a/z.txt" holds the work.'


def test_the_released_name_wins_among_equals_without_a_word(released, full):
    choice = best_notebook({"a.ipynb": full, "softmax.ipynb": full}, released)
    assert choice.name == "softmax.ipynb"
    assert "holds as much" not in " ".join(choice.repairs)


def test_a_tie_of_different_work_is_told(hand_in, released, full):
    hand_in.cell("softmax-answer")["source"] = "def softmax(x, axis=-1):\n    return 3"
    files = {"b.ipynb": full, "c.ipynb": hand_in.text().encode()}
    choice = best_notebook(files, released)
    assert choice.name == "b.ipynb"
    assert choice.repairs[-1] == '"b.ipynb" was graded; "c.ipynb" holds as much, but other, work.'


def test_an_editors_copy_counts_only_where_nothing_else_does(released, blank, full):
    copied = ".ipynb_checkpoints/softmax-checkpoint.ipynb"
    assert best_notebook({"softmax.ipynb": blank, copied: full}, released).name == "softmax.ipynb"
    assert best_notebook({"softmax.ipynb": b"{", copied: full}, released).name == copied


def test_other_files_are_passed_over(released, full):
    others = {"data.csv": b"1,2", "timestamp.txt": b"2026-01-01 00:00:00 UTC", "x.json": b"{}"}
    assert best_notebook(others | {"softmax.ipynb": full}, released).repairs == ()


def test_a_notebook_with_functions_of_that_name_belongs_here(released):
    cells = [{"cell_type": "code", "source": "def softmax(x):\n    return x"}]
    content = json.dumps({"cells": cells, "nbformat": 4}).encode()
    choice = best_notebook({"mine.ipynb": content}, released)
    assert related(choice.nb, released) == 1


def test_what_all_notebooks_of_a_course_share_says_nothing(released):
    cells = [
        {"cell_type": "code", "id": "imports", "source": "import math\n\nimport torch"},
        {"cell_type": "markdown", "id": "explain-answer", "source": "YOUR ANSWER HERE"},
    ]
    content = json.dumps({"cells": cells, "nbformat": 4}).encode()
    with pytest.raises(UngradableError, match=r'"mine.ipynb" has none of the cells of softmax'):
        best_notebook({"mine.ipynb": content}, released)


def test_the_reason_is_that_of_the_likeliest_file(released):
    with pytest.raises(UngradableError, match=r'^"softmax-1.ipynb": The file is empty'):
        best_notebook({"softmax-1.ipynb": b"", "notes.txt": b"hm"}, released)
    with pytest.raises(UngradableError, match=r'but "a.py", "b.html", which cannot be graded'):
        best_notebook({"b.html": b"", "a.py": b"", "timestamp.txt": b""}, released)
