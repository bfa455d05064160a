"""The course's commands: python -m grading lab | check | release | collect | grade | report …"""

import argparse
import os
import sys

from grading.commands.for_instructors import add_for_instructors, formgrader
from grading.commands.for_learners import add_for_learners, lab

EPILOG = """
For learners:      lab, lab-copies, reset, check, mine
For instructors:   release, collect, grade, report, formgrader, class, solutions

Each command says more with --help. `make` calls lab, reset, mine and release by the same names.
"""


def arguments_of_all() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="python -m grading",
        description="Check answers, release exercises, grade a class.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, action: object, text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(action=action)
        return added

    add_for_learners(command)
    add_for_instructors(command)
    return parser


def main() -> int:
    """Run the command that was named."""
    parser = arguments_of_all()
    arguments, rest = parser.parse_known_args()
    if rest and arguments.action not in (lab, formgrader):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    arguments.options = rest
    try:
        status: int = arguments.action(arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads along, `head` for example, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return status


if __name__ == "__main__":
    sys.exit(main())
