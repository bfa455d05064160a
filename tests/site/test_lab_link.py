"""In `make lab` a click on a refusal's link opens the built book at the equation."""

import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

import nbformat
from built_site import ROOT, demand_site
from nbformat.v4 import new_code_cell, new_notebook
from playwright.sync_api import Browser

CODE = """\
from grading import check
def attention_scores(query, key):
    return 2 * query @ key.mT
check(attention_scores)"""
LAB = """\
import sys
from pathlib import Path
from grading.classroom.jupyter import open_lab
sys.exit(open_lab(Path(sys.argv[1]), sys.argv[2:]))"""
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}


@contextmanager
def lab(folder: Path) -> Iterator[str]:
    """Run the lab as the command does, on a folder of our own; yield its address."""
    log = folder.parent / "log.txt"
    options = ["--no-browser", "--IdentityProvider.token=", "--ServerApp.port=0"]
    options.append(f"--ServerApp.runtime_dir={folder.parent / 'runtime'}")
    with log.open("w") as written:
        process = subprocess.Popen(
            [sys.executable, "-c", LAB, str(folder), *options],
            stdout=written, stderr=subprocess.STDOUT, start_new_session=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        try:
            yield address(log)
        finally:
            os.killpg(process.pid, 15)
            process.wait(timeout=60)


def address(log: Path) -> str:
    """Wait until the lab says where it is, and answers."""
    until = monotonic() + 90
    while monotonic() < until:
        said = [word for word in log.read_text().split() if word.startswith("http://127.0.0.1:")]
        if said:
            urllib.request.urlopen(said[0], timeout=60).close()
            return said[0].split("/lab")[0]
        sleep(0.2)
    raise TimeoutError(log.read_text())


def test_a_click_in_the_lab_opens_the_book_at_the_equation(
    browser: Browser, tmp_path: Path
) -> None:
    demand_site()
    folder = tmp_path / "work"
    folder.mkdir()
    cell = new_code_cell(CODE, id="the-check")
    notebook = new_notebook(cells=[cell], metadata={"kernelspec": KERNEL})
    nbformat.write(notebook, folder / "scores.ipynb")
    with lab(folder) as address:
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        page = context.new_page()
        page.set_default_timeout(90_000)
        page.goto(f"{address}/lab/tree/scores.ipynb")
        page.locator(".jp-Notebook .jp-CodeCell .cm-content").first.click()
        page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
        page.keyboard.press("Shift+Enter")
        link = page.locator(".course-check a")
        with context.expect_page() as opened:
            link.click()
        book = opened.value
        book.wait_for_load_state()
        assert book.url.endswith("/queries-keys-values.html#equation-eq-scores")
        assert book.locator("[id='equation-eq-scores']").is_visible()
        assert page.locator(".course-check math").is_visible()
        context.close()
