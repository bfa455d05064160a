"""What stands at the head of a chapter: its minutes, and where its notebook can be had."""

import math
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import downloads
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from grading.classroom.hand_out import course_archive
from grading.exercises import all_exercises

# Speeds of a first, careful reading: words of technical prose, then the time to study each formula
# and each cell with its output. Estimates, rounded up to five minutes.
WORDS_A_MINUTE = 150
MINUTES_A_FORMULA = 0.5
MINUTES_A_CELL = 0.7


# A script shows it, and opens with it what the page has folded.
SWITCH = (
    ' <button class="btn btn-sm code-switch" type="button" aria-pressed="false" hidden>'
    "Show all code</button>"
)


def reading_minutes(doctree: nodes.document) -> int:
    """Return the minutes that a first reading takes, rounded up to five."""
    words = sum(len(text.astext().split()) for text in doctree.findall(nodes.paragraph))
    formulas = len(list(doctree.findall(nodes.math_block)))
    cells = sum(node.get("nb_element") == "cell_code" for node in doctree.findall(nodes.container))
    minutes = words / WORDS_A_MINUTE + formulas * MINUTES_A_FORMULA + cells * MINUTES_A_CELL
    return max(5, 5 * math.ceil(minutes / 5))


def exercise_minutes(slug: str) -> int:
    """Return the minutes that the chapter's exercises take, by their own data; 0 without any."""
    return sum(exercise.minutes for exercise in all_exercises() if exercise.slug == slug)


def hours(minutes: int) -> str:
    """Return a duration in words."""
    if minutes < 60:
        return f"{minutes} minutes"
    whole, rest = divmod(minutes, 60)
    return f"{whole} h {rest} min" if rest else f"{whole} h"


def add_facts(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Put the minutes beneath a chapter's title."""
    if not downloads.is_chapter(app, docname):
        return
    text = f"{hours(reading_minutes(doctree))} to read"
    if extra := exercise_minutes(docname):
        text += f", {hours(extra)} for the exercises"
    title = next(iter(doctree.findall(nodes.title)))
    facts = nodes.paragraph("", text, classes=["chapter-facts"])
    facts += nodes.raw("", SWITCH, format="html")
    title.parent.insert(1, facts)


def add_links(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Give the page's template the addresses of the chapter's notebook and exercises."""
    if doctree is None or not downloads.is_chapter(app, page):
        return
    folder = Path(app.outdir) / downloads.FOLDER
    links = []
    if (folder / f"{page}.ipynb").exists():
        links.append(("Notebook", f"{page}.ipynb", f"chapters/{page}.ipynb"))
    if (downloads.ROOT / "exercises" / page / f"{page}.ipynb").exists():
        links.append(("Exercises", f"exercises/{page}.ipynb", f"exercises/{page}/{page}.ipynb"))
    pathto = context["pathto"]
    context["notebooks"] = [
        {
            "text": text,
            "download": pathto(f"{downloads.FOLDER}/{local}", 1),
            "colab": colab(app, remote),
        }
        for text, local, remote in links
    ]


def colab(app: Sphinx, path: str) -> str | None:
    """Return where Colab opens a notebook of the publishing branch; None without an address."""
    if course_archive() is None:
        return None
    repository = urlsplit(app.config.html_theme_options["repository_url"]).path.strip("/")
    branch = app.config.course_notebooks_branch
    return f"https://colab.research.google.com/github/{repository}/blob/{branch}/{path}"


class ChapterTimes(SphinxDirective):
    """The table of the chapters with their minutes: `{chapter-times}`."""

    def run(self) -> list[nodes.Node]:
        """Leave a mark; the table is written when every chapter has been read."""
        return [chapter_times()]


class chapter_times(nodes.General, nodes.Element):
    """Where the table of minutes will stand."""


def write_times(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Replace each mark by the table."""
    for mark in list(doctree.findall(chapter_times)):
        items = nodes.bullet_list()
        for name in app.env.toctree_includes.get(app.config.root_doc, []):
            if downloads.is_chapter(app, name):
                read = reading_minutes(app.env.get_doctree(name))
                work = exercise_minutes(name)
                link = nodes.reference("", app.env.titles[name].astext(), internal=True)
                link["refuri"] = app.builder.get_relative_uri(docname, name)
                text = f": {hours(read)} to read" + (
                    f", {hours(work)} for the exercises" if work else ""
                )
                items += nodes.list_item("", nodes.paragraph("", "", link, nodes.Text(text)))
        mark.replace_self(items)
