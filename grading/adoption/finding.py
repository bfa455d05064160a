"""Find the learner's own mine.py from any notebook; where there is none, the course stands in."""

import sys
from pathlib import Path
from types import ModuleType

from grading.adoption.library import library_text
from grading.exercises import parts
from grading.late import late

__all__ = ["find", "mine", "read"]

#: What tells a mine.py of the course from any other file of that name.
MARK = "grading.adoption"
ABSENT = (
    "There is no mine.py here: each part is the course's own. `make mine` in the clone, or "
    "`python -m grading mine` in the folder of your notebooks, gathers your answers that pass."
)
OLDER = (
    "Your mine.py is older than the course, whose own functions stand in for what it lacks: "
    "{names}. `make mine` brings it up to date."
)
#: What was read last: where, the text, and the module. An import asks twice.
_last: list[tuple[Path, str, ModuleType]] = []


def find(start: Path) -> Path | None:
    """Return the mine.py beside a folder's notebooks or above, or in work/ below it."""
    places = [*(folder / "mine.py" for folder in (start, *start.parents)), start / "work/mine.py"]
    for path in places:
        if path.is_file() and MARK in path.read_text(encoding="utf-8", errors="replace"):
            return path
    return None


def mine() -> ModuleType:
    """Return the learner's own library as a module, anew where its file has changed.

    Raises:
        ImportError: if their file cannot be run.
    """
    path = find(Path.cwd())
    text = library_text({}) if path is None else path.read_text(encoding="utf-8")
    place = Path("mine.py") if path is None else path
    if not _last or _last[0][:2] != (place, text):
        module = _module(place, text)
        if path is None:
            print(ABSENT)
        _fill_up(module)
        _last[:] = [(place, text, module)]
    return _last[0][2]


def read(path: Path) -> ModuleType:
    """Return a mine.py as a module.

    Raises:
        ImportError: if it cannot be run.
    """
    return _module(path, path.read_text(encoding="utf-8"))


def _module(path: Path, text: str) -> ModuleType:
    module = ModuleType("mine")
    module.__file__ = str(path)
    earlier = sys.modules.pop("mine", None)
    sys.modules["mine"] = module  # where classes in it look for their own module
    try:
        exec(compile(text, str(path), "exec", dont_inherit=True), vars(module))
    except Exception as error:
        del sys.modules["mine"]
        if earlier is not None:
            sys.modules["mine"] = earlier
        raise ImportError(
            f"{path} cannot be run ({type(error).__name__}: {error}). `make mine` writes it anew, "
            "and keeps an edited one under its date."
        ) from error
    return module


def _fill_up(module: ModuleType) -> None:
    """Give a mine.py that was written before the course had grown what it lacks."""
    lacking = [one for one in parts() if not hasattr(module, one.name)]
    for one in lacking:
        home, _, name = one.part.rpartition(".")
        setattr(module, one.name, getattr(late(home), name))
    if lacking:
        print(OLDER.format(names=", ".join(one.name for one in lacking)))
