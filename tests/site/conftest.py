"""One browser and one server for all tests of the site."""

import os
from collections.abc import Iterator

import pytest
from built_site import demand_site, find_browser, served
from playwright.sync_api import Browser, sync_playwright


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    demand_site()
    with served() as address:
        yield address


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    # Chromium's own sandbox refuses to start for root, which is who runs in a container.
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=find_browser(),
            # Without a graphics card its emulation is one more process that can stall.
            args=["--disable-gpu", *(["--no-sandbox"] if root else [])],
        )
        yield chromium
        chromium.close()
