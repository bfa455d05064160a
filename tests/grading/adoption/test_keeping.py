"""A mine.py is written in one step; what a learner changed, or would lose, is kept."""

import os
from datetime import datetime
from pathlib import Path

import pytest

from grading.adoption import keeping
from grading.adoption.keeping import write_library
from grading.adoption.library import is_as_written, library_text, own_parts
from grading.adoption.section import Section

NOON = datetime(2026, 5, 4, 12, 0, 9)


def text_with(*names: str, body: str = "pass") -> str:
    sections = {name: Section(name, f"def {name}():\n    {body}") for name in names}
    return library_text({name: (one, "a/a.ipynb") for name, one in sections.items()})


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    return tmp_path / "work" / "mine.py"


def test_the_first_one_makes_its_folder(mine):
    assert write_library(mine, text_with("softmax"), NOON) is None
    assert own_parts(mine.read_text()) == {"softmax"}
    assert [path.name for path in mine.parent.iterdir()] == ["mine.py"]


def test_one_that_nobody_changed_is_replaced(mine):
    write_library(mine, text_with("softmax"), NOON)
    newer = text_with("softmax", "logsumexp", body="return 'β'")
    assert write_library(mine, newer, NOON) is None
    assert mine.read_text(encoding="utf-8") == newer
    assert write_library(mine, newer, NOON) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text + "# my note\n",
        lambda text: text.replace("pass", "return 3"),
        lambda text: text.replace("# As written: ", "# as I want it: "),
        lambda text: "my own file\n",
        lambda text: "",
        lambda text: text.replace("\n", "\r\n"),
    ],
)
def test_an_edited_one_is_kept_under_its_date(mine, change):
    mine.parent.mkdir()
    edited = change(text_with("softmax")).encode()
    mine.write_bytes(edited)
    kept = write_library(mine, text_with("softmax"), NOON)
    assert kept == mine.with_name("mine.2026-05-04-120009.bak.py")
    assert kept.read_bytes() == edited
    assert mine.read_text() == text_with("softmax")


def test_bytes_that_are_no_text_are_kept_too(mine):
    mine.parent.mkdir()
    mine.write_bytes(b"\xff\xfe\x00")
    kept = write_library(mine, text_with(), NOON)
    assert kept is not None
    assert kept.read_bytes() == b"\xff\xfe\x00"


def test_one_with_a_part_that_is_lost_is_kept(mine):
    older = text_with("softmax", "logsumexp")
    write_library(mine, older, NOON)
    first = write_library(mine, text_with("softmax"), NOON)
    assert first is not None
    assert first.read_text() == older
    write_library(mine, older + "\n", NOON)
    second = write_library(mine, older, NOON)
    assert second == mine.with_name("mine.2026-05-04-120009-2.bak.py")
    assert first.read_text() == older


def test_a_process_that_is_killed_loses_nothing(mine, monkeypatch):
    older = text_with("softmax") + "# mine\n"
    mine.parent.mkdir()
    mine.write_text(older)

    def killed(source: object, target: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(keeping.os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        write_library(mine, text_with(), NOON)
    monkeypatch.undo()
    assert older in [path.read_text() for path in mine.parent.glob("*.py")]
    write_library(mine, text_with(), NOON)
    assert sorted(os.listdir(mine.parent)) == ["mine.2026-05-04-120009.bak.py", "mine.py"]


def test_a_text_knows_whether_it_was_changed():
    text = text_with("softmax")
    assert is_as_written(text)
    assert not is_as_written(text.replace("pass", "pass "))
    assert not is_as_written("")
