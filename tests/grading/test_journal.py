"""A learner's journal: what it keeps, where it is never written, and that it breaks no check."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook
from traitlets.config.loader import PyFileConfigLoader

from grading import check, progress
from grading.classroom.solution_runs import execute
from grading.exercises import all_exercises, find
from grading.journal import notes
from grading.journal.place import FILE, OWNER, place
from grading.nbgrader_steps.execution import ExecuteToTheEnd
from grading.notebooks import ROOT, notebook, read_notebook, write_notebook

PREDICTION = "predict_shifted_weight"


@pytest.fixture(autouse=True)
def _new_session() -> Iterator[None]:
    notes.forget()
    yield
    notes.forget()


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the journal lies, as though a notebook were open here."""
    path = tmp_path / FILE
    for module in ("notes", "progress"):
        monkeypatch.setattr(f"grading.journal.{module}.place", lambda: path)
    return path


def predicts(value: Any) -> Any:
    return check(lambda: value, exercise=PREDICTION)


def overflows(x: torch.Tensor, axis: int = -1) -> torch.Tensor:
    return x.exp() / x.exp().sum(axis, keepdim=True)


def stable(x: torch.Tensor, axis: int = -1) -> torch.Tensor:
    return overflows(x - x.amax(axis, keepdim=True), axis)


def tasks(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))["tasks"]


# What is kept


def test_the_first_prediction_stays_and_points_follow_the_present_one(
    journal: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not predicts(0.5).passed
    told = "[0.5 is kept as your first prediction; progress() shows it.]"
    assert capsys.readouterr().out.strip() == told
    assert predicts(0.73).passed
    assert not predicts(0.9).passed
    assert predicts(torch.tensor(0.73)).passed
    assert capsys.readouterr().out == ""
    notes.forget()  # a kernel that was started again
    assert predicts(0.731).passed
    kept = tasks(journal)[PREDICTION]
    assert (kept["first"], kept["first_was_right"], kept["points"]) == ("0.5", False, 0.5)
    assert "0.5 of 0.5  0.5, not right" in str(progress("softmax"))


def test_a_first_prediction_that_is_right_is_said_to_be(journal: Path) -> None:
    predicts(0.73)
    predicts(0.1)
    assert "0 of 0.5   0.73, right" in str(progress("softmax"))


@pytest.mark.parametrize("value", ["0.5", None, torch.ones(2), [0.5]])
def test_what_is_no_number_is_no_prediction(value: Any, journal: Path) -> None:
    predicts(value)

    def empty() -> None:
        raise NotImplementedError

    check(empty, exercise=PREDICTION)
    assert tasks(journal).get(PREDICTION, {"first": ""})["first"] == ""
    predicts(0.6)
    assert tasks(journal)[PREDICTION]["first"] == "0.6"


def test_a_mistake_is_met_and_mended_by_a_check_that_passes(journal: Path) -> None:
    code = check(overflows, exercise="softmax").misconception
    assert tasks(journal)["softmax"]["mistakes"] == {code: False}
    sentence = next(one.sentence for one in find("softmax").misconceptions if one.code == code)
    before = str(progress("softmax"))
    assert f"Mistakes met and not mended yet\n- A stable softmax: {sentence}" in before
    assert "met and mended" not in before
    check(stable, exercise="softmax")
    check(lambda x, axis=-1: x, exercise="softmax")  # refused again, for something else
    assert tasks(journal)["softmax"]["mistakes"][code] is True
    after = progress("softmax")
    assert f"Mistakes met and mended\n- A stable softmax: {sentence}" in str(after)
    assert "<li>A stable softmax: The exponentials are taken" in after._repr_html_()


def test_a_mistake_that_is_made_again_is_met_again(journal: Path) -> None:
    for answer, is_mended in ((overflows, False), (stable, True), (overflows, False)):
        check(answer, exercise="softmax")
        assert set(tasks(journal)["softmax"]["mistakes"].values()) == {is_mended}


def test_the_table_holds_the_notebooks_tasks_in_their_order_and_a_sum() -> None:
    check(stable, exercise="softmax")
    table = progress("softmax")
    expected = [one for one in all_exercises() if one.slug == "softmax"]
    assert [row[0] for row in table.cells[:-1]] == [one.title for one in expected]
    assert table.cells[-1] == ("all that a check gives", "1.25 of 8", "")
    assert progress().cells == table.cells  # every chapter of which something was checked
    assert "Kept only as long as this notebook runs." in str(table)
    assert set(table._repr_mimebundle_()) == {"text/plain", "text/html"}


def test_nothing_and_nonsense_are_said_to_be_that() -> None:
    assert str(progress()) == "Nothing was checked yet."
    with pytest.raises(ValueError, match=r"there is no chapter 'sotfmax'; there are .*softmax"):
        progress("sotfmax")


def test_what_could_not_be_judged_is_not_noted(
    journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check(stable, exercise="no such task")
    assert not journal.exists()


# What breaks it breaks no check


def test_a_deleted_journal_is_begun_again(journal: Path) -> None:
    predicts(0.5)
    journal.unlink()
    assert predicts(0.73).passed
    assert tasks(journal)[PREDICTION]["first"] == "0.5"  # this process knows it still


BROKEN = {
    "empty": b"", "half": b'{"course": "attention course", "tasks": {"softm', "binary": b"\xff\xfe",
    "another's": b'{"epochs": 3}', "a list": b"[]", "deep": b"[" * 10**5,
    "odd": b'{"course": "attention course", "tasks": {"softmax": {"points": []}}}',
    "of another course": b'{"course": "another", "tasks": {}}', "enormous": b" " * (10**6 + 1),
}  # fmt: skip


@pytest.mark.parametrize("what", BROKEN)
def test_a_file_that_is_no_journal_is_left_as_it_is_and_said_once(
    what: str, journal: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    journal.write_bytes(BROKEN[what])
    assert predicts(0.73).passed
    assert not predicts(0.5).passed
    assert journal.read_bytes() == BROKEN[what]
    assert capsys.readouterr().out.count("is no table of this course") == 1
    assert "0 of 0.5   0.73, right" in str(progress("softmax"))


@pytest.mark.parametrize("fails", ["write_text", "replace"])
def test_a_full_or_locked_disk_is_said_once(
    fails: str, journal: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*arguments: Any, **options: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(f"pathlib.Path.{fails}", full)
    assert predicts(0.73).passed
    assert check(stable, exercise="softmax").passed
    assert list(journal.parent.iterdir()) == []
    told = "[Your table cannot be kept beside this notebook: No space left on device. "
    assert capsys.readouterr().out == told + "Checks go on without it.]\n"


def test_a_folder_that_is_gone_or_a_fault_of_ours_breaks_no_check(
    journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal.parent.rmdir()
    assert predicts(0.73).passed
    monkeypatch.setattr("grading.checking.keep", lambda *given: 1 // 0)
    assert predicts(0.73).passed


def test_two_notebooks_of_one_folder_keep_what_the_other_wrote(journal: Path) -> None:
    predicts(0.5)
    other = dict(notes._session)
    notes.forget()
    check(stable, exercise="softmax")
    assert set(tasks(journal)) == {PREDICTION, "softmax"}
    assert other[PREDICTION] == notes.known()[PREDICTION]


# Where it is written, and where it never is

CELLS = [
    "from grading import check, progress",
    f"check(lambda: 0.5, exercise='{PREDICTION}')",
    "progress('softmax')",
]


def opened(folder: Path, **variables: str) -> dict[str, str]:
    """The environment of a kernel that a Jupyter server started for a notebook in a folder."""
    inherited = {k: v for k, v in os.environ.items() if k not in (OWNER, "PYTEST_CURRENT_TEST")}
    return inherited | {"JPY_SESSION_NAME": str(folder / "softmax.ipynb")} | variables


def run(folder: Path, environment: dict[str, str], cells: list[str] = CELLS) -> Any:
    nb = new_notebook(cells=[new_code_cell(source) for source in cells])
    there = {"metadata": {"path": str(folder)}}
    NotebookClient(nb, timeout=120, kernel_name="python3", resources=there).execute(env=environment)
    return nb


RUNS_ANOTHER = """
import subprocess, sys
code = '''
import os
from grading.journal.place import OWNER, place
class ZMQInteractiveShell:
    user_ns = {}
class IPython:
    get_ipython = staticmethod(ZMQInteractiveShell)
import sys
sys.modules["IPython"] = IPython
print(place())
'''
print(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip())
"""


def test_a_learners_own_kernel_keeps_it_and_what_it_starts_does_not(tmp_path: Path) -> None:
    nb = run(tmp_path, opened(tmp_path), [*CELLS, RUNS_ANOTHER])
    assert tasks(tmp_path / FILE)[PREDICTION]["first"] == "0.5"
    assert [path.name for path in tmp_path.iterdir()] == [FILE]
    assert "0.5, not right" in nb.cells[2].outputs[0].data["text/html"]
    assert nb.cells[3].outputs[0].text == "None\n"


class ZMQInteractiveShell:
    """A kernel's shell, as it goes by its name."""

    def __init__(self, **names: str) -> None:
        self.user_ns = names


def found(monkeypatch: pytest.MonkeyPatch, shell: Any, **variables: str) -> Path | None:
    """Return where the journal of a process lies, with such a shell and such variables."""
    ipython = SimpleNamespace(get_ipython=lambda: shell)
    monkeypatch.setitem(sys.modules, "IPython", ipython)  # type: ignore[arg-type]
    monkeypatch.setattr("os.environ", dict(variables))
    return place()


@pytest.mark.parametrize(
    "changed",
    [{"JPY_SESSION_NAME": ""}, {"JPY_SESSION_NAME": "softmax.ipynb"}, {OWNER: "off"},
     {OWNER: "1"}, {"PYTEST_CURRENT_TEST": "a test of nbval's"}],
    ids=["run as a file", "no path", "nbgrader", "of another kernel", "nbval"],
)  # fmt: skip
def test_who_runs_a_notebook_as_a_file_writes_none(
    changed: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = {"JPY_SESSION_NAME": str(tmp_path / "softmax.ipynb")}
    assert found(monkeypatch, ZMQInteractiveShell(), **session) == tmp_path / FILE
    assert os.environ[OWNER] == str(os.getpid())
    assert found(monkeypatch, ZMQInteractiveShell(), **(session | changed)) is None
    for shell in (None, SimpleNamespace(user_ns={})):  # a terminal's Python, and its IPython
        assert found(monkeypatch, shell, **session) is None


def test_a_notebook_is_known_in_vs_code_and_elsewhere_nothing_is_guessed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vs_code = ZMQInteractiveShell(__vsc_ipynb_file__=str(tmp_path / "renamed.ipynb"))
    assert found(monkeypatch, vs_code) == tmp_path / FILE
    console, colab = str(tmp_path / "Console 1"), "/content/fileId=1"
    gone = str(tmp_path / "gone" / "softmax.ipynb")
    for name in (console, colab, gone):
        assert found(monkeypatch, ZMQInteractiveShell(), JPY_SESSION_NAME=name) is None


def test_nbgrader_leaves_it_with_the_learner_and_its_settings_forbid_none() -> None:
    """A Jupyter server reads these settings too, and its kernels are learners' own."""
    before = os.environ.get(OWNER)
    settings = PyFileConfigLoader("nbgrader_config.py", path=str(ROOT)).load_config()
    assert FILE in settings.CourseDirectory.ignore
    assert os.environ.get(OWNER) == before


def test_nbgraders_run_of_a_hand_in_writes_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in opened(tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv(OWNER, raising=False)
    nb = new_notebook(cells=[new_code_cell("import os"), new_code_cell(f"os.environ['{OWNER}']")])
    done, _ = ExecuteToTheEnd().preprocess(nb, {"metadata": {"path": str(tmp_path)}})
    assert done.cells[1].outputs[0].data["text/plain"] == "'off'"


def test_the_runs_of_the_solutions_write_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in opened(tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("PYTEST_CURRENT_TEST", raising=False)
    nb = new_notebook(cells=[new_code_cell(source) for source in CELLS])
    write_notebook(nb, tmp_path / "source.ipynb")
    execute(tmp_path / "source.ipynb", tmp_path / "run.ipynb")
    assert not (tmp_path / FILE).exists()


# Predictions and the table in the notebooks

PREDICTIONS = [one for one in all_exercises() if one.kind == "predict"]


@pytest.mark.parametrize("exercise", PREDICTIONS, ids=lambda one: one.name)
def test_the_next_cell_shows_the_truth(exercise: Any, capsys: pytest.CaptureFixture[str]) -> None:
    cells = [c for c in read_notebook(notebook(ROOT / "solutions", exercise.slug)).cells]
    code = [cell for cell in cells if cell.cell_type == "code"]
    ids = [cell.metadata.get("nbgrader", {}).get("grade_id") for cell in code]
    shows = code[ids.index(exercise.cell) + 1]
    assert "nbgrader" not in shows.metadata
    space: dict[str, Any] = {}
    exec(code[0].source, space)
    *lines, last = shows.source.strip().split("\n")
    exec("\n".join(lines), space)
    shown = torch.as_tensor(eval(last, space)).flatten().tolist()
    assert any(check(lambda one=one: one, exercise=exercise.name).passed for one in shown)


@pytest.mark.parametrize("slug", sorted({one.slug for one in all_exercises()}))
def test_a_notebook_ends_with_its_learners_table(slug: str) -> None:
    last = read_notebook(notebook(ROOT / "exercises", slug)).cells[-1]
    assert last.source == f'from grading import progress\n\nprogress("{slug}")'
    assert "nbgrader" not in last.metadata
