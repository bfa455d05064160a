"""The course's commands: python -m grading check | release | class | solutions | report | lab."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from grading.classroom import release_command

EPILOG = """
For learners:      lab, lab-copies, reset, check
For instructors:   release, class, report, formgrader, solutions

Each command says more with --help. `make` calls them by the same names.
"""

#: Adds a command by its name, what it does, and the text that explains it.
Adder = Callable[[str, object, str], argparse.ArgumentParser]

REST = "Further options, --no-browser for example, are JupyterLab's."


def check_answers(arguments: argparse.Namespace) -> int:
    """Check the functions of a notebook or script."""
    from grading.catalogue.answers import check_file

    return check_file(arguments.file, arguments.names)


def sample_class(arguments: argparse.Namespace) -> int:
    """Grade the sample class and print its results."""
    from grading.classroom.sample_class import grade_class
    from grading.report.printed import near, print_report
    from grading.words.links import local_book

    course, about = grade_class()
    print_report(course, about)
    if book := local_book():
        print(f"the book                  {near(book / 'index.html')}")
    return 0


def lacks_gradebook(course: Path) -> bool:
    """Say so where a folder is no graded course directory."""
    if (course / "gradebook.db").exists():
        return False
    how = "`make release` makes one here, `python -m grading class` that of the sample class."
    print(f"{course} holds no gradebook. {how}", file=sys.stderr)
    return True


def report(arguments: argparse.Namespace) -> int:
    """Print the results of a graded course directory."""
    from grading.report.printed import print_report

    if lacks_gradebook(arguments.course):
        return 2
    print_report(arguments.course)
    return 0


def formgrader(arguments: argparse.Namespace) -> int:
    """Open the gradebook of a course directory in the browser."""
    from grading.classroom.jupyter import open_lab

    if lacks_gradebook(arguments.course):
        return 2
    return open_lab(arguments.course, ["--LabApp.default_url=/formgrader", *arguments.options])


def solutions(arguments: argparse.Namespace) -> int:
    """Run the solution notebooks."""
    from grading.classroom.solution_runs import run_solutions

    done = run_solutions(only=arguments.only)
    print(f"ran {', '.join(done)} into _build/solutions" if done else "solutions are up to date.")
    return 0


def lab_copies(arguments: argparse.Namespace) -> int:
    """Make the learner's copies."""
    from grading.classroom.workspace import make_copies
    from grading.notebooks import ROOT

    for copy in make_copies():
        print(f"made {copy.relative_to(ROOT)}")
    return 0


def lab(arguments: argparse.Namespace) -> int:
    """Make the learner's copies and open JupyterLab on them."""
    from grading.classroom.jupyter import open_lab
    from grading.notebooks import ROOT

    lab_copies(arguments)
    return open_lab(ROOT / "work", arguments.options)


def reset(arguments: argparse.Namespace) -> int:
    """Start one notebook again."""
    from grading.classroom.workspace import released
    from grading.classroom.workspace import reset as start_again
    from grading.notebooks import ROOT

    if not arguments.notebook:
        known = ", ".join(released(ROOT))
        print(f"usage: make reset NOTEBOOK=softmax\nThe notebooks are {known}.", file=sys.stderr)
        return 2
    try:
        kept = start_again(arguments.notebook)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"work/{arguments.notebook} is as it was released.")
    if kept is not None:
        print(f"Your version is kept in {kept.relative_to(ROOT)}")
    return 0


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


def add_for_learners(command: Adder) -> None:
    """Add the commands that a learner types."""
    one = command("check", check_answers, "Check the functions of a notebook or a script.")
    one.add_argument("file", type=Path, help="a .ipynb or .py file with answers")
    one.add_argument("names", nargs="*", help="only these exercises; default: all that it defines")
    command("lab-copies", lab_copies, "Copy new exercises to work/; nothing is overwritten.")
    command("lab", lab, f"Copy new exercises to work/ and open JupyterLab there. {REST}")
    one = command("reset", reset, "Start a notebook in work/ again; a dated copy of yours is kept.")
    text = "its name, for example softmax"
    one.add_argument("notebook", nargs="?", default="", metavar="NOTEBOOK", help=text)


def add_for_instructors(command: Adder) -> None:
    """Add the commands that an instructor types."""
    text = "Generate exercises/ from solutions/, ready to be graded."
    release_command.add(command("release", release_command.release, text))
    command("class", sample_class, "Grade the sample class in _build/class with nbgrader.")
    one = command("report", report, "Print marks and named mistakes of a graded course directory.")
    place = Path("_build") / "class"
    one.add_argument("course", nargs="?", type=Path, default=place, help=f"default: {place}")
    one = command("formgrader", formgrader, f"Open the gradebook of a course directory. {REST}")
    one.add_argument("course", nargs="?", type=Path, default=place, help=f"default: {place}")
    one = command("solutions", solutions, "Run the solution notebooks into _build/solutions.")
    one.add_argument("--only", metavar="SLUG", help="this chapter's, if it has one")


def main() -> int:
    """Run the command that was named."""
    parser = arguments_of_all()
    arguments, rest = parser.parse_known_args()
    if rest and arguments.action not in (lab, formgrader):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    arguments.options = rest
    status: int = arguments.action(arguments)
    return status


if __name__ == "__main__":
    sys.exit(main())
