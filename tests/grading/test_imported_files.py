"""What a page or a notebook runs on: neither a file too few, nor all of the engine."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import jupytext
import nbformat
import pytest
from built_site import ROOT, executed_pages

from grading.exercises import all_exercises
from grading.imported_files import imported_files, run_digest
from grading.notebooks import notebook, slugs

CLONE = {
    "library/__init__.py": "",
    "library/top.py": "import numpy\nfrom library.rooms import middle\n",
    "library/rooms/__init__.py": "",
    "library/rooms/middle.py": "def f():\n    from . import bottom\n    from ..late import g\n",
    "library/rooms/bottom.py": "x = 1\n",
    "library/late.py": "def g():\n    return load('library.by_name')\n",
    "library/by_name.py": "",
    "library/other.py": "",
    "reading/__init__.py": "",
    "reading/reader.py": "from pathlib import Path\nHERE = Path(__file__)\n",
    "reading/data/numbers.npz": "1",
    "reading/__pycache__/reader.pyc": "1",
    "requirements.txt": "torch==1",
}


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    for name, text in CLONE.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


def names(cells: list[str], root: Path, slug: str = "chapter") -> set[str]:
    return {path.relative_to(root).as_posix() for path in imported_files(cells, slug, root)}


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("import torch\nprint('library.other is a word')", set()),
        ("import library.rooms.bottom as b", {"library/__init__.py", "library/rooms/__init__.py",
                                              "library/rooms/bottom.py"}),
        ("%time 1\nfrom library import other", {"library/__init__.py", "library/other.py"}),
        ("from library.top import x", set(CLONE) - {"library/other.py", "requirements.txt"}
         - {name for name in CLONE if name.startswith("reading")}),
        ("from reading import reader", {"reading/__init__.py", "reading/reader.py",
                                        "reading/data/numbers.npz"}),
        ("if:", set()),
    ],
    ids=["nothing", "a module", "beside a magic", "all on the way", "its data", "no Python"],
)  # fmt: skip
def test_what_code_imports_is_followed(clone: Path, cell: str, expected: set[str]) -> None:
    assert names(["y = 1", cell], clone) == expected
    assert names([cell, "if:"], clone) == expected, "a cell is read for itself"


def test_a_run_is_known_by_its_code_what_it_imports_and_the_pins(clone: Path) -> None:
    cells = ["from library import top"]
    before = run_digest(cells, "chapter", clone)
    (clone / "library" / "other.py").write_text("changed = 1", encoding="utf-8")
    (clone / "reading" / "data" / "numbers.npz").write_text("2", encoding="utf-8")
    assert run_digest(cells, "chapter", clone) == before
    seen = {before, run_digest([*cells, "1"], "chapter", clone)}
    for number, name in enumerate(("library/rooms/bottom.py", "requirements.txt"), start=3):
        (clone / name).write_text("changed = 2", encoding="utf-8")
        seen.add(run_digest(cells, "chapter", clone))
        assert len(seen) == number, name
    (clone / "library" / "rooms" / "bottom.py").rename(clone / "library" / "rooms" / "base.py")
    assert run_digest(cells, "chapter", clone) not in seen


def chapters_met(cells: list[str], slug: str, root: Path = ROOT) -> set[str]:
    """Return the folders of the catalogue in which code meets a file."""
    places = [Path(name).parts for name in names(cells, root, slug)]
    return {parts[2] for parts in places if parts[:2] == ("grading", "exercises") and parts[3:]}


CHECK = "from grading import check"


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1"], set()),
        ([CHECK], {"my_own"}),
        ([f"{CHECK}\nmean = softer = None", "check(softer)\nprint(mean)"], {"my_own", "second"}),
        ([f"{CHECK}\nf = twice", "check(f, exercise='softer')"], {"my_own", "second"}),
        ([f"{CHECK}\nmean = softer = f = None", "check(softer)\ncheck(f)"],
         {"my_own", "first", "second"}),
        (["from grading.exercises import all_exercises"], {"my_own", "first", "second", "third"}),
        (["from grading import table"], {"my_own", "first", "second", "third"}),
    ],
    ids=["no check", "nothing named", "checked", "by name", "by another name", "all", "all by way"],
)  # fmt: skip
def test_of_the_catalogue_only_the_chapters_that_are_checked_are_met(
    clone: Path, monkeypatch: pytest.MonkeyPatch, cells: list[str], expected: set[str]
) -> None:
    known = {"mean": "first", "softer": "second", "twice": "third", "thrice": "my-own"}
    made = tuple(SimpleNamespace(name=name, slug=slug) for name, slug in known.items())
    monkeypatch.setattr("grading.imported_files.all_exercises", lambda: made)
    files = {"__init__": "from grading.exercises import find", "exercises/__init__": ""}
    files |= {"table": "from grading.exercises import all_exercises"}
    files |= {f"exercises/{slug.replace('-', '_')}/__init__": "" for slug in known.values()}
    for name, text in files.items():
        path = clone / "grading" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert chapters_met(cells, "my-own", clone) == expected


def test_the_exercises_of_a_chapter_stand_in_its_folder() -> None:
    for exercise in all_exercises():
        folder = ROOT / "grading" / "exercises" / exercise.slug.replace("-", "_")
        texts = [path.read_text(encoding="utf-8") for path in folder.rglob("*.py")]
        assert any(f'name="{exercise.name}"' in text for text in texts), exercise.name


LOADED = """
import ast, importlib, json, os, sys
import matplotlib.pyplot, numpy, torch

root = sys.argv[1]
for line in sys.stdin:
    name, cells, chapters = json.loads(line)
    reading, writing = os.pipe()
    if os.fork() == 0:
        sys.stdout = open(os.devnull, "w")  # what an import says is no answer
        for cell in cells:
            for node in ast.parse(cell).body:
                if isinstance(node, ast.Import | ast.ImportFrom):
                    exec(compile(ast.Module([node], []), name, "exec"), {})
        for chapter in chapters:
            importlib.import_module(f"grading.exercises.{chapter}")
        files = [getattr(module, "__file__", None) or "" for module in sys.modules.values()]
        own = [file[len(root) + 1:] for file in files if file.startswith(root + os.sep)]
        os.write(writing, json.dumps([f for f in own if not f.startswith(".venv")]).encode())
        os._exit(0)
    os.wait()
    print(json.dumps([name, json.loads(os.read(reading, 60000))]))
"""


def sources() -> dict[str, list[str]]:
    """Return the code cells of every executed page and every solution."""
    pages = {
        name: jupytext.reads((ROOT / "book" / f"{name}.md").read_text(encoding="utf-8"), "md:myst")
        for name in executed_pages()
    }
    solved = {
        f"solution of {slug}": nbformat.read(notebook(ROOT / "solutions", slug), as_version=4)
        for slug in slugs()
    }
    return {
        name: [cell.source for cell in book.cells if cell.cell_type == "code"]
        for name, book in (pages | solved).items()
    }


def test_nothing_is_loaded_that_was_not_foreseen() -> None:
    """Each page's imports are carried out in a process of its own, and the modules are read off."""
    pages = {name: (cells, name.removeprefix("solution of ")) for name, cells in sources().items()}
    asked = [
        json.dumps([name, cells, sorted(chapters_met(cells, slug))])
        for name, (cells, slug) in pages.items()
    ]
    done = subprocess.run(
        [sys.executable, "-c", LOADED, str(ROOT)], input="\n".join(asked), capture_output=True,
        text=True, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    loaded = dict(json.loads(line) for line in done.stdout.splitlines())
    assert set(loaded) == set(pages)
    for name, files in loaded.items():
        assert set(files) <= names(pages[name][0], ROOT, pages[name][1]), name
    assert all(loaded[f"solution of {slug}"] for slug in slugs())
