"""The commands that a learner types."""

import argparse
import sys
from pathlib import Path

from grading.commands import REST, Adder


def check_answers(arguments: argparse.Namespace) -> int:
    """Check the functions of a notebook or script."""
    from grading.catalogue.answers import check_file

    return check_file(arguments.file, arguments.names)


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


def mine(arguments: argparse.Namespace) -> int:
    """Gather the learner's answers that pass into their mine.py."""
    from grading.adoption.adopting import adopt
    from grading.adoption.keeping import write_library
    from grading.adoption.library import library_text
    from grading.adoption.telling import told
    from grading.notebooks import ROOT

    in_clone = (ROOT / "exercises").is_dir()
    folder = arguments.folder or (ROOT / "work" if in_clone else Path.cwd())
    if arguments.folder is not None and not folder.is_dir():
        print(f"There is no folder {folder}.", file=sys.stderr)
        return 2
    adopted, path = adopt(folder), folder / "mine.py"
    kept = write_library(path, library_text(adopted.own))
    print(told(adopted, path, kept))
    return 0


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


def add_for_learners(command: Adder) -> None:
    """Add the commands that a learner types."""
    one = command("check", check_answers, "Check the functions of a notebook or a script.")
    one.add_argument("file", type=Path, help="a .ipynb or .py file with answers")
    one.add_argument("names", nargs="*", help="only these exercises; default: all that it defines")
    command("lab-copies", lab_copies, "Copy new exercises to work/; nothing is overwritten.")
    command("lab", lab, f"Copy new exercises to work/ and open JupyterLab there. {REST}")
    one = command(
        "mine", mine, "Gather your answers that pass into a library of your own, mine.py."
    )
    text = "where your notebooks lie; default: work/"
    one.add_argument("folder", nargs="?", type=Path, metavar="FOLDER", help=text)
    one = command("reset", reset, "Start a notebook in work/ again; a dated copy of yours is kept.")
    text = "its name, for example softmax"
    one.add_argument("notebook", nargs="?", default="", metavar="NOTEBOOK", help=text)
