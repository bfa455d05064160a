"""Doors: from a section to one task, from a chapter to its notebook and to the next chapter."""

from typing import Any

import downloads
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from grading.exercises import find

__all__ = ["Task", "close_detours", "open_doors"]


class Task(SphinxDirective):
    """One linked task of the chapter's notebook, where a section ends: `{task} softmax`."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return one line: the minutes, the task, and its notebook."""
        name = self.arguments[0]
        exercise = find(name)
        if exercise is None or exercise.slug != self.env.docname:
            raise self.error(f"no exercise of the chapter {self.env.docname} is called {name!r}")
        minutes = f"{exercise.minutes} minutes" if exercise.minutes > 1 else "One minute"
        line = nodes.paragraph("", "", classes=["door"])
        line += nodes.Text(f"{minutes}, now: the task ")
        line += nodes.emphasis("", exercise.title)
        line += nodes.Text(" in the ")
        line += exercises()
        line += nodes.Text(".")
        return [line]


def exercises() -> nodes.inline:
    """Return the words that become a link on the page: a notebook has no page beside it."""
    return nodes.inline("", "notebook of exercises", classes=["to-exercises"])


def link_to(slug: str, words: str) -> nodes.raw:
    """Return a link that downloads a chapter's exercises; all pages lie in one folder."""
    address = f"{downloads.FOLDER}/exercises/{slug}.ipynb"
    return nodes.raw("", f'<a href="{address}" download>{words}</a>', format="html")


def open_doors(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Say at a chapter's end what comes now: its exercises, and the next chapter."""
    if not downloads.is_chapter(app, docname):
        return
    sections = (s for s in doctree.findall(nodes.section) if s["ids"][0].startswith("summary"))
    end = next(sections, None)
    if end is None:  # nothing sums it up: a small book of the tests
        return
    line = nodes.paragraph("", "", nodes.strong("", "Now: "), classes=["door"])
    line += nodes.Text("the ")
    line += exercises()
    after = following(app, docname)
    if after is not None:
        line += nodes.Text(". Then the next chapter, ")
        link = nodes.reference("", app.env.titles[after].astext(), internal=True)
        link["refuri"] = app.builder.get_relative_uri(docname, after)
        line += link
    line += nodes.Text(".")
    # Before the summary in Chinese, which is for readers of another language.
    chinese = next((n for n, one in enumerate(end.children) if is_chinese(one)), len(end.children))
    end.insert(chinese, line)
    for words in [one for one in doctree.findall(nodes.inline) if "to-exercises" in one["classes"]]:
        words.replace_self(link_to(docname, words.astext()))


def is_chinese(node: nodes.Node) -> bool:
    """Return whether the summary in Chinese begins here."""
    return isinstance(node, nodes.raw) and 'class="chinese"' in node.astext()


def following(app: Sphinx, docname: str) -> str | None:
    """Return the chapter after a chapter."""
    chapters = [
        name
        for name in app.env.toctree_includes[app.config.root_doc]
        if downloads.is_chapter(app, name)
    ]
    rest = chapters[chapters.index(docname) + 1 :]
    return rest[0] if rest else None


def close_detours(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any
) -> None:
    """Let no "next" lead from the last chapter into the pages at the back, and none back there."""
    if doctree is None or (downloads.is_chapter(app, page) and following(app, page)):
        return
    last = [
        n for n in app.env.toctree_includes[app.config.root_doc] if downloads.is_chapter(app, n)
    ]
    if last and page == last[-1]:
        context["next"] = None
    elif last and context.get("prev") and leads_to(context["prev"], last[-1]):
        context["prev"] = None


def leads_to(link: dict[str, str], page: str) -> bool:
    """Return whether a link of the theme leads to a page."""
    return link["link"].rpartition("/")[2].startswith(f"{page}.html")
