"""exercises/ is generated, the same from run to run, and nothing but it is touched."""

import json
import os
import subprocess
import sys

import nbformat
import pytest

from grading.classroom import release
from grading.notebooks import notebook

CALLS = {
    "check": "release.check(pathlib.Path(sys.argv[1]))",
    "update_exercises": "release.release(pathlib.Path(sys.argv[1]), enters=False).written",
}


def run(root, call: str) -> list[str]:
    """Call a function of the release in a process of its own, where warnings are only shown."""
    code = (
        "import json, pathlib, sys; from grading.classroom import release; "
        f"print(json.dumps({CALLS[call]}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(root)],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=root,
        env=os.environ | {"PATH": "/usr/bin:/bin", "HOME": str(root)},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def root(tmp_path_factory, tiny_notebook):
    root = tmp_path_factory.mktemp("repository")
    source = notebook(root / "solutions", "tiny")
    source.parent.mkdir(parents=True)
    nbformat.write(tiny_notebook("tiny", {"double": "return 2.0"}), source)
    assert run(root, "update_exercises") == ["exercises/tiny/tiny.ipynb"]
    return root


@pytest.fixture
def released(root):
    """The exercise as it was released; put back after a test that edits it."""
    path = notebook(root / "exercises", "tiny")
    content = path.read_bytes()
    yield path
    path.write_bytes(content)


def test_the_learner_gets_the_task_without_its_solution(released):
    nb = nbformat.read(released, as_version=4)
    text = "".join(cell.source for cell in nb.cells)
    assert "return 2.0" not in text
    assert "SOLUTION" not in text
    assert "raise NotImplementedError" in text
    check = next(c for c in nb.cells if c.source == "double()")
    assert (check.source, check.metadata.editable) == ("double()", False)
    # The first says how to install the course where it is missing.
    assert [cell.outputs for cell in nb.cells if cell.cell_type == "code"] == [[], [], []]


def test_a_second_release_does_nothing(root, released):
    before = released.stat().st_mtime_ns
    assert run(root, "update_exercises") == []
    assert released.stat().st_mtime_ns == before


def test_a_release_from_nothing_is_the_same_to_the_byte(root, released):
    content, moment = released.read_bytes(), released.stat().st_mtime_ns
    (root / "_build" / "release.json").unlink()
    assert run(root, "update_exercises") == []
    assert released.stat().st_mtime_ns == moment
    (root / "_build" / "release.json").unlink()
    released.unlink()
    assert run(root, "update_exercises") == ["exercises/tiny/tiny.ipynb"]
    assert released.read_bytes() == content


def test_an_edited_exercise_is_found_and_mended(root, released):
    released.write_bytes(released.read_bytes().replace(b"double", b"triple"))
    assert run(root, "check") == ["exercises/tiny/tiny.ipynb"]
    assert run(root, "update_exercises") == ["exercises/tiny/tiny.ipynb"]
    assert run(root, "check") == []


def test_what_solutions_does_not_make_is_named_and_left_alone(root):
    stray = root / "exercises" / "notes-of-mine"
    stray.mkdir()
    (stray / "a.txt").write_text("mine")
    assert run(root, "check") == ["exercises/notes-of-mine"]
    run(root, "update_exercises")
    assert (stray / "a.txt").read_text() == "mine"
    (stray / "a.txt").unlink()
    stray.rmdir()


def test_no_gradebook_stays_behind(root):
    assert list(root.rglob("*.db")) == []
    left = sorted(path.name for path in (root / "_build").iterdir())
    assert left == ["release.json", "release.lock"]


def test_what_a_killed_release_left_is_removed_by_the_next(root, tmp_path):
    """Only folders of that name, only below the root's own _build, and none that is in use."""
    build, elsewhere = tmp_path / "_build", tmp_path / "release-elsewhere"
    for folder in (build / "release-killed" / "solutions", build / "class", elsewhere):
        folder.mkdir(parents=True)
    (build / "release-notes.txt").write_text("a file")
    with release.workshop(tmp_path) as folder:
        assert (folder.parent, list(folder.iterdir())) == (build, [])
        left = {path.name for path in build.iterdir() if not path.name.startswith("release.lock")}
        assert left == {folder.name, "class", "release-notes.txt"}
    assert elsewhere.is_dir()
    assert not folder.exists()


def test_one_release_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(release, "LONGEST", 0.05)
    with release.workshop(tmp_path) as folder:
        with pytest.raises(SystemExit, match="another release is at work here"):
            release.check(tmp_path)
        assert folder.is_dir()
