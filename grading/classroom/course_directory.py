"""A course directory: its settings, its gradebook, and how nbgrader is run on it from Python."""

import os
import sys
import sysconfig
from pathlib import Path
from typing import Any

from grading.jobs import digest
from grading.notebooks import ROOT

#: The name of the course in nbgrader's settings and gradebooks.
COURSE = "attention"


def scripts_on_path() -> None:
    """Put this interpreter's own programs first on PATH.

    nbgrader starts `alembic` as a program when it makes a gradebook. Whoever calls
    `.venv/bin/python -m …` has not activated the environment, so PATH lacks it.
    """
    scripts = sysconfig.get_path("scripts")
    places = os.environ.get("PATH", "").split(os.pathsep)
    if scripts not in places:
        os.environ["PATH"] = os.pathsep.join([scripts, *places])


def engine_digest(root: Path = ROOT) -> str:
    """Return a hash of everything that decides a mark besides the submission itself."""
    sources = [
        path
        for folder in ("grading", "course_lib")
        for path in sorted((root / folder).rglob("*"))
        if path.suffix in {".py", ".npz", ".j2", ".js"} and "sample_answers" not in path.parts
    ]
    sources += [root / "nbgrader_config.py", root / "constraints.txt", root / "_config.yml"]
    return digest([sys.version, *(path.read_bytes() for path in sources if path.exists())])


def write_settings(root: Path) -> None:
    """Make `root` a course directory of its own, with the settings of the repository's root."""
    # The folder by which nbgrader hands files to and fro; its own default is a system folder.
    (root / "exchange").mkdir(parents=True, exist_ok=True)
    text = (
        '"""Written by `python -m grading`: the settings of the course, for this folder."""\n\n'
        "c = get_config()\n"
        f"load_subconfig('nbgrader_config.py', path={str(ROOT)!r})\n"
        f"c.CourseDirectory.root = {str(root.resolve())!r}\n"
        f"c.Exchange.root = {str(root.resolve() / 'exchange')!r}\n"
    )
    settings = root / "nbgrader_config.py"
    if not settings.exists() or settings.read_text(encoding="utf-8") != text:
        settings.write_text(text, encoding="utf-8")


def nbgrader_api(root: Path) -> Any:
    """Return nbgrader's own interface on a course directory, with the settings that lie there.

    It is what the Autograde button of the formgrader calls, so both give the same marks.
    """
    scripts_on_path()
    from nbgrader.apps import NbGraderAPI
    from traitlets.config.loader import PyFileConfigLoader

    config = PyFileConfigLoader("nbgrader_config.py", path=str(root)).load_config()
    return NbGraderAPI(config=config)


def gradebook_url(root: Path) -> str:
    """Return the address of a course directory's gradebook."""
    return f"sqlite:///{root.resolve() / 'gradebook.db'}"
