"""What must be executed, and when again.

jupyter-cache asks only whether a notebook's code has changed. A page also depends on the packages
that its code imports, so a fingerprint of them stands beside the cache: when it differs, the cache
is emptied and every executed page is read again. And a page that should have been executed and was
not fails the build.
"""

import hashlib
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
from jupyter_cache import get_cache
from myst_nb.sphinx_ import NbMetadataCollector
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.errors import ExtensionError

ROOT = Path(__file__).resolve().parents[2]
# What the cells import, and what they import in turn.
WATCHED = ("course_lib", "grading", "requirements.txt", "constraints.txt")
IGNORED = {"__pycache__"}
CODE_CELL = "```{code-cell}"


def watched_files(root: Path = ROOT) -> Iterator[Path]:
    """Yield every file that can change what a page's cells print, in a fixed order."""
    for name in WATCHED:
        path = root / name
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        yield from (f for f in files if f.is_file() and not IGNORED & set(f.parts))


def fingerprint(root: Path = ROOT) -> str:
    """Return one number for the code, the data, and the pins that the pages are computed with."""
    digest = hashlib.sha256(sys.version.encode())
    for path in watched_files(root):
        digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def is_executed_page(source: str) -> bool:
    """Return whether a page's text asks to be executed: it has a jupytext header or a code cell."""
    header = source.split("\n---", 1)[0] if source.startswith("---") else ""
    return "jupytext:" in header or CODE_CELL in source


def empty_stale_cache(app: Sphinx) -> None:
    """Empty the cache of executed notebooks when what they import has changed."""
    mark = Path(app.outdir).parent / "fingerprint.txt"
    now = fingerprint()
    if mark.exists() and mark.read_text(encoding="utf-8") == now:
        return
    if mark.exists():
        print("[book] the library or its pins changed: every chapter is executed again", flush=True)
        mark.unlink()
    shutil.rmtree(cache_folder(app), ignore_errors=True)
    app.stale_fingerprint = now  # type: ignore[attr-defined]


def read_again(
    app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]
) -> list[str]:
    """Name the pages whose results may be out of date although their text is not."""
    if not hasattr(app, "stale_fingerprint"):
        return []
    known = set(env.found_docs) - added - removed
    return sorted(name for name in known if is_executed_page(read(env, name)))


def read(env: BuildEnvironment, docname: str) -> str:
    """Return a page's source text."""
    return Path(env.doc2path(docname)).read_text(encoding="utf-8")


def code_cells(notebook: dict[str, Any]) -> list[tuple[int, dict[str, Any]]]:
    """Return the cells that hold code, each with its position."""
    return [
        (position, cell)
        for position, cell in enumerate(notebook["cells"])
        if cell["cell_type"] == "code" and "".join(cell["source"]).strip()
    ]


def complete_cached_notebooks(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Give the notebook of a page that came from the cache its outputs and its execution counts.

    myst-nb shows the cached outputs in the page but writes the notebook without them, and
    jupyter-cache drops the counts. nbval compares no cell that has no count, and nothing with no
    output: a build from the cache would be proved by nothing. Only a page whose run myst-nb reports
    as succeeded is completed.
    """
    for docname in env.found_docs:
        path = executed_notebook(app, docname)
        run: Any = NbMetadataCollector.get_exec_data(env, docname) or {}
        if not path.exists() or run.get("method") != "cache" or not run.get("succeeded"):
            continue
        notebook = nbformat.read(path, as_version=4)
        if any("executed" not in cell["metadata"] for _, cell in code_cells(notebook)):
            nbformat.write(completed(app, notebook), path)
    return []


def completed(app: Sphinx, notebook: Any) -> Any:
    """Return a notebook with the outputs of its run in the cache, its code cells numbered."""
    _, full = get_cache(str(cache_folder(app))).merge_match_into_notebook(notebook, cell_meta=())
    for count, (_, cell) in enumerate(code_cells(full), start=1):
        cell["execution_count"] = count
        cell["metadata"]["executed"] = True  # completed once; a page not read again stays as it is
        for output in cell["outputs"]:
            if "execution_count" in output:
                output["execution_count"] = count
    return full


def cache_folder(app: Sphinx) -> Path:
    """Return where jupyter-cache keeps the executed notebooks."""
    chosen = app.config.nb_execution_cache_path
    return Path(chosen) if chosen else Path(app.outdir).parent / ".jupyter_cache"


def executed_notebook(app: Sphinx, docname: str) -> Path:
    """Return where myst-nb leaves the executed notebook of a page."""
    return Path(app.outdir).parent / "jupyter_execute" / f"{docname}.ipynb"


def demand_execution(app: Sphinx, exception: Exception | None) -> None:
    """Fail when a page with code has no executed notebook; else remember what was built with."""
    if exception or app.builder.name != "html":
        return
    for docname in sorted(app.env.found_docs):
        if is_executed_page(read(app.env, docname)):
            demand_page(docname, executed_notebook(app, docname))
    if hasattr(app, "stale_fingerprint"):
        mark = Path(app.outdir).parent / "fingerprint.txt"
        mark.write_text(app.stale_fingerprint, encoding="utf-8")


def demand_page(docname: str, notebook: Path) -> None:
    """Fail unless every code cell of a page was executed."""
    if not notebook.exists():
        raise ExtensionError(
            f"{docname}.md has code cells but was not executed: "
            "does it lack its 'jupytext:' header?"
        )
    cells = code_cells(json.loads(notebook.read_text(encoding="utf-8")))
    missing = [position for position, cell in cells if not cell.get("execution_count")]
    if missing:
        raise ExtensionError(f"{docname}.md: the code cells {missing} were not executed.")
