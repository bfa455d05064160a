"""`{steps-figure}`: the figure of the book's first calculation, on a page that runs no code."""

from typing import Any, ClassVar

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from course_lib.plotting.attention_steps import steps_by_hand


class StepsFigure(SphinxDirective):
    """The figure, with its text as the caption."""

    has_content = True
    option_spec: ClassVar[dict[str, Any]] = {}

    def run(self) -> list[nodes.Node]:
        """Return the figure and its caption."""
        drawing = nodes.raw("", steps_by_hand().html(), format="html")
        caption = nodes.container("", classes=["mechanism-caption"])
        self.state.nested_parse(self.content, self.content_offset, caption)
        return [drawing, caption]
