"""exercises/ from solutions/: what learners get is generated, never edited."""

import importlib.metadata
import json
import shutil
import tempfile
from pathlib import Path

from tqdm import tqdm

from grading.course_directory import ROOT, digest, nbgrader_api, slugs, write_settings


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
    return digest([version, settings, Path(__file__).read_bytes(), *flat(sources)])


def flat(files: dict[str, bytes]) -> list[bytes | str]:
    """Return names and contents in order, to be hashed."""
    return [part for name in sorted(files) for part in (name, files[name])]


def generate(root: Path, *, quiet: bool = False) -> dict[str, bytes]:
    """Let nbgrader make the released files of all assignments, in a folder that is then removed.

    Its gradebook is made there too, so none is left in the tree.
    """
    (root / "_build").mkdir(exist_ok=True)
    workshop = Path(tempfile.mkdtemp(prefix="release-", dir=root / "_build"))
    try:
        write_settings(workshop)
        names = slugs(root)
        shutil.copytree(root / "solutions", workshop / "solutions")
        api = nbgrader_api(workshop)
        for slug in tqdm(names, desc="exercises", unit="notebook", disable=quiet):
            result = api.generate_assignment(slug)
            if not result["success"]:
                raise SystemExit(f"nbgrader could not release {slug}:\n{result.get('log', '')}")
        return files_below(workshop / "exercises", names)
    finally:
        shutil.rmtree(workshop)


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
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            written.append(f"exercises/{name}")
    return written


def release(root: Path = ROOT) -> list[str]:
    """Bring exercises/ up to date; return the files written. Nothing is ever removed."""
    stamp = root / "_build" / "release.json"
    known = json.loads(stamp.read_text()) if stamp.exists() else {}
    inputs = inputs_digest(root)
    found = digest(flat(files_below(root / "exercises", slugs(root))))
    if known == {"inputs": inputs, "outputs": found}:
        return []
    written = write_changed(root, generate(root))
    found = digest(flat(files_below(root / "exercises", slugs(root))))
    stamp.write_text(json.dumps({"inputs": inputs, "outputs": found}))
    return written


def check(root: Path = ROOT) -> list[str]:
    """Return the paths of exercises/ that are out of step with solutions/."""
    return differences(root, generate(root))
