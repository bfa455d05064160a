"""What `make test ONLY=<slug>` runs, and who shares a process with whom."""

import os
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from built_site import ROOT, chapters

ONE, OTHER = chapters()[:2]


class Item:
    """A test as pytest collects it: its file, and what it was given."""

    def __init__(self, path: str, **params: Any) -> None:
        self.path = ROOT / "tests" / path
        assert self.path.exists()
        if params:
            self.callspec = SimpleNamespace(params=params)


def hooks(request: pytest.FixtureRequest) -> Any:
    """Return the settings of all tests."""
    plugins = request.config.pluginmanager.get_plugins()
    own = str(ROOT / "tests" / "conftest.py")
    [found] = [one for one in plugins if getattr(one, "__file__", None) == own]
    return found


def collected(
    request: pytest.FixtureRequest, items: list[Item], only: str | None, *, worker: bool = False
) -> tuple[list[Item], list[Item]]:
    """Return the items that are left of a collection, and those that were deselected."""
    gone: list[Item] = []
    told = SimpleNamespace(pytest_deselected=lambda items: gone.extend(items))
    config = SimpleNamespace(getoption=lambda name: only, hook=told)
    if worker:
        config.workerinput = {}
    hooks(request).pytest_collection_modifyitems(config, items)
    return items, gone


def test_only_what_concerns_the_chapter_is_left(request: pytest.FixtureRequest) -> None:
    wanted = [
        Item("site/test_pages.py", page_name=ONE),
        Item("grading/classroom/test_solution_notebooks.py", slug=ONE),
        Item("grading/test_exercises.py", exercise=SimpleNamespace(slug=ONE), code="X"),
    ]
    others = [
        Item("site/test_pages.py", page_name=OTHER),
        Item("grading/test_exercises.py", exercise=SimpleNamespace(slug=OTHER)),
        Item("grading/classroom/test_release.py"),
        Item("project/test_docstrings.py", module=Path("x")),
    ]
    left, gone = collected(request, [*others, *wanted], ONE)
    assert left == wanted
    assert gone == others


@pytest.mark.parametrize(
    ("nodeid", "scope"),
    [
        ("tests/site/test_pages.py::test_a[api-layers]", "tests/site/test_pages.py[api-layers]"),
        ("tests/site/test_pages.py::test_a[api]", "tests/site/test_pages.py[api]"),
        (f"tests/x/test_solution_notebooks.py::t[{ONE}-1]",
         f"tests/x/test_solution_notebooks.py[{ONE}]"),
        ("tests/book/test_published_notebooks.py::test_a[none]",
         "tests/book/test_published_notebooks.py[]"),
        ("tests/grading/classroom/test_release.py::t[softmax]",
         "tests/grading/classroom/test_release.py"),
        ("tests/site/test_links.py::test_a", "tests/site/test_links.py"),
    ],
)  # fmt: skip
def test_tests_of_a_file_share_a_process_and_those_of_pages_go_by_page(
    request: pytest.FixtureRequest, nodeid: str, scope: str
) -> None:
    scheduler = hooks(request).ByFileAndPage
    assert scheduler._split_scope(scheduler.__new__(scheduler), nodeid) == scope


def test_long_tests_come_first_where_processes_share_them(request: pytest.FixtureRequest) -> None:
    items = [
        Item("course_lib/test_softmax.py"),
        Item("site/test_pages.py", page_name=ONE),
        Item("grading/classroom/test_release.py", number=1),
    ]
    left, gone = collected(request, list(items), None, worker=True)
    assert not gone
    assert left == items[::-1]
    assert collected(request, list(items), None)[0] == items


def test_an_unknown_chapter_is_refused_with_those_that_there_are(
    request: pytest.FixtureRequest,
) -> None:
    words = f"There is no chapter 'sofmax'. Choose one of: {', '.join(chapters())}"
    with pytest.raises(pytest.UsageError) as raised:
        collected(request, [Item("site/test_pages.py", page_name=ONE)], "sofmax")
    assert str(raised.value) == words


def test_make_hands_the_chapter_to_each_step() -> None:
    def steps(*words: str) -> list[str]:
        command = ["make", "--dry-run", "test", *words]
        environment = {key: value for key, value in os.environ.items() if key != "MAKEFLAGS"}
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
        )
        return [line for line in done.stdout.splitlines() if " -m " in line or "build.py" in line]

    whole, alone = steps(), steps("ONLY=softmax")
    assert not [line for line in whole if "--only" in line]
    assert len(alone) == 3
    assert all('--only "softmax"' in line for line in alone)
    assert "pytest" in whole[-1]
    assert "-n 3 " in whole[-1]
