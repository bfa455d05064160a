"""The kill table page: a line for each exercise, which unfolds, and contents by chapter.

The table comes as Markdown, a heading and a table for each exercise. Here each becomes one fold
that needs no script. What its anchor names lies inside, so that a link to it opens the fold.
"""

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxTranslator

__all__ = ["exercise_fold", "fold_exercises", "setup"]

PAGE = "kill-table"


class exercise_fold(nodes.General, nodes.Element):
    """One exercise: its "title", "name" and "count" of mistakes; inside what its bar hides."""


def visit(self: SphinxTranslator, node: exercise_fold) -> None:
    """Open the fold: its bar says which exercise it is and how many mistakes are known."""
    title, name = self.encode(node["title"]), self.encode(node["name"])
    mistakes = "1 mistake" if node["count"] == 1 else f"{node['count']} mistakes"
    self.body.append(
        f'<details class="exercise-fold"><summary><h3>{title}</h3> '
        f"<span>{mistakes}</span></summary>\n"
        f'<div id="{name}">\n'
    )


def leave(self: SphinxTranslator, node: exercise_fold) -> None:
    """Close it."""
    self.body.append("</div></details>\n")


def fold_exercises(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Fold what stands under each exercise's heading, and list the chapters before the first."""
    if docname != PAGE or app.builder.format != "html":
        return
    headings = [one for one in doctree.findall(nodes.rubric) if "level" in one]
    chapters = [one for one in headings if one["level"] == 2]
    counts = {id(chapter): [0, 0] for chapter in chapters}
    for one in chapters:  # "softmax" is an exercise's name as well
        one["ids"] = [f"chapter-{one['ids'][0]}"]
    chapter = None
    for heading in headings:
        if heading["level"] == 2:
            chapter = heading
            continue
        fold = folded(heading, headings)
        counts[id(chapter)][0] += 1
        counts[id(chapter)][1] += fold["count"]
    if chapters:
        first = chapters[0]
        listed = nodes.bullet_list("", *(line(one, *counts[id(one)]) for one in chapters))
        first.parent.insert(first.parent.index(first), listed)


def folded(heading: nodes.rubric, headings: list[nodes.rubric]) -> exercise_fold:
    """Put a fold in the place of a heading, with all that stands before the next one."""
    parent = heading.parent
    start = parent.index(heading)
    end = start + 1
    while end < len(parent) and parent[end] not in headings:
        end += 1
    inside = parent[start + 1 : end]
    fold = exercise_fold("", *inside)
    rows = next(one for part in inside for one in part.findall(nodes.tbody)).children
    name = next(one for part in inside for one in part.findall(nodes.literal)).astext()
    fold.attributes |= {"title": heading.astext(), "name": name, "count": len(rows)}
    parent[start:end] = [fold]
    return fold


def line(chapter: nodes.rubric, exercises: int, mistakes: int) -> nodes.list_item:
    """Return a chapter's line of the contents."""
    link = nodes.reference("", chapter.astext(), internal=True, refid=chapter["ids"][0])
    told = nodes.Text(f": {exercises} exercises, {mistakes} mistakes")
    return nodes.list_item("", nodes.paragraph("", "", link, told))


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the page's folds."""
    app.add_node(exercise_fold, html=(visit, leave))
    app.connect("doctree-resolved", fold_exercises)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
