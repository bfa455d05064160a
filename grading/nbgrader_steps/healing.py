"""Every way to grade passes through the doctor: what nbgrader's autograding reads with.

nbgrader looks for files by name and stops over many kinds of damage before its first preprocessor.
An exporter is made after the files were found and before one is read, so this is the place.
"""

import fnmatch
import glob
import importlib.util
import os
import shutil
from pathlib import Path
from typing import Any

from nbconvert.exporters import NotebookExporter
from nbconvert.exporters.exporter import ResourcesDict
from nbformat.notebooknode import NotebookNode
from nbgrader.converters import Autograde

from grading.doctor.choosing import may_be_notebook
from grading.doctor.errors import UngradableError
from grading.doctor.healing import COURSE_KEY, Healed, heal
from grading.doctor.reading import AGAIN
from grading.nbgrader_steps.released_cells import notebook_names, released


class HealingExporter(NotebookExporter):
    """Read submissions by their content; everything else as nbconvert does."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)  # type: ignore[no-untyped-call]
        if isinstance(self.parent, Autograde):
            expect_released_names(self.parent)

    def from_filename(
        self, filename: str, resources: Any = None, **options: Any
    ) -> tuple[NotebookNode, Any]:
        """Read one submitted notebook, whatever its file is called, and mend it.

        Raises:
            UngradableError: if it cannot be graded, with the reason.
        """
        if not (isinstance(self.parent, Autograde) and self.parent._sanitizing):
            return super().from_filename(filename, resources=resources, **options)
        names = resources["nbgrader"]
        path = Path(filename)
        healed = healed_submission(self.parent, path.parent, names["assignment"], path.stem)
        nb = healed.nb
        for name in drop_shadows(self.parent, names):
            nb.metadata[COURSE_KEY]["repairs"].append(
                f'The file "{name}" has the name of a module, which it would have replaced; '
                "the notebook was run without it."
            )
        for repair in nb.metadata[COURSE_KEY]["repairs"]:
            self.log.warning("Repaired: %s", repair)
        resources["metadata"] = ResourcesDict(name=path.stem, path=str(path.parent))
        read: tuple[NotebookNode, Any] = self.from_notebook_node(  # type: ignore[no-untyped-call]
            nb, resources=resources, **options
        )
        return read


def expect_released_names(converter: Autograde) -> None:
    """Let nbgrader expect each submission's notebook under its released name."""
    course = converter.coursedir
    names = notebook_names(course.db_url, course.assignment_id)
    names = [name for name in names if fnmatch.fnmatch(name, course.notebook_id)]
    pattern = converter._format_source(course.assignment_id, course.student_id)
    for folder in sorted({*converter.assignments, *glob.glob(pattern)} if names else ()):
        paths = [Path(folder) / f"{name}.ipynb" for name in names]
        converter.assignments[folder] = [
            str(path) for path in paths if path.exists() or is_gradable(converter, path)
        ]


def is_gradable(converter: Autograde, path: Path) -> bool:
    """Return whether a submission without a file of the released name can be graded; say why not.

    nbgrader gives it 0 points before it is read, so one that cannot be graded is not to be read.
    """
    try:
        healed_submission(converter, path.parent, converter.coursedir.assignment_id, path.stem)
    except UngradableError as error:
        converter.log.error("%s cannot be graded:\nUngradableError: %s", path.parent, error)
        return False
    return True


def healed_submission(converter: Autograde, folder: Path, assignment: str, name: str) -> Healed:
    """Return one notebook of a submission, mended."""
    course = converter.coursedir
    place = course.format_path(course.release_directory, ".", assignment)
    given = released(course.db_url, assignment, name, Path(place) / f"{name}.ipynb")
    return heal(files_below(folder), given)


def files_below(folder: Path) -> dict[str, bytes]:
    """Return the files of a submission; of those that can be no notebook, the names alone.

    Links do not count: what they lead to was not handed in.

    Raises:
        UngradableError: if one cannot be read.
    """
    files = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        try:
            if path.is_file() and not path.is_symlink():
                files[name] = path.read_bytes() if may_be_notebook(name) else b""
        except OSError as error:
            reason = f'The file "{name}" cannot be read ({error.strerror}); {AGAIN}.'
            raise UngradableError(reason) from error
    return files


def drop_shadows(converter: Autograde, names: dict[str, str]) -> list[str]:
    """Remove copied files that would be imported instead of a module; return their names.

    The kernel runs in the folder of the copies. What was submitted stays as it is.
    """
    folder = Path(converter._format_dest(names["assignment"], names["student"]))
    dropped = []
    for path in sorted(folder.iterdir()) if folder.exists() else []:
        is_module = path.suffix == ".py" or (path.is_dir() and (path / "__init__.py").exists())
        if is_module and path.stem.isidentifier() and importlib.util.find_spec(path.stem):
            shutil.rmtree(path) if path.is_dir() else os.remove(path)
            dropped.append(path.name)
    return dropped
