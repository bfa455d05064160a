"""The commands as they are typed: what they say of themselves, and of a wrong name."""

import subprocess
import sys

import pytest

from grading.notebooks import ROOT, slugs

COMMANDS = (
    "check",
    "release",
    "collect",
    "grade",
    "class",
    "report",
    "formgrader",
    "solutions",
    "lab",
    "reset",
    "mine",
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


def ignored(names: list[str]) -> list[str]:
    command = ["git", "check-ignore", "--no-index", "--stdin", "-z"]
    text = "\0".join(names)
    done = subprocess.run(command, cwd=ROOT, input=text, capture_output=True, text=True)
    return done.stdout.split("\0")[:-1]


#: What the course and nbgrader make of a class in the root.
FOLDERS = (
    "submitted/a/b",
    "autograded/a",
    "feedback/a",
    "release/a",
    "exchange/a",
    "downloaded/softmax/archive/a.ipynb",
    "earlier/a/softmax/a.ipynb",
    "states/a.json",
)
GRADEBOOKS = (
    *(f"gradebook.db{end}" for end in ("", "-wal", "-shm", "-journal", ".unfinished")),
    "gradebook.db.2026-05-04-120009-000001.bak",
    "gradebook.db.2023-02-17T10-36-46.bak",  # as `nbgrader db upgrade` names its own copy
)
#: What an instructor brings: rosters with odd names, and what an LMS gives.
ROSTERS = tuple(f"Überblick (1).{end}" for end in ("csv", "tsv", "xlsx", "xls", "ods"))
ARCHIVES = tuple(f"Course 12.{end}" for end in ("zip", "tar", "tar.gz", "tgz", "7z", "rar"))


def test_what_holds_learners_data_in_the_root_is_ignored():
    names = [*FOLDERS, *GRADEBOOKS, "grades.csv", *ROSTERS, *ARCHIVES]
    assert ignored(names) == names


def test_nothing_else_is_ignored_and_no_file_of_the_course():
    own = [
        "course_lib/data/a.csv",
        "book/downloaded/a.md",
        "exercises/x.ipynb",
        "book/_static/a.zip",
    ]
    own += ["grading/states/a.py", "tests/earlier/a.py", "solutions/submitted/submitted.ipynb"]
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    tracked = listed.stdout.split("\0")[:-1]
    assert len(tracked) > 100
    assert ignored([*own, *tracked]) == []


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


def test_whoever_reads_along_and_has_seen_enough_ends_a_command_quietly(tmp_path):
    answers = tmp_path / "answers.py"
    answers.write_text("def softmax(x, axis=-1):\n    return x.softmax(axis)\n", encoding="utf-8")
    command = [sys.executable, "-m", "grading", "check", str(answers)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        run.stdout.close()
        said = run.stderr.read().decode()
        assert (run.wait(timeout=120), said) == (1, "")
