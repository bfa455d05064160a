"""The learner's page of a submission that could not be graded: why, and what to do next."""

import os
import re
from html import escape
from pathlib import Path

from grading.classroom.grade.states import State
from grading.classroom.grade.submissions import Pair

STYLE = """
:root { color-scheme: light dark; }
body { font: 1rem/1.6 system-ui, sans-serif; max-width: 40rem; margin: 0 auto; padding: 1.5rem;
  background: Canvas; color: CanvasText; overflow-wrap: anywhere; }
"""
#: Shades that are legible on light and on dark.
BOX = "border-left: 4px solid #c8553d; padding: .2em .8em; margin: .5em 0 1.5em"
START, END = "<!-- the state -->", "<!-- end of the state -->"


def page_of(course: Path, pair: Pair) -> Path:
    """Return where a learner's page of an assignment lies: where nbgrader puts it."""
    learner, slug = pair
    return course / "feedback" / learner / slug / f"{slug}.html"


def sentences(state: State, *, has_mark: bool) -> list[str]:
    """Return what a learner is told of a submission without a mark."""
    said = [f"This submission could not be graded: {state.reason}."]
    if state.next_step:
        said.append(state.next_step)
    return [*said, standing(state) if has_mark else "It has no mark, which is not a mark of 0."]


def standing(state: State) -> str:
    """Return that an earlier mark stands, and of which hand-in it is."""
    if state.marked:
        return f"The mark of the hand-in of {state.marked} stands."
    return "The mark of an earlier hand-in stands."


def box(state: State, *, has_mark: bool) -> str:
    """Return what a learner is told as one block of HTML; what a submission says is escaped."""
    told = sentences(state, has_mark=has_mark)
    paragraphs = "".join(f"<p>{_marked_up(sentence)}</p>" for sentence in told)
    return f'{START}<div role="note" style="{BOX}">{paragraphs}</div>{END}'


def ungraded_page(pair: Pair, state: State, *, has_mark: bool) -> str:
    """Return a page that stands alone: no script, no font, no other host."""
    title = escape(f"{pair[1]}: not graded")
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n"
        f"<body>\n<h1>{title}</h1>\n{box(state, has_mark=has_mark)}\n</body>\n</html>\n"
    )


def with_box(html: str, state: State) -> str:
    """Return a page of feedback that says first that a later hand-in could not be graded."""
    told = box(state, has_mark=True)
    return re.sub(r"<body[^>]*>", lambda body: body[0] + told, html, count=1)


def write_page(course: Path, pair: Pair, html: str) -> None:
    """Write a learner's page; a process that is killed meanwhile leaves the old one or the new."""
    path = page_of(course, pair)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(html, encoding="utf-8")
    os.replace(unfinished, path)


def _marked_up(text: str) -> str:
    """Return a sentence as HTML; what stands between backticks is code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
