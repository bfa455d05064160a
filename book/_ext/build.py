"""Build the book into _build/html: `python book/_ext/build.py`; `--zip` writes _build/site.zip too.

Only what changed is built again. Warnings are errors.
"""

import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "_build"
KERNEL_NOTE = "[IPKernelApp] WARNING | Kernel is running over TCP without encryption"
# The date in the archive: the same site gives the same bytes.
ZIP_DATE = (2020, 1, 1, 0, 0, 0)


def command() -> list[str]:
    """Return the one way in which the book is built."""
    run = "from jupyter_book.cli.main import main; main()"
    book = [sys.executable, "-P", "-c", run, "build", str(ROOT / "book")]
    where = ["--config", str(ROOT / "_config.yml"), "--toc", str(ROOT / "book" / "_toc.yml")]
    return [*book, *where, "--path-output", str(ROOT), "-W", "-n", "--keep-going"]


def run(line: list[str], environment: dict[str, str]) -> int:
    """Run a command and show what it prints, less the kernels' note on their own sockets."""
    with subprocess.Popen(
        line, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        for text in process.stdout:
            if KERNEL_NOTE not in text:
                print(text, end="", flush=True)
    return process.returncode


def build() -> None:
    """Build the site; every line of Sphinx is shown as it comes."""
    started = time.monotonic()
    print("[book] building _build/html; chapters that changed are executed", flush=True)
    # Kernels start with one thread each: the cells are small, and two kernels share two cores.
    environment = {
        "OMP_NUM_THREADS": "1",
        "PYTHONHASHSEED": "0",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }
    code = run(command(), environment | dict(os.environ))
    if code:
        # A page that was read is not read again, so the next build would miss its warning.
        (OUT / ".doctrees" / "environment.pickle").unlink(missing_ok=True)
        raise SystemExit(
            f"[book] the build failed ({code}); the first WARNING or ERROR says where."
        )
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


if __name__ == "__main__":
    build()
    if "--zip" in sys.argv[1:]:
        zip_site()
