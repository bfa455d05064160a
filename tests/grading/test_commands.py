"""The commands as they are typed: what they say of themselves, and of a wrong name."""

import subprocess
import sys

import pytest

from grading.notebooks import ROOT, slugs

COMMANDS = (
    "check",
    "release",
    "grade",
    "class",
    "report",
    "formgrader",
    "solutions",
    "lab",
    "reset",
)


def run(*words: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "grading", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)


def test_help_names_every_command():
    shown = run("--help").stdout
    assert [name for name in COMMANDS if name not in shown] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_explains_itself(name):
    done = run(name, "--help")
    assert done.returncode == 0
    assert f"python -m grading {name}" in done.stdout


def test_a_wrong_notebook_is_answered_with_the_right_names():
    done = run("reset", "sofmax")
    assert done.returncode == 2
    assert "There is no exercise 'sofmax'" in done.stderr
    assert "softmax" in done.stderr.split("Choose one of:")[1]
    assert "Traceback" not in done.stderr


def test_a_reset_without_a_name_shows_how_it_is_called():
    for words in (("reset",), ("reset", "")):
        done = run(*words)
        assert done.returncode == 2
        assert "usage: make reset NOTEBOOK=softmax" in done.stderr
        assert ", ".join(slugs()) in done.stderr


def test_what_nbgrader_makes_in_the_root_is_ignored():
    folders = ("submitted/a/b", "autograded/a", "feedback/a", "release/a", "exchange/a")
    made = [*folders, "downloaded/softmax/archive/a.ipynb", "gradebook.db", "grades.csv", "a.csv"]
    own = ["grading/nbgrader_steps/templates/maths.js", "grading/classroom/release.py"]
    own += ["course_lib/data/a.csv", "book/downloaded/a.md", "exercises/x.ipynb"]
    command = ["git", "check-ignore", "--no-index", *made, *own]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.split() == made


def test_a_course_without_a_gradebook_is_refused(tmp_path):
    for words in (("formgrader",), ("report",), ("grade", "--course")):
        done = run(*words, str(tmp_path))
        assert done.returncode == 2
        assert "holds no gradebook" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_option_that_no_command_knows_is_refused():
    done = run("release", "--chekc")
    assert done.returncode == 2
    assert "unrecognized arguments: --chekc" in done.stderr
