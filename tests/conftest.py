"""Settings of all tests: annotations are executed, laws are drawn alike each time."""

import os
from collections.abc import Iterator

import jaxtyping
import pytest
from built_site import find_browser
from hypothesis import settings
from playwright.sync_api import Browser, sync_playwright

# The hook must stand before the first import of course_lib. The numeric tower lets an int stand
# for a float, as type checkers do.
jaxtyping.install_import_hook(
    "course_lib", "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))"
)

settings.register_profile("course", deadline=None, derandomize=True)
settings.load_profile("course")


@pytest.fixture
def without_annotations() -> Iterator[None]:
    """Call the library as a learner does: no hook, so its own errors must speak."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start the browser for one file of tests: two at a time cannot share a process."""
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
