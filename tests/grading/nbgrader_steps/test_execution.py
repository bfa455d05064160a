"""How a check is bound to what the release imports, and what is kept of outputs."""

import math

import pytest
from nbformat.v4 import new_code_cell, new_output

from grading.nbgrader_steps.execution import LONGEST, preparation, private_names, shorten

IMPORTS = {"math": "import math", "root": "from math import sqrt as root"}


def test_a_check_calls_the_release_whatever_a_learner_calls_so():
    space = {"root": lambda x: -1.0, "value": 9.0}
    exec(preparation(IMPORTS, {"root"}), space)
    assert eval(private_names("root(value)", IMPORTS), space) == 3.0
    assert space["root"](9.0) == -1.0  # a learner's own function may need it


@pytest.mark.parametrize("lost", [{}, {"math": 3}, {"math": None}])
def test_a_lost_module_is_imported_again(lost):
    space = dict(lost)
    exec(preparation(IMPORTS, set()), space)
    assert space["math"] is math


def test_a_module_of_ones_own_choice_stays():
    import cmath

    space = {"math": cmath}
    exec(preparation(IMPORTS, set()), space)
    assert space["math"] is cmath


def test_only_names_are_replaced_and_each_of_them():
    source = "x = 'root'; é = root(root(4)); y.root"
    assert private_names(source, IMPORTS) == (
        "x = 'root'; é = _released_root(_released_root(4)); y.root"
    )
    assert private_names("def broken(:", IMPORTS) == "def broken(:"


def test_a_release_without_imports_needs_nothing():
    assert preparation({}, set()) == ""


def test_long_outputs_are_cut_and_short_ones_stay():
    stream = new_output("stream", name="stdout", text="x" * (LONGEST + 1))
    result = new_output("execute_result", data={"text/plain": "2.0", "text/html": "y" * 200_000})
    picture = new_output("display_data", data={"image/png": "z" * 200_000})
    cell = new_code_cell(outputs=[stream, result, picture])
    shorten(cell)
    assert cell.outputs[0].text == "x" * LONGEST + f"\n[{LONGEST + 1} characters, cut here]"
    data = {"text/plain": "2.0", "text/html": "[200000 characters, not kept]"}
    assert cell.outputs[1].data == data
    assert len(cell.outputs[2].data["image/png"]) == 200_000
