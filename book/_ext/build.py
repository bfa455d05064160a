"""Build the book into _build/html: `python book/_ext/build.py`; `--zip` writes _build/site.zip too.

Only what changed is built again. Warnings are errors. `--only softmax` executes that chapter alone,
with the pages whose figures it shows the way to, and fails on its warnings alone; the others keep
the results that they have, if any. It is what an author waits for; the next whole build is whole.
"""

import argparse
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

from contents import demand_chapter
from unchanged import is_unchanged, remember

from grading.catalogue.submitting import submit_all

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "_build"
KERNEL_NOTE = "[IPKernelApp] WARNING | Kernel is running over TCP without encryption"
# The date in the archive: the same site gives the same bytes.
ZIP_DATE = (2020, 1, 1, 0, 0, 0)


def command(only: str | None) -> list[str]:
    """Return the one way in which the book is built; a warning fails the whole of it."""
    run = "from jupyter_book.cli.main import main; main()"
    book = [sys.executable, "-P", "-c", run, "build", str(ROOT / "book")]
    where = ["--config", str(ROOT / "_config.yml"), "--toc", str(ROOT / "book" / "_toc.yml")]
    strict = [] if only else ["-W", "--keep-going"]
    return [*book, *where, "--path-output", str(ROOT), "-n", *strict]


def run(line: list[str], environment: dict[str, str]) -> tuple[int, list[str]]:
    """Run a command and show what it prints, less the kernels' note on their own sockets.

    Returns:
        Its exit status, and its lines that are warnings.
    """
    warnings = []
    with subprocess.Popen(
        line, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        for text in process.stdout:
            if KERNEL_NOTE not in text:
                print(text, end="", flush=True)
            if "WARNING: " in text or "ERROR: " in text:
                warnings.append(text)
    return process.returncode, warnings


def build(only: str | None = None) -> None:
    """Build the site, or what one chapter needs; every line of Sphinx is shown as it comes."""
    started = time.monotonic()
    if only is None and is_unchanged(ROOT):
        print("[book] nothing has changed: _build/html/index.html", flush=True)
        return
    remember(ROOT, is_whole=False)
    print(f"[book] building _build/html; {only or 'what changed'} is executed", flush=True)
    if only is None:
        submit_all()
    # Kernels start with one thread each: the cells are small, and two kernels share two cores.
    environment = {
        "OMP_NUM_THREADS": "1",
        "PYTHONHASHSEED": "0",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }
    environment |= dict(os.environ) | ({"COURSE_ONLY": only} if only else {})
    code, warnings = run(command(only), environment)
    if only and any(f"{os.sep}{only}.md:" in text for text in warnings):
        code = 1
    if code or warnings:
        # A page that was read is not read again, so the next build would miss its warning.
        (OUT / ".doctrees" / "environment.pickle").unlink(missing_ok=True)
    if code:
        raise SystemExit(
            f"[book] the build failed ({code}); the first WARNING or ERROR says where."
        )
    remember(ROOT, is_whole=only is None)
    pages = len(list((OUT / "html").glob("*.html")))
    print(
        f"[book] {pages} pages in {time.monotonic() - started:.0f} s: _build/html/index.html",
        flush=True,
    )


def zip_site(target: Path = OUT / "site.zip") -> Path:
    """Write the whole site into one file that works from any folder."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted((OUT / "html").rglob("*")):
            if path.is_file() and path.name not in (".buildinfo", "objects.inv"):
                name = (Path("site") / path.relative_to(OUT / "html")).as_posix()
                entry = zipfile.ZipInfo(name, date_time=ZIP_DATE)
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, path.read_bytes())
    size = target.stat().st_size / 1e6
    print(f"[book] {target.name}: {size:.1f} MB; unzip it and open site/index.html", flush=True)
    return target


def main() -> None:
    """Read the options, build, and pack what was built if that is asked for."""
    parser = argparse.ArgumentParser(description="Build the book into _build/html.")
    parser.add_argument("--zip", action="store_true", help="write _build/site.zip too")
    parser.add_argument("--only", metavar="SLUG", help="the one chapter to execute and to judge")
    options = parser.parse_args()
    build(demand_chapter(options.only) if options.only else None)
    if options.zip:
        zip_site()


if __name__ == "__main__":
    main()
