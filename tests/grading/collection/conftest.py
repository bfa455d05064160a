"""A course directory without a gradebook, and the command that collects into it."""

import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from made_zips import files_below

from grading.__main__ import main
from grading.classroom.enrolment import opened
from grading.collection import times


@dataclass(frozen=True)
class Collected:
    """What the command returned and printed; `rows` are the cells of its table's lines."""

    status: int
    out: str
    err: str

    @property
    def rows(self) -> list[list[str]]:
        table = self.out.split("\n\n")
        lines = next(part for part in table if part.startswith("learner ")).splitlines()
        return [re.split(r" {2,}", line) for line in lines[1:]]

    def states(self) -> dict[str, str]:
        """The state by learner; of what is not placed, by file."""
        return {row[0] if row[0] != "?" else row[2]: row[-1] for row in self.rows}


@pytest.fixture
def course(tmp_path) -> Path:
    root = tmp_path / "course"
    root.mkdir()
    (root / "nbgrader_config.py").write_text("c = get_config()\n")
    return root


@pytest.fixture(scope="session")
def empty_gradebook(tmp_path_factory) -> Path:
    """A gradebook without anybody: nbgrader takes seconds to make one."""
    root = tmp_path_factory.mktemp("gradebook")
    with opened(root):
        return root / "gradebook.db"


#: When a test collects, whatever this computer's clock says.
TODAY = datetime(2026, 12, 1, tzinfo=UTC)


@pytest.fixture
def collect(course, empty_gradebook, monkeypatch, capsys) -> Callable[..., Collected]:
    monkeypatch.setattr(times, "now", lambda: TODAY)

    def run(*words: object) -> Collected:
        if "--roster" in words and not (course / "gradebook.db").exists():
            shutil.copyfile(empty_gradebook, course / "gradebook.db")
        typed = ["grading", "collect", *map(str, words), "--course", str(course)]
        if "--timezone" not in typed:
            typed += ["--timezone", "UTC"]
        monkeypatch.setattr(sys, "argv", typed)
        status = main()
        said = capsys.readouterr()
        return Collected(status, said.out, said.err)

    return run


@pytest.fixture
def submitted(course) -> Callable[[], dict[str, bytes]]:
    """What lies in submitted/, time stamps as text."""
    return lambda: files_below(course / "submitted")
