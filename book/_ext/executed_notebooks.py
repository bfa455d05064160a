"""The executed notebooks that the build leaves behind: with outputs and counts, and none missing.

A page that should have been executed and was not fails the build.
"""

import json
import os
from pathlib import Path
from typing import Any

import nbformat
from executed_pages import ONLY, code_cells, is_executed_page, read
from jupyter_cache import get_cache
from kept_runs import cache_folder
from myst_nb.sphinx_ import NbMetadataCollector
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.errors import ExtensionError


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
