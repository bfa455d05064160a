"""A plugin: tests of the library meet the parts of a mine.py in the place of its own functions.

`pytest -p in_the_librarys_place --mine FILE tests/course_lib/test_softmax.py …`
"""

import functools
import importlib
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from grading.adoption.finding import read
from grading.adoption.library import parts

#: How often each part was called.
CALLS: Counter[str] = Counter()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--mine", type=Path, required=True, help="a mine.py")


def pytest_configure(config: pytest.Config) -> None:
    module = read(config.getoption("--mine"))
    for one in parts():
        home, _, name = one.part.rpartition(".")
        setattr(importlib.import_module(home), name, counted(one.name, getattr(module, one.name)))


def counted(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def called(*arguments: Any, **named: Any) -> Any:
        CALLS[name] += 1
        return function(*arguments, **named)

    return called


def pytest_terminal_summary(terminalreporter: Any) -> None:
    terminalreporter.write_line(f"calls: {json.dumps(CALLS)}")
