"""work/: a learner's own copies of the exercises, which no command ever overwrites."""

from datetime import datetime
from pathlib import Path

from grading.notebooks import ROOT, notebook


def released(root: Path) -> list[str]:
    """Return the names of the notebooks in exercises/."""
    return sorted(path.parent.name for path in (root / "exercises").glob("*/*.ipynb"))


def copy_new(source: Path, target: Path) -> bool:
    """Copy a file to a place where there is none; mode "x" makes overwriting impossible."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with target.open("xb") as copy:
            copy.write(source.read_bytes())
    except FileExistsError:
        return False
    return True


def make_copies(root: Path = ROOT) -> list[Path]:
    """Copy each exercise that work/ does not have yet; return the new copies."""
    work = root / "work"
    return [
        notebook(work, slug)
        for slug in released(root)
        if copy_new(notebook(root / "exercises", slug), notebook(work, slug))
    ]


def backup_name(mine: Path, moment: datetime) -> Path:
    """Return a name for a dated copy that is still free."""
    name = f"{mine.stem}.{moment:%Y-%m-%d-%H%M%S}"
    free = mine.with_name(f"{name}.bak{mine.suffix}")
    number = 2
    while free.exists():
        free = mine.with_name(f"{name}-{number}.bak{mine.suffix}")
        number += 1
    return free


def reset(slug: str, root: Path = ROOT, moment: datetime | None = None) -> Path | None:
    """Start one notebook again and keep a dated copy of the learner's.

    Args:
        slug: the notebook's name, for example softmax.
        root: where exercises/ and work/ lie.
        moment: the time in the copy's name; None means now.

    Returns:
        The dated copy, or None where there was nothing to keep.

    Raises:
        ValueError: if there is no exercise of this name.
    """
    if slug not in released(root):
        known = ", ".join(released(root))
        raise ValueError(f"There is no exercise {slug!r}. Choose one of: {known}.")
    mine = notebook(root / "work", slug)
    kept = None
    if mine.exists():
        kept = backup_name(mine, moment or datetime.now())
        mine.rename(kept)
    copy_new(notebook(root / "exercises", slug), mine)
    return kept
