"""python -m grading release: exercises/ and the gradebook of a course directory."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from grading.commands import Adder

if TYPE_CHECKING:
    from grading.classroom.release import Released


def add(command: Adder) -> None:
    """Add the command."""
    text = "Generate exercises/ from solutions/, ready to be graded."
    one = command("release", release, text)
    text = "a folder with nbgrader_config.py and solutions/; default: here"
    one.add_argument("--course", type=Path, default=Path(), metavar="DIR", help=text)
    how = one.add_mutually_exclusive_group()
    how.add_argument("--check", action="store_true", help="write nothing; fail if they differ")
    how.add_argument("--no-gradebook", action="store_true", help="enter nothing into gradebook.db")
    text = "give a class the new version of an assignment that is graded otherwise now"
    how.add_argument("--move", default="", metavar="NAME", help=text)


def release(arguments: argparse.Namespace) -> int:
    """Generate exercises/ and enter it, or say whether it is in step."""
    from grading.classroom import release as step
    from grading.classroom.course_update import said
    from grading.notebooks import slugs

    root = arguments.course.resolve()
    if not (root / "nbgrader_config.py").exists() or not slugs(root):
        lacks = "it holds no nbgrader_config.py, or no notebook in solutions/."
        print(f"{root} is no course directory: {lacks}", file=sys.stderr)
        return 2
    if arguments.move and arguments.move not in slugs(root):
        known = ", ".join(slugs(root))
        print(f"There is no assignment {arguments.move!r}. Choose one of: {known}", file=sys.stderr)
        return 2
    if arguments.check:
        return check(root)
    done = step.release(root, enters=not arguments.no_gradebook, move=arguments.move)
    print("\n".join(lines(done)) or "exercises/ is up to date.")
    for slug, stay in done.gradebook.stays.items():
        print(f"\n{said(root, slug, stay, is_new_already=slug in done.new_already)}")
    for name in step.unknown_files(root):
        print(f"{name} has no source in solutions/; remove it by hand.", file=sys.stderr)
    return 0


def lines(done: "Released") -> list[str]:
    """Return what was done, a line a thing."""
    copy, texts = done.gradebook.copy, "nothing is graded otherwise"
    return [
        *([f"copied gradebook.db to {copy.name}"] if copy else []),
        *(f"wrote {name}" for name in done.written),
        *(f"entered {slug} into gradebook.db" for slug in done.gradebook.entered),
        *(f"entered new texts of {slug}; {texts}" for slug in done.gradebook.refreshed),
    ]


def check(root: Path) -> int:
    """Say what of exercises/ is not as solutions/ gives it."""
    from grading.classroom import release as step

    wrong = step.check(root)
    for name in wrong:
        print(f"{name} is not what solutions/ gives.", file=sys.stderr)
    if wrong:
        print("Run `make release`; exercises/ is never edited by hand.", file=sys.stderr)
    return 1 if wrong else 0
