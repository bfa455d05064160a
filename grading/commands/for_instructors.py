"""The commands that an instructor types."""

import argparse
import sys
from pathlib import Path

from grading.collection.command import add_collect
from grading.commands import REST, Adder, releasing


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


def add_for_instructors(command: Adder) -> None:
    """Add the commands that an instructor types."""
    releasing.add(command)
    add_collect(command)
    command("class", sample_class, "Grade the sample class in _build/class with nbgrader.")
    one = command("report", report, "Print marks and named mistakes of a graded course directory.")
    place = Path("_build") / "class"
    one.add_argument("course", nargs="?", type=Path, default=place, help=f"default: {place}")
    one = command("formgrader", formgrader, f"Open the gradebook of a course directory. {REST}")
    one.add_argument("course", nargs="?", type=Path, default=place, help=f"default: {place}")
    one = command("solutions", solutions, "Run the solution notebooks into _build/solutions.")
    one.add_argument("--only", metavar="SLUG", help="this chapter's, if it has one")
