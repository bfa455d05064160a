"""The course's own changes to the site: what the stock theme lacks, in one place.

Pages that are executed or fail (execution), notebooks to download (downloads), the head of a
chapter (chapter), doors to what comes next (doors), folded code (folded_code), what a
term means (glossary_tips), how references are written (references), folds of
the kill table (kill_folds), where lines break (line_breaks), colours and menus without scripts
(without_script), a page for addresses that do
not exist, and no file in the site that no page asks for.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import appearance
import chapter
import chinese
import doors
import downloads
import executed_notebooks
import execution
import folded_code
import glossary_tips
import icons
import install_command
import kill_folds
import line_breaks
import paper_head
import references
import steps_figure
import without_script
from sphinx.application import Sphinx

# The theme ships them and no page asks for them; fontawesome.js alone is 1.5 MB.
UNUSED = (
    *(
        "_static/scripts/fontawesome.js*",
        "_static/**/*.map",
        "_static/**/fa-*.ttf",
        "_static/locales",
    ),
    *(
        "_static/**/fa-regular-400.woff2",
        "_static/**/fa-brands-400.woff2",
        "_static/images/logo_*",
        "_static/*webpack-macros.html",
    ),
)


DIRECTIVES = {
    "chapter-times": chapter.ChapterTimes,
    "chinese": chinese.Chinese,
    "install-command": install_command.InstallCommand,
    "start-commands": install_command.StartCommands,
    "steps-figure": steps_figure.StepsFigure,
    "task": doors.Task,
}


def missing_page(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Add 404.html. It may be shown at any depth, so its links start at the server's root."""
    address = downloads.published_address(app.config.html_theme_options["repository_url"])
    pages = [(name, app.env.titles[name].astext()) for name in app.env.toctree_includes["index"]]
    yield "404", {"site_root": urlsplit(address).path, "pages": pages}, "404.html"


def remove_unused(app: Sphinx, exception: Exception | None) -> None:
    """Remove what the theme ships and no page asks for: files, and the rules of unused icons."""
    if exception or app.builder.name != "html":
        return
    style = Path(app.outdir) / "_static" / "styles" / "pydata-sphinx-theme.css"
    style.write_text(icons.without_unused(style.read_text(encoding="utf-8")), encoding="utf-8")
    for path in (found for pattern in UNUSED for found in Path(app.outdir).glob(pattern)):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect each part to the moment of the build that it changes."""
    references.register()
    for part in (kill_folds, line_breaks):
        part.setup(app)
    app.add_config_value("course_notebooks_branch", "notebooks", "html")
    for name, directive in DIRECTIVES.items():
        app.add_directive(name, directive)
    app.add_node(chapter.chapter_times)
    app.add_node(folded_code.code_bar, html=(folded_code.visit, folded_code.leave))
    app.connect("env-get-outdated", execution.execute_outdated)
    app.connect("env-get-outdated", appearance.read_again)
    app.connect("env-updated", executed_notebooks.complete_cached_notebooks)
    app.connect("doctree-resolved", downloads.write_notebook)
    # After the notebook: the minutes are of the page.
    app.connect("doctree-resolved", chapter.add_facts, priority=600)
    app.connect("doctree-resolved", chapter.write_times)
    app.connect("doctree-resolved", doors.open_doors, priority=600)
    app.connect("doctree-resolved", folded_code.fold, priority=700)
    app.connect("doctree-resolved", glossary_tips.add_tips, priority=700)
    app.connect("html-page-context", doors.close_detours)
    app.connect("html-page-context", paper_head.add_head)
    app.connect("html-page-context", chapter.add_links, priority=900)
    app.connect("html-collect-pages", missing_page)
    app.connect("build-finished", downloads.add_exercises)
    app.connect("build-finished", executed_notebooks.demand_execution)
    app.connect("build-finished", remove_unused)
    # After the theme, which writes the colours of listings only then.
    app.connect("build-finished", without_script.write_sheet, priority=900)
    app.connect("build-finished", appearance.remember)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": False}
