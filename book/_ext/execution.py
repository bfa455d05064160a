"""What must be executed, and when again; two pages at a time.

Left alone, myst-nb executes a page as it reads it, one after the other, and jupyter-cache asks only
whether the code has changed. So before anything is read, the pages whose code, imports or pins have
changed are executed here and put into jupyter-cache, where myst-nb finds them. _build/executions/
holds a record of each run: what it was made with, and the CPU seconds that it took. A page that
failed has none. And a page that should have been executed and was not fails the build.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from myst_nb.core.read import create_nb_reader
from myst_nb.sphinx_ import NbMetadataCollector
from page_run import run_page
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.errors import ExtensionError

from grading.imported_files import imported_files, run_digest
from grading.jobs import in_processes

ROOT = Path(__file__).resolve().parents[2]
CODE_CELL = "```{code-cell}"
# Who imports this trains something: its page may take longer (CONTRIBUTING.md).
TRAINING = ROOT / "course_lib" / "training"
# A page's name: only that page and what it needs is executed; the others stay as they were.
ONLY = "COURSE_ONLY"


@dataclass
class ExecutedPage:
    """A page with code, as its text is now."""

    docname: str
    path: Path
    notebook: Any
    digest: str


def is_executed_page(source: str) -> bool:
    """Return whether a page's text asks to be executed: it has a jupytext header or a code cell."""
    header = source.split("\n---", 1)[0] if source.startswith("---") else ""
    return "jupytext:" in header or CODE_CELL in source


def executed_pages(env: BuildEnvironment) -> Iterator[ExecutedPage]:
    """Yield the pages that are notebooks, read as myst-nb reads them."""
    for docname in sorted(env.found_docs):
        path, text = Path(env.doc2path(docname)), read(env, docname)
        reader = create_nb_reader(str(path), env.myst_config, env.mystnb_config, text)
        if reader is not None and is_executed_page(text):
            notebook = reader.read(text)
            yield ExecutedPage(
                docname, path, notebook, run_digest(sources(notebook), docname, ROOT)
            )


def execute_outdated(
    app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]
) -> list[str]:
    """Execute what has changed; name the pages that show another run than the one there is now."""
    pages = list(executed_pages(env))
    wanted = needed(env, pages)
    outdated = [page for page in pages if page.docname in wanted and is_outdated(app, page)]
    execute(app, outdated)
    shown = {page.docname: shown_run(app, page) for page in pages}
    # A page that is left alone and has never run is read without its results.
    left = [page.path.name for page in pages if not shown[page.docname]]
    env.mystnb_config = env.mystnb_config.copy(
        execution_excludepatterns=[*env.mystnb_config.execution_excludepatterns, *left]
    )
    known = getattr(env, "course_runs", {})
    env.course_runs = shown  # kept with what Sphinx knows of the pages that it has read
    again = {name for name in shown if known.get(name) != shown[name]}
    again |= {os.environ[ONLY]} if ONLY in os.environ else set()
    return sorted(again - added - removed)


def needed(env: BuildEnvironment, pages: list[ExecutedPage]) -> set[str]:
    """Name the pages to be executed: all, or one and those with figures that it refers to."""
    names = {page.docname for page in pages}
    if ONLY not in os.environ:
        return names
    only = os.environ[ONLY]
    text = read(env, only)
    figures = {page.docname: cell_names(page.notebook) for page in pages}
    others = {name for name in names if any(f"`{figure}`" in text for figure in figures[name])}
    return (others | {only}) & names


def cell_names(notebook: Any) -> set[str]:
    """Return the names that cells give to their figures."""
    options = [cell["metadata"].get("mystnb", {}) for _, cell in code_cells(notebook)]
    return {option["figure"]["name"] for option in options if "name" in option.get("figure", {})}


def is_outdated(app: Sphinx, page: ExecutedPage) -> bool:
    """Return whether a page has to run: its run was made with something else, or is not there."""
    return record(app, page.docname).get("inputs") != page.digest or not is_cached(app, page)


def shown_run(app: Sphinx, page: ExecutedPage) -> str:
    """Return which run of a page the build will show; an empty text if there is none."""
    return str(record(app, page.docname).get("inputs", "")) if is_cached(app, page) else ""


def is_cached(app: Sphinx, page: ExecutedPage) -> bool:
    """Return whether there is a run of the code as it is now."""
    try:
        get_cache(str(cache_folder(app))).match_cache_notebook(page.notebook)
    except KeyError:
        return False
    return True


def execute(app: Sphinx, pages: list[ExecutedPage]) -> None:
    """Execute pages, two at a time and the slowest first; keep what succeeded, name what failed."""
    if not pages:
        return
    print(f"\n[book] executing {', '.join(page.docname for page in pages)}", flush=True)
    pages = sorted(pages, key=lambda page: -record(app, page.docname).get("cpu_seconds", 1e9))
    jobs = {
        page.docname: (
            page.notebook,
            str(page.path.parent),
            app.env.mystnb_config.execution_timeout,
        )
        for page in pages
    }
    with_text = {page.docname: page for page in pages}
    failures = {}
    for name, run in in_processes(run_page, jobs):
        notebook, seconds, failure = run.result()
        if failure:
            failures[name] = failure
        else:
            keep(app, with_text[name], notebook, seconds)
            print(f"[book] {name} took {seconds} s of CPU", flush=True)
    if failures:
        texts = [f"{name}.md: a cell failed.\n{text}" for name, text in sorted(failures.items())]
        raise ExtensionError("\n".join(texts))


def keep(app: Sphinx, page: ExecutedPage, notebook: Any, seconds: float) -> None:
    """Put a run into the cache, and write its record."""
    bundle = CacheBundleIn(notebook, str(page.path), data={"execution_seconds": seconds})
    cache = get_cache(str(cache_folder(app)))
    cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
    files = imported_files(sources(notebook), page.docname, ROOT)
    trains = any(path.is_relative_to(TRAINING) for path in files)
    path = record_path(app, page.docname)
    path.parent.mkdir(parents=True, exist_ok=True)
    facts = {"inputs": page.digest, "cpu_seconds": seconds, "trains": trains}
    path.write_text(json.dumps(facts), encoding="utf-8")


def record(app: Sphinx, docname: str) -> dict[str, Any]:
    """Return what was written down of a page's last run; nothing if there is none."""
    path = record_path(app, docname)
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def record_path(app: Sphinx, docname: str) -> Path:
    """Return where the record of a page's run stands."""
    return Path(app.outdir).parent / "executions" / f"{docname}.json"


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


def sources(notebook: dict[str, Any]) -> list[str]:
    """Return the code of a notebook's cells."""
    return ["".join(cell["source"]) for _, cell in code_cells(notebook)]


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
    """Fail when a page with code has no executed notebook."""
    if exception or app.builder.name != "html":
        return
    only = os.environ.get(ONLY)
    for docname in sorted(app.env.found_docs):
        if only in (None, docname) and is_executed_page(read(app.env, docname)):
            demand_page(docname, executed_notebook(app, docname))


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
