"""How a check is bound to what the release imports, and what is kept of outputs."""

import math

import pytest
from jupyter_client.manager import KernelManager
from nbformat.v4 import new_code_cell, new_notebook, new_output

from grading.nbgrader_steps.execution import (
    LONGEST,
    MOST_STARTS,
    ExecuteToTheEnd,
    preparation,
    private_names,
    shorten,
)

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


@pytest.mark.parametrize("deaths", [1, MOST_STARTS - 1, MOST_STARTS])
def test_a_process_that_loses_the_race_for_its_ports_is_started_again(deaths):
    started = []

    class LosesTheRace(KernelManager):
        def format_kernel_cmd(self, extra_arguments=None):
            started.append(self)
            command = super().format_kernel_cmd(extra_arguments)
            dies = [command[0], "-c", "raise OSError('Address already in use')"]
            return dies if len(started) <= deaths else command

    notebook = new_notebook(cells=[new_code_cell("1 + 1")])
    step = ExecuteToTheEnd(kernel_name="python3", kernel_manager_class=LosesTheRace)
    if deaths == MOST_STARTS:
        with pytest.raises(RuntimeError, match="died before replying"):
            step.preprocess(notebook, {"metadata": {}})
    else:
        step.preprocess(notebook, {"metadata": {}})
        assert notebook.cells[0].outputs[0].data == {"text/plain": "2"}
    assert len(started) == min(deaths + 1, MOST_STARTS)
