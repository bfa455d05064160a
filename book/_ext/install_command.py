"""The commands by which a reader gets the course: `{install-command}` and `{start-commands}`.

The address stands in _config.yml alone. As long as it is a placeholder, no page shows it.
"""

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from grading.classroom.hand_out import SOMEWHERE, clone_command, course_archive, install_command

UNPUBLISHED = (
    "The course has no public address yet. Ask whoever handed the notebook out where the course "
    f"is, and write that in the place of {SOMEWHERE}."
)


def block(text: str) -> nodes.literal_block:
    """Return a block of code, which has the button to copy it as any other."""
    return nodes.literal_block(text, text, language="sh")


class InstallCommand(SphinxDirective):
    """The command that installs the course beside one notebook."""

    def run(self) -> list[nodes.Node]:
        """Return the block, and what to ask for where there is no address."""
        shown: list[nodes.Node] = [block(install_command())]
        if course_archive() is None:
            shown.append(nodes.paragraph("", UNPUBLISHED))
        return shown


class StartCommands(SphinxDirective):
    """The commands from nothing to the exercises in JupyterLab."""

    def run(self) -> list[nodes.Node]:
        """Return the block; without an address it begins in the course's folder."""
        clone = clone_command()
        steps = [clone, f"cd {clone.rpartition('/')[2]}", "make lab"] if clone else ["make lab"]
        return [block("\n".join(steps))]
