"""Find the Chromium or Chrome that the tests drive, or install one; print where it is.

Order: the variable COURSE_BROWSER, an installed browser, Debian's package when root, Playwright's
own download. If none is to be had the tests must not pass in silence: this stops with what to do.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Google\Chrome\Application\chrome.exe",
)


def playwright_browser() -> str | None:
    """Return the browser that Playwright has downloaded, if it has."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


def find() -> str | None:
    """Return the path of an installed browser, or None."""
    chosen = os.environ.get("COURSE_BROWSER")
    if chosen:
        if not Path(chosen).exists():
            raise SystemExit(f"[browser] COURSE_BROWSER names {chosen}, which does not exist.")
        return chosen
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    found = found or next((place for place in PLACES if Path(place).exists()), None)
    return found or playwright_browser()


def install() -> None:
    """Install Debian's Chromium when root, else let Playwright download its own."""
    if shutil.which("apt-get") and hasattr(os, "geteuid") and os.geteuid() == 0:
        print("[browser] installing Debian's chromium (one to two minutes)", flush=True)
        quiet = {"stdout": subprocess.DEVNULL}
        subprocess.call(["apt-get", "update", "-qq"], **quiet)
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        subprocess.call(
            [
                "apt-get",
                "install",
                "-y",
                "-qq",
                "--no-install-recommends",
                "chromium",
                "fonts-dejavu-core",
            ],
            env=environment,
            **quiet,
        )
    if find() is None:
        print("[browser] downloading Playwright's Chromium", flush=True)
        subprocess.call([sys.executable, "-m", "playwright", "install", "chromium"])


def main() -> None:
    """Print the browser's path, installing one first where there is none."""
    if find() is None:
        install()
    browser = find()
    if browser is None:
        raise SystemExit(
            "[browser] The tests read the pages in a real browser; none was found or installed.\n"
            "Install Chromium or Google Chrome, or set COURSE_BROWSER to the path of one."
        )
    print(browser)


if __name__ == "__main__":
    main()
