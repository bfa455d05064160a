"""`python -m grading collect`: what it is called with, and in which order its steps go."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from grading.collection.roster import Roster
    from grading.collection.times import Zone

ABOUT = """
Place notebooks in submitted/: from the zips of Moodle, Canvas and Google Drive as they came,
from any other zip, tar.gz or folder, and from learners' own zips in them.

A notebook's learner comes from its path, its assignment from its contents. With a roster, names
are looked up there, and nobody is guessed. Without one, the gradebook's learners are the roster
if it has names; else an id is made of the name that the LMS gives.

A later hand-in replaces an earlier one, which is kept in earlier/; the same one is left alone.
Of several notebooks of one hand-in, the one with the most work of the learner's own is taken.
"""
EPILOG = """
The roster is a CSV with the columns id, first_name, last_name, email, lms_user_id; or, as they are
exported in English, Moodle's worksheet of the assignment, Moodle's list of participants, Canvas's
gradebook.

Exit code: 0 all is placed, 1 something is not (stderr says what and why), 2 a wrong call.

  python -m grading collect ~/Downloads/softmax.zip --roster roster.csv --dry-run
"""


def collect(arguments: argparse.Namespace) -> int:
    """Place what was handed in; or say what would be placed."""
    from grading.collection.roster_file import read_roster
    from grading.collection.times import Zone

    for stream in (sys.stdout, sys.stderr):
        # A name may have letters that this terminal lacks.
        getattr(stream, "reconfigure", lambda **_: None)(errors="backslashreplace")
    try:
        require_paths(arguments)
        zone = Zone(arguments.timezone)
        roster = read_roster(arguments.roster, zone) if arguments.roster else None
        return collected(arguments, zone, roster)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2


def require_paths(arguments: argparse.Namespace) -> None:
    """Refuse what is not there.

    Raises:
        ValueError: with the path.
    """
    course = arguments.course
    if not (course / "nbgrader_config.py").is_file():
        raise ValueError(f"{course} is no course directory: it has no nbgrader_config.py.")
    for path in [*arguments.sources, *filter(None, [arguments.roster])]:
        if not path.exists():
            raise ValueError(f"There is no {path}.")
    places = [course.resolve(), (course / "submitted").resolve()]
    if inside := [path for path in arguments.sources if path.resolve() in places]:
        raise ValueError(f"{inside[0]} is where notebooks are placed; name where they come from.")


def collected(arguments: argparse.Namespace, zone: "Zone", roster: "Roster | None") -> int:
    """Plan, place unless this is a dry run, and print what was done."""
    from grading.collection import learners
    from grading.collection.assignments import known_assignments
    from grading.collection.plan import carry_out, planned
    from grading.collection.printed import print_plan
    from grading.collection.sorting import Sorter
    from grading.collection.sources import Reader

    course, slug = arguments.course, arguments.assignment
    known = known_assignments(course)
    if slug and slug not in known:
        raise ValueError(f"There is no assignment {slug!r}. Choose one of: {', '.join(known)}.")
    if roster is None:
        roster = learners.roster_of(course)
    else:
        roster = learners.with_known_ids(roster, course)
        new = learners.not_entered(roster, course)
        print_roster(roster, len(new))
        if not arguments.dry_run:
            learners.enter(new, course)
    with Reader(zone) as reader:
        found = Sorter(known, roster, slug).sort(reader.read(arguments.sources))
        plan = planned(found, known, course)
        if not arguments.dry_run:
            carry_out(plan, course)
    print_plan(plan, zone)
    print_strangers(roster, course)
    if arguments.dry_run:
        print("This was a dry run: nothing was written.")
    return 1 if plan.unplaced else 0


def print_roster(roster: "Roster", new: int) -> None:
    """Print who is in the class."""
    print(
        f"{roster.name}: {len(roster.learners)} learners, ids from the column "
        f"{roster.id_column!r}; {new} new or changed in gradebook.db"
    )
    for remark in roster.remarks:
        print(remark)
    print()


def print_strangers(roster: "Roster | None", course: Path) -> None:
    """Print who has a folder in submitted/ and is not in the class, under another id perhaps."""
    folders = {path.name for path in (course / "submitted").glob("*") if path.is_dir()}
    if roster and (strangers := folders - {one.id for one in roster.learners}):
        print(f"in submitted/, but not in {roster.name}: {', '.join(sorted(strangers))}")


def add_collect(command: Callable[[str, object, str], argparse.ArgumentParser]) -> None:
    """Add the command to those of `python -m grading`."""
    one = command("collect", collect, "Place what learners handed in: zips of an LMS, or folders.")
    one.description, one.epilog = ABOUT, EPILOG
    one.formatter_class = argparse.RawDescriptionHelpFormatter
    add = one.add_argument
    add("sources", nargs="+", type=Path, metavar="ZIP_OR_FOLDER", help="where the notebooks are")
    add("--roster", type=Path, metavar="CSV", help="who is in the class; entered into gradebook.db")
    add("--assignment", default="", metavar="SLUG", help="place only notebooks of this assignment")
    add(
        "--course", type=Path, default=Path(), metavar="DIR", help="course directory; default: here"
    )
    add("--dry-run", action="store_true", help="show what would be done; write nothing")
    what = "zone of times without one: Europe/Vienna, UTC-05:00; default: this computer's"
    add("--timezone", default="", metavar="ZONE", help=what)
