"""`from grading import mine` finds the learner's mine.py, or says what stands in for it."""

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

import grading
from course_lib import softmax as library
from grading.adoption import finding
from grading.adoption.library import library_text
from grading.adoption.section import Section
from grading.exercises import parts

OTHER_NAMES = """\
def softmax():
    import torch
    from dataclasses import dataclass

    @dataclass
    class Shift:
        by: "float" = 0.0

    def softmax(z, dim):
        return torch.softmax(z + Shift().by, dim)

    return softmax"""


@pytest.fixture(autouse=True)
def nothing_read() -> Iterator[None]:
    earlier = sys.modules.pop("mine", None)
    finding._last.clear()
    yield
    finding._last.clear()
    sys.modules.pop("mine", None)
    if earlier is not None:
        sys.modules["mine"] = earlier


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "work" / "softmax").mkdir(parents=True)
    text = library_text({"softmax": (Section("softmax", OTHER_NAMES), "softmax/softmax.ipynb")})
    (tmp_path / "work" / "mine.py").write_text(text)
    return tmp_path


@pytest.mark.parametrize("place", [".", "work", "work/softmax"])
def test_it_is_found_from_the_root_from_work_and_from_a_notebook(root, place, monkeypatch, capsys):
    monkeypatch.chdir(root / place)
    from grading import mine

    assert mine.YOURS == ("softmax",)
    x = torch.randn(2, 3)
    assert_close(mine.softmax(x), torch.softmax(x, -1))  # the library's default
    assert_close(mine.softmax(x=x, axis=0), torch.softmax(x, 0))  # and its names
    assert mine.logsumexp is library.logsumexp
    assert capsys.readouterr().out == ""


def test_a_part_shows_the_librarys_arguments_and_the_learners_code(root):
    mine = finding.read(root / "work" / "mine.py")
    assert list(inspect.signature(mine.softmax).parameters) == ["x", "axis"]
    assert "z + Shift().by" in inspect.getsource(mine.softmax)
    assert mine.softmax.__name__ == "softmax"
    with pytest.raises(TypeError, match="missing a required argument: 'x'"):
        mine.softmax()


def test_where_there_is_none_the_course_stands_in_and_says_so_once(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    from grading import mine

    assert mine.YOURS == ()
    assert mine.softmax is library.softmax
    assert list(mine.PARTS) == [one.name for one in parts()]
    assert capsys.readouterr().out == finding.ABSENT + "\n"


def test_a_build_or_a_test_below_the_clone_finds_none(root, monkeypatch):
    place = root / "_build" / "solutions" / "softmax"
    place.mkdir(parents=True)
    assert finding.find(place) is None
    (root / "mine.py").write_text("print('something else of that name')")
    assert finding.find(place) is None


def test_a_file_that_was_written_anew_is_read_anew(root, monkeypatch):
    monkeypatch.chdir(root)
    assert grading.mine is grading.mine
    path = root / "work" / "mine.py"
    path.write_text(path.read_text().replace("z + Shift().by", "2 * z"))
    assert_close(grading.mine.softmax(torch.eye(2)), torch.softmax(2 * torch.eye(2), -1))


def test_a_file_that_cannot_be_run_says_what_to_do(root, monkeypatch):
    monkeypatch.chdir(root)
    path = root / "work" / "mine.py"
    whole = path.read_text()
    path.write_text(whole + "1 / 0\n")
    with pytest.raises(ImportError, match=r"mine\.py cannot be run \(ZeroDivisionError: division"):
        _ = grading.mine
    assert "mine" not in sys.modules
    path.write_text(whole + "def (\n")
    with pytest.raises(ImportError, match="writes it anew, and keeps an edited one"):
        _ = grading.mine


def test_what_an_older_file_lacks_is_the_courses(root, monkeypatch, capsys):
    monkeypatch.chdir(root)
    path = root / "work" / "mine.py"
    lines = path.read_text().splitlines()
    path.write_text("\n".join(one for one in lines if "import logsumexp" not in one))
    assert grading.mine.logsumexp is library.logsumexp
    assert capsys.readouterr().out == finding.OLDER.format(names="logsumexp") + "\n"


def test_two_scopes_with_equal_names_never_meet(tmp_path):
    texts = {
        "softmax": "def softmax():\n    SHIFT = 1\n    return lambda x, axis: SHIFT",
        "logsumexp": "def logsumexp():\n    SHIFT = 2\n    return lambda x, axis: SHIFT",
    }
    own = {name: (Section(name, text), "softmax/softmax.ipynb") for name, text in texts.items()}
    (tmp_path / "mine.py").write_text(library_text(own))
    mine = finding.read(tmp_path / "mine.py")
    assert (mine.softmax(0), mine.logsumexp(0)) == (1, 2)
    assert not hasattr(mine, "SHIFT")
