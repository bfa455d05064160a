"""What must be executed, and when again; two pages at a time.

Left alone, myst-nb executes a page as it reads it, one after the other, and jupyter-cache asks only
whether the code has changed. So before anything is read, the pages whose code, imports or pins have
changed are executed here and put into jupyter-cache, where myst-nb finds them.
"""

import os

from executed_pages import ONLY, ExecutedPage, executed_pages, needed
from kept_runs import is_outdated, keep, record, shown_run
from page_run import run_page
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.errors import ExtensionError

from grading.jobs import in_processes


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
