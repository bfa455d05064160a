"""What stands at the head of a printed page: the course, the page, and where both are published."""

import re
from html import escape
from typing import Any

import downloads
from sphinx.application import Sphinx

from grading.classroom.hand_out import course_archive


def add_head(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any
) -> None:
    """Put one line before the text, which a screen does not show (print.css)."""
    if not context.get("body") or app.builder.name != "html":
        return
    title = re.sub(r"<[^>]*>", "", str(context.get("title", "")))
    course = str(app.config.html_title)  # the title of _config.yml
    words = [course, title] if title != course else [course]
    if course_archive():
        address = downloads.published_address(app.config.html_theme_options["repository_url"])
        words.append(f"{address}{pagename}.html")
    line = " · ".join(escape(word, quote=False) for word in words)
    context["body"] = f'<p class="printed-from" aria-hidden="true">{line}</p>{context["body"]}'
