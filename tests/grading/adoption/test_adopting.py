"""From notebooks to mine.py: what passes now is taken, the rest is named, and nothing stops it."""

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import torch
from nbformat.v4 import new_code_cell, new_notebook
from torch.testing import assert_close

from grading.adoption import adopting, judging, trial
from grading.adoption.adopting import Adopted, adopt
from grading.adoption.finding import read
from grading.adoption.judging import ENDED, HANGS, judged
from grading.adoption.keeping import write_library
from grading.adoption.library import library_text
from grading.adoption.section import Section
from grading.adoption.telling import told
from grading.exercises import parts
from grading.notebooks import ROOT, notebook

IMPORTS = "import math\nimport os\nimport torch\nfrom grading import check"
SOFTMAX = (
    "def helper(x, axis):\n    return torch.exp(x - x.amax(axis, keepdim=True))",
    "def softmax(x, axis=-1):\n"
    "    return helper(x, axis) / helper(x, axis).sum(axis, keepdim=True)",
    "check(softmax)",
)
SCORES = (
    "def helper(key):\n    return key.mT",
    "def attention_scores(query, key):\n    return query @ helper(key)",
    "check(attention_scores)",
)


def write(folder: Path, slug: str, *cells: str) -> Path:
    path = notebook(folder, slug)
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(new_notebook(cells=[new_code_cell(one) for one in (IMPORTS, *cells)]), path)
    return path


def test_the_solutions_are_all_adopted_and_the_released_notebooks_not_answered(tmp_path):
    assert set(adopt(ROOT / "solutions").own) == {one.name for one in parts()}
    blank = adopt(ROOT / "exercises")
    assert blank.own == {}
    assert blank.reasons == dict.fromkeys((one.name for one in parts()), "not answered yet")


def test_what_is_missing_is_told_before_the_count(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    adopted = Adopted({}, {"a": "refused", "b": "not answered yet", "c": "refused"})
    path, kept = tmp_path / "work" / "mine.py", tmp_path / "work" / "mine.old.bak.py"
    assert told(adopted, path, kept).splitlines() == [
        "a, c",
        "    refused",
        "b",
        "    not answered yet",
        "work/mine.py: 0 of 3 parts are yours. The course's own functions stand in for the others.",
        "Your earlier file is kept in work/mine.old.bak.py",
    ]
    whole = Adopted({"a": (Section("a"), "a.ipynb")}, {})
    monkeypatch.chdir("/")
    assert told(whole, path) == f"{path.resolve().relative_to('/')}: 1 of 1 parts are yours."


def test_nothing_to_gather_starts_no_process(tmp_path, monkeypatch):
    monkeypatch.setattr(judging, "get_context", lambda kind: None)
    told = adopt(tmp_path).reasons
    assert told["softmax"] == (
        "not answered yet: there is no softmax/softmax.ipynb (`make lab` copies what work/ lacks)"
    )
    assert len(told) == len(parts())
    write_library(tmp_path / "mine.py", library_text({}))
    assert read(tmp_path / "mine.py").YOURS == ()


def test_each_answer_gets_what_it_deserves(tmp_path):
    """Two helpers of one name, a wrong answer, a broken notebook: one run, each told by itself."""
    vjp = "def softmax_vjp(p, g, axis=-1):\n    return p * g"
    later = "def log_softmax(x, axis=-1):\n    return helper(x)"
    broken = "def softmax_with_sink(scores, sink)\n    return scores"
    lse = "table = []\nfor n in range(3):\n    table.append(0.0)"
    lse += "\n\ndef logsumexp(x, axis=-1):\n    return x.exp().sum(axis).log() + table[0]"
    write(tmp_path, "softmax", *SOFTMAX, vjp, "check(softmax_vjp)", later, broken, lse)
    write(tmp_path, "queries-keys-values", *SCORES)
    scaling = notebook(tmp_path, "scaling")
    scaling.parent.mkdir()
    scaling.write_text("this is no JSON")
    adopted = adopt(tmp_path)
    assert set(adopted.own) == {"softmax", "attention_scores"}
    assert adopted.own["softmax"][1] == "softmax/softmax.ipynb"
    told = adopted.reasons
    assert told["project_qkv"] == "not answered yet"
    assert told["weight_entropy"].startswith(
        "not gathered: scaling/scaling.ipynb cannot be read (NotJSONError: Notebook does not"
    )
    assert told["softmax_vjp"].startswith("refused. Rule: the values are right.")
    assert "sum" in told["softmax_vjp"]
    assert told["log_softmax"].startswith("refused. Rule: it runs without an error. ")
    assert told["softmax_with_sink"] == (
        "not gathered: Python cannot read its cell (line 1: expected ':')"
    )
    assert told["logsumexp"] == (
        "not gathered: it depends on what a cell does with `for n in range(3):`, and is refused "
        "without (rule: it runs without an error)"
    )
    write_library(tmp_path / "mine.py", library_text(adopted.own))
    mine, x = read(tmp_path / "mine.py"), torch.randn(2, 3, 5)
    assert mine.YOURS == ("attention_scores", "softmax")
    assert len(mine.PARTS) == len(parts())
    assert_close(mine.softmax(x, axis=1), torch.softmax(x, 1))
    assert_close(mine.attention_scores(query=x, key=x), x @ x.mT)
    assert_close(mine.log_softmax(x), torch.log_softmax(x, -1))  # the course's own


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Judge without another process, where no answer is a danger."""
    monkeypatch.setattr(
        adopting, "judged", lambda todo: ((one, trial.judge_one(one)) for one in todo)
    )


@pytest.mark.usefixtures("in_this_process")
def test_an_answer_below_its_check_is_adopted(tmp_path):
    stub = "def softmax(x, axis=-1):\n    return x"
    write(tmp_path, "softmax", stub, "check(softmax)", *SOFTMAX[:2])
    assert "helper" in adopt(tmp_path).own["softmax"][0].text


@pytest.mark.usefixtures("in_this_process")
def test_a_notebook_beside_the_others_is_read_too(tmp_path):
    path = write(tmp_path, "softmax", *SOFTMAX)
    path.rename(tmp_path / "softmax.ipynb")
    path.parent.rmdir()
    assert adopt(tmp_path).own["softmax"][1] == "softmax.ipynb"


@pytest.mark.usefixtures("in_this_process")
def test_what_only_the_state_of_another_cell_lets_pass_is_not_adopted(tmp_path):
    body = (
        "def softmax(x, axis=-1):\n    return torch.softmax(x.double(), axis).to(DTYPES[x.dtype])"
    )
    table = "DTYPES = {}\nDTYPES.update({one: one for one in (torch.float32, torch.float64)})"
    write(tmp_path, "softmax", table, body, "check(softmax)")
    assert adopt(tmp_path).reasons["softmax"] == (
        "not gathered: it depends on what a cell does with `DTYPES.update({one: one for one in "
        "(torch.float32, torch.float64)})`, and is refused without (rule: it runs without an error)"
    )


HANGING = """\
def logsumexp():
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass"""
ENDING = "def log_softmax():\n    import os\n\n    os._exit(0)"
GONE = "def softmax_vjp():\n    import helpers_of_mine"
RIGHT = "def softmax():\n    import torch\n    return lambda x, axis=-1: torch.exp(x) / 0"
RAISES = "def weight_entropy():\n    raise SystemExit(3)"


def test_what_hangs_or_ends_its_process_stops_nothing_else(capfd):
    texts = [RIGHT, ENDING, HANGING, RAISES, GONE]
    todo = [Section(text.split("(")[0].removeprefix("def "), text) for text in texts]
    found = {one.name: result for one, result in judged(todo, longest=6.0)}
    assert list(found) == [one.name for one in todo]
    record = found["softmax"].record
    assert record is not None
    assert record.rule == "every number is finite"
    reasons = {name: result.reason for name, result in found.items() if result.record is None}
    assert reasons == {
        "log_softmax": ENDED,
        "logsumexp": HANGS,
        "weight_entropy": "SystemExit: 3",
        "softmax_vjp": "ModuleNotFoundError: No module named 'helpers_of_mine'",
    }
    assert capfd.readouterr() == ("", "")


def test_a_process_that_does_not_start_is_no_answers_fault(monkeypatch):
    monkeypatch.setattr(judging, "STARTS", 0.0)
    with pytest.raises(RuntimeError, match="no process could be started"):
        list(judged([Section("softmax", RIGHT)]))


def test_what_it_needs_has_little_time(monkeypatch):
    monkeypatch.setattr(trial, "SECONDS", 0.3)
    endless = Section("softmax", "def softmax():\n    while True:\n        pass")
    result = trial.judge_one(endless)
    assert result.reason == "what it needs takes longer than 0.3 seconds to be defined"


def test_a_fault_of_the_courses_is_told_as_one(monkeypatch):
    def broken(*given: object) -> None:
        raise KeyError("probe")

    monkeypatch.setattr(trial, "judge", broken)
    result = trial.judge_one(Section("softmax", RIGHT))
    assert result.reason == "it was not judged, and that is our fault: 'probe'"


def test_the_command_says_how_many_parts_are_yours(tmp_path):
    write(tmp_path, "softmax", *SOFTMAX)
    command = [sys.executable, "-m", "grading", "mine", "."]
    run = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
    )
    assert (run.returncode, run.stderr) == (0, "")
    lines = run.stdout.splitlines()
    assert lines[-1] == (
        f"mine.py: 1 of {len(parts())} parts are yours. "
        "The course's own functions stand in for the others."
    )
    at = lines.index("score_variance, weight_entropy, saturation, softmax_scale")
    assert lines[at + 1].startswith("    not answered yet: there is no scaling/scaling.ipynb")
    at = lines.index("logsumexp, log_softmax, softmax_vjp, softmax_with_sink")
    assert lines[at + 1] == "    not answered yet"
    code = "from grading import mine; print(mine.YOURS)"
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path / "softmax",
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (run.stdout, run.stderr) == ("('softmax',)\n", "")
