"""The one command that installs the course, on a page: `{install-command}`."""

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from grading.classroom.hand_out import install_command


class InstallCommand(SphinxDirective):
    """A block of code with the command; its address stands in _config.yml alone."""

    def run(self) -> list[nodes.Node]:
        """Return the block, which has the button to copy it as any other."""
        text = install_command()
        return [nodes.literal_block(text, text, language="sh")]
