"""Settings of all tests: annotations are executed, laws are drawn alike each time.

`pytest --only softmax` runs what concerns that chapter. With `-n 3` the tests of a
file go to one process, and those of a file that asks the same of each page go by page.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jaxtyping
import pytest
from built_site import chapters, find_browser, pages
from core_seconds import CoreSeconds
from hypothesis import settings
from playwright.sync_api import Browser, sync_playwright
from xdist.scheduler import LoadScopeScheduling

# The hook must stand before the first import of course_lib. The numeric tower lets an int stand
# for a float, as type checkers do.
jaxtyping.install_import_hook(
    "course_lib", "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))"
)

settings.register_profile("course", deadline=None, derandomize=True)
settings.load_profile("course")


#: Where processes share the tests, folders with long ones come first and short ones fill up.
LONG = {"grading": 0, "book": 1, "site": 2}


#: Files whose tests share something dear for each page, and nothing between pages.
BY_PAGE = {
    "test_pages",
    "test_live_figures",
    "test_published_notebooks",
    "test_solution_notebooks",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--only", metavar="SLUG", help="run the tests that concern this chapter")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(CoreSeconds(), "core-seconds")


def page_of(item: pytest.Item) -> str | None:
    """Return the page or chapter that a test was given, itself or by its exercise."""
    given = getattr(item, "callspec", None)
    values = given.params if given is not None else {}
    page = values.get("page_name", values.get("slug"))
    if hasattr(values.get("exercise"), "slug"):
        page = values["exercise"].slug
    return None if page is None else str(page)


def folder(path: Path) -> str:
    """Return the first folder below tests/."""
    return path.relative_to(Path(__file__).parent).parts[0]


class ByFileAndPage(LoadScopeScheduling):
    """Keeps the tests of a file in one process; where they ask each page alike, those of a page."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::")[0]
        given = re.search(r"\[(.*)\]$", nodeid)
        if Path(file).stem not in BY_PAGE or not given:
            return file
        begins = [name for name in pages() if f"{given[1]}-".startswith(f"{name}-")]
        return f"{file}[{max(begins, key=len, default='')}]"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFileAndPage:
    return ByFileAndPage(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    only = config.getoption("--only")
    if only is not None and only not in chapters():
        known = ", ".join(chapters())
        raise pytest.UsageError(f"There is no chapter {only!r}. Choose one of: {known}")
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: LONG.get(folder(item.path), len(LONG)))
    if only is not None:
        others = [item for item in items if page_of(item) != only]
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if page_of(item) == only]


@pytest.fixture
def without_annotations() -> Iterator[None]:
    """Call the library as a learner does: no hook, so its own errors must speak."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start the browser for one file of tests: its driver's loop is in the way of other loops."""
    # Chromium's own sandbox refuses to start for root, which is who runs in a container. Without a
    # graphics card its emulation is one more process that can stall.
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=find_browser(),
            args=["--disable-gpu", *(["--no-sandbox"] if root else [])],
        )
        yield chromium
        chromium.close()
