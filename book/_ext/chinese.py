"""A chapter's summary in Chinese: `{chinese}`, for readers who came with the Chinese notes."""

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

__all__ = ["Chinese"]


class Chinese(SphinxDirective):
    """Text whose language the page declares, so that it is read aloud and set as Chinese."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Return the text between the marks of its language."""
        self.assert_has_content()
        start = nodes.raw(
            "", '<div class="chinese" lang="zh-Hans"><p><strong>小结</strong></p>', format="html"
        )
        inside = nodes.container(classes=["chinese-text"])
        inside += self.parse_content_to_nodes()
        return [start, inside, nodes.raw("", "</div>", format="html")]
