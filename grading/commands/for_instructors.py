"""The commands that an instructor types."""

import argparse
import sqlite3
import sys
from pathlib import Path

from grading.collection.command import add_collect
from grading.commands import REST, Adder, releasing

ENDS = "Exit code: 0 all is graded, 1 something is not (stderr says what and why), 2 a wrong call."
#: What is said when a run of `grade` cannot go on.
STOPPED = "The grading stopped here and lost nothing; the same command goes on where it was."


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


def grade(arguments: argparse.Namespace) -> int:
    """Grade what is new or changed, and write the learners' pages that changed."""
    from sqlalchemy.exc import SQLAlchemyError

    from grading.classroom.grade.gradebook import GradebookLockedError
    from grading.classroom.grade.run import grade as grade_course
    from grading.report.printed import print_ended

    if lacks_gradebook(arguments.course):
        return 2
    try:
        ended = grade_course(arguments.course, arguments.slugs, arguments.student)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    except GradebookLockedError:
        print(f"Another program has gradebook.db locked; close it. {STOPPED}", file=sys.stderr)
        return 1
    except (OSError, sqlite3.Error, SQLAlchemyError) as error:
        print(f"{arguments.course.resolve()}: {error}. {STOPPED}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(STOPPED, file=sys.stderr)
        return 130
    print_ended(ended)
    return 0 if ended.is_complete else 1


def lacks_gradebook(course: Path) -> bool:
    """Say so where a folder is no graded course directory."""
    if (course / "gradebook.db").exists():
        return False
    how = "`make release` makes one here, `python -m grading class` that of the sample class."
    print(f"{course} holds no gradebook. {how}", file=sys.stderr)
    return True


def report(arguments: argparse.Namespace) -> int:
    """Print the results of a graded course directory."""
    from sqlalchemy.exc import OperationalError

    from grading.report.printed import print_report

    course = arguments.place or arguments.course
    if lacks_gradebook(course):
        return 2
    try:
        print_report(course)
    except OperationalError as error:
        print(f"gradebook.db cannot be read: {error.orig}", file=sys.stderr)
        return 1
    return 0


def formgrader(arguments: argparse.Namespace) -> int:
    """Open the gradebook of a course directory in the browser."""
    from grading.classroom.jupyter import open_formgrader

    course = arguments.place or arguments.course
    if lacks_gradebook(course):
        return 2
    return open_formgrader(course, arguments.options)


def solutions(arguments: argparse.Namespace) -> int:
    """Run the solution notebooks."""
    from grading.classroom.solution_runs import run_solutions

    done = run_solutions(only=arguments.only)
    print(f"ran {', '.join(done)} into _build/solutions" if done else "solutions are up to date.")
    return 0


def add_course(command: argparse.ArgumentParser) -> None:
    """Let a command be told its course directory, bare or by name as the other commands are."""
    place = Path("_build") / "class"
    command.add_argument("course", nargs="?", type=Path, default=place, help=f"default: {place}")
    command.add_argument("--course", type=Path, dest="place", metavar="DIR", help="the same")


def add_for_instructors(command: Adder) -> None:
    """Add the commands that an instructor types."""
    releasing.add(command)
    add_collect(command)
    command("class", sample_class, "Grade the sample class in _build/class with nbgrader.")
    text = "Grade what is new or changed in submitted/, and write the learners' pages."
    one = command("grade", grade, text)
    one.epilog = ENDS
    one.add_argument("slugs", nargs="*", metavar="SLUG", help="only these assignments")
    one.add_argument("--student", default="", metavar="ID", help="only this learner")
    one.add_argument("--course", type=Path, default=Path(), metavar="DIR", help="default: here")
    one = command("report", report, "Print marks and named mistakes of a graded course directory.")
    add_course(one)
    one = command("formgrader", formgrader, f"Open the gradebook of a course directory. {REST}")
    add_course(one)
    one = command("solutions", solutions, "Run the solution notebooks into _build/solutions.")
    one.add_argument("--only", metavar="SLUG", help="this chapter's, if it has one")
