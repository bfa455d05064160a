"""The runs of pages that are kept: jupyter-cache holds what they gave, a record what they were.

_build/executions/ holds a record of each run: what it was made with, and the CPU seconds that it
took. A page that failed has none.
"""

import json
from pathlib import Path
from typing import Any

from executed_pages import ROOT, ExecutedPage, sources
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from sphinx.application import Sphinx

from grading.imported_files import imported_files

# Who imports this trains something: its page may take longer (CONTRIBUTING.md).
TRAINING = ROOT / "course_lib" / "training"


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


def cache_folder(app: Sphinx) -> Path:
    """Return where jupyter-cache keeps the executed notebooks."""
    chosen = app.config.nb_execution_cache_path
    return Path(chosen) if chosen else Path(app.outdir).parent / ".jupyter_cache"
