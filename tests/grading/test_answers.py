"""The check from the command line: the same result as in a notebook."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from grading.catalogue.answers import check_file

RIGHT = "def attention_scores(query, key):\n    return query @ key.mT\n"
WRONG = "def attention_scores(query, key):\n    return key @ query.mT\n"


@pytest.fixture
def script(tmp_path):
    return tmp_path / "answers.py"


def test_a_right_script_passes(script, capsys):
    script.write_text(RIGHT)
    assert check_file(script, []) == 0
    assert capsys.readouterr().out.startswith("PASSED  attention_scores")


def test_a_wrong_script_is_told_the_mistake(script, capsys):
    script.write_text(WRONG)
    assert check_file(script, []) == 1
    assert "SC-KQ" in capsys.readouterr().out


def test_a_notebook_with_an_unfinished_cell_is_still_checked(tmp_path, capsys):
    path = tmp_path / "answers.ipynb"
    cells = ["raise NotImplementedError", RIGHT, "check(attention_scores)"]
    nbformat.write(new_notebook(cells=[new_code_cell(source) for source in cells]), path)
    assert check_file(path, []) == 0
    shown = capsys.readouterr()
    assert shown.out.count("PASSED") == 1
    assert "answers.ipynb, cell 0] NotImplementedError" in shown.err


def test_a_function_that_is_missing_does_not_pass(script, capsys):
    script.write_text(RIGHT)
    assert check_file(script, ["project_qkv"]) == 1
    assert "NOT YET  project_qkv" in capsys.readouterr().out


def test_a_file_without_answers_is_refused(script, tmp_path, capsys):
    script.write_text("x = 1\n")
    assert check_file(script, []) == 2
    assert "defines no function" in capsys.readouterr().err
    assert check_file(tmp_path / "none.py", []) == 2
    assert "There is no file" in capsys.readouterr().err
