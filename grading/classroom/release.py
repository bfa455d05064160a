"""exercises/ from solutions/: what learners get is generated, never edited."""

import importlib.metadata
import json
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from grading.classroom.course_directory import nbgrader_api, write_settings
from grading.classroom.course_update import Update, kept, update
from grading.classroom.enrolment import Assignment, assignments
from grading.classroom.hand_out import add_notice, notice
from grading.jobs import digest, flat
from grading.notebooks import ROOT, notebook, slugs

#: How the folders are called in which nbgrader generates, with letters of chance behind it.
WORKSHOP = "release-"
#: As many seconds another release is waited for.
LONGEST = 600.0


@dataclass(frozen=True, kw_only=True)
class Made:
    """What nbgrader makes of solutions/.

    Attributes:
        files: the content of each released file, by its path below exercises/.
        assignments: what a gradebook must know to grade them.
    """

    files: dict[str, bytes]
    assignments: dict[str, Assignment]


def files_below(folder: Path, names: list[str]) -> dict[str, bytes]:
    """Return every file of the assignments in a folder, by its path below the folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for name in names
        for path in sorted((folder / name).rglob("*"))
        if path.is_file() and ".ipynb_checkpoints" not in path.parts
    }


def inputs_digest(root: Path) -> str:
    """Return a hash of all that decides what is released."""
    sources = files_below(root / "solutions", slugs(root))
    settings = (ROOT / "nbgrader_config.py").read_bytes()
    version = importlib.metadata.version("nbgrader")
    code = Path(__file__).read_bytes()
    return digest([version, settings, code, notice().source, *flat(sources)])


def generate_all(course: Path, *, title: str) -> None:
    """Make a folder with a copy of solutions/ a course directory, and let nbgrader generate there.

    Each notebook of the copy gets the cell that says how to install the course.

    Raises:
        SystemExit: with nbgrader's log, if it could not.
    """
    write_settings(course)
    api = nbgrader_api(course)
    for slug in tqdm(slugs(course), desc=title, unit="notebook"):
        add_notice(notebook(course / "solutions", slug))
        result = api.generate_assignment(slug)
        if not result["success"]:
            raise SystemExit(f"nbgrader could not release {slug}:\n{result.get('log', '')}")


def generate(root: Path) -> Made:
    """Let nbgrader make the released files of all assignments, in a folder that is then removed.

    Its gradebook is made there too, so none is left in the tree.
    """
    with workshop(root) as folder:
        shutil.copytree(root / "solutions", folder / "solutions")
        generate_all(folder, title="exercises")
        files = files_below(folder / "exercises", slugs(root))
        return Made(files=files, assignments=assignments(folder))


@contextmanager
def workshop(root: Path) -> Iterator[Path]:
    """Yield a new folder below _build, for one release at a time; remove what killed ones left.

    The lock is SQLite's, which the system takes from a process that ends, on Windows too.

    Raises:
        SystemExit: if another release is at work all the while.
    """
    build = root / "_build"
    build.mkdir(exist_ok=True)
    lock = sqlite3.connect(build / "release.lock", timeout=LONGEST, isolation_level=None)
    with closing(lock):
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            raise SystemExit(f"{root}: another release is at work here.") from None
        for left in build.glob(f"{WORKSHOP}*/"):
            shutil.rmtree(left, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(prefix=WORKSHOP, dir=build))
        try:
            yield folder
        finally:
            shutil.rmtree(folder)


def unknown_files(root: Path) -> list[str]:
    """Return what lies in exercises/ though no assignment of solutions/ makes it."""
    names = set(slugs(root))
    folder = root / "exercises"
    return sorted(f"exercises/{path.name}" for path in folder.glob("*") if path.name not in names)


def differences(root: Path, released: dict[str, bytes]) -> list[str]:
    """Return the paths in exercises/ that are not what solutions/ gives."""
    found = files_below(root / "exercises", slugs(root))
    changed = {name for name in found | released if found.get(name) != released.get(name)}
    return sorted(f"exercises/{name}" for name in changed) + unknown_files(root)


def write_changed(root: Path, released: dict[str, bytes]) -> list[str]:
    """Write the files that differ and leave the others untouched; return what was written."""
    written = []
    for name, content in released.items():
        path = root / "exercises" / name
        if not path.exists() or path.read_bytes() != content:
            replace(root, path, content)
            written.append(f"exercises/{name}")
    return written


def replace(root: Path, path: Path, content: bytes) -> None:
    """Write a file; a process killed meanwhile leaves the old one or the new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = root / "_build" / "release.unfinished"
    unfinished.write_bytes(content)
    os.replace(unfinished, path)


def made_now(root: Path) -> Made:
    """Return what solutions/ gives: as noted where nothing changed since, or made anew."""
    stamp = root / "_build" / "release.json"
    known = json.loads(stamp.read_text()) if stamp.exists() else {}
    found = files_below(root / "exercises", slugs(root))
    made = {"inputs": inputs_digest(root), "outputs": digest(flat(found))}
    if {name: known.get(name) for name in made} == made and "assignments" in known:
        return Made(files=found, assignments=known["assignments"])
    return generate(root)


@dataclass(frozen=True, kw_only=True)
class Released:
    """What a release did.

    Attributes:
        written: the files written.
        gradebook: what it did to the gradebook.
        new_already: the assignments that stay in the gradebook though exercises/ is newer.
    """

    written: list[str]
    gradebook: Update
    new_already: list[str]


def release(root: Path = ROOT, *, enters: bool = True, move: str = "") -> Released:
    """Bring exercises/ up to date, and the gradebook of the course directory; remove nothing.

    An assignment that is graded otherwise now stays as the class has it, once somebody has handed
    in: in the gradebook, and in exercises/.

    Args:
        root: the course directory.
        enters: False leaves the gradebook as it is.
        move: an assignment that the class shall have in its new version nevertheless.

    Raises:
        SystemExit: if another program holds the gradebook; nothing is written.
    """
    made = made_now(root)
    if enters:
        done = update(root, made.assignments, move=move)
    else:
        done = Update(entered=[], refreshed=[], stays=kept(root, made.assignments))
    files = {n: text for n, text in made.files.items() if n.split("/")[0] not in done.stays}
    behind = set(differences(root, made.files))
    written = write_changed(root, files)
    note(root, made)
    newer = [s for s in done.stays if not any(n.startswith(f"exercises/{s}/") for n in behind)]
    return Released(written=written, gradebook=done, new_already=newer)


def note(root: Path, made: Made) -> None:
    """Note what exercises/ was made of; while a part stays behind, all is made anew each time."""
    found = files_below(root / "exercises", slugs(root))
    if found.items() >= made.files.items():
        now = {"inputs": inputs_digest(root), "outputs": digest(flat(found))}
        text = json.dumps(now | {"assignments": made.assignments})
        replace(root, root / "_build" / "release.json", text.encode())


def check(root: Path = ROOT) -> list[str]:
    """Return the paths of exercises/ that are out of step with solutions/."""
    return differences(root, generate(root).files)
