"""Who may import whom in the grading engine: the rooms of DESIGN.md, from top to bottom."""

import ast
import re
import sys
from pathlib import Path

import pytest
from library import ROOT, functions, imports, lines_of_code, module_name, parameters, rooms, tree
from library import sources as files

from grading.exercises import all_exercises

GRADING = ROOT / "grading"
ORDER = rooms("grading")
#: Their imports are made when something is asked for; the commands use every room.
DOORS = (GRADING / "__init__.py", GRADING / "__main__.py")
#: What learners write, wrong on purpose.
LEARNERS = GRADING / "classroom" / "sample_answers"
MODULES = [path for path in files(GRADING) if LEARNERS not in path.parents]
ROOMS = [path for path in MODULES if path not in DOORS]
EXERCISES = GRADING / "exercises"
CHAPTERS = sorted(
    path
    for path in EXERCISES.iterdir()
    if path.is_dir() and path.name not in ("shared", "__pycache__")
)
#: What runs a learner's function may know neither answers nor judges; what judges, no torch.
WITHIN = {
    "observation": ({"observation"}, {"numpy"}),
    "witness": ({"observation", "witness"}, {"numpy", "torch"}),
    "verdict": ({"observation", "steps", "exercise", "verdict"}, {"numpy"}),
    "words": ({"verdict", "words"}, {"yaml"}),
    "exercises": ({"observation", "late", "steps", "exercise", "exercises"}, {"numpy"}),
}


def identify(path: Path) -> str:
    return module_name(path)


def room(name: str) -> str:
    """The room of a module: grading.verdict.record is in verdict."""
    return name.split(".")[1]


def ours(path: Path) -> list[str]:
    """The modules of grading that a file imports."""
    return sorted(name for name in imports(path) if name.startswith("grading."))


def test_the_rooms_are_those_of_the_design() -> None:
    assert {room(module_name(path)) for path in ROOMS} == set(ORDER)
    assert len(ORDER) == len(set(ORDER))
    assert len(ROOMS) > 60


@pytest.mark.parametrize("path", ROOMS, ids=identify)
def test_a_room_imports_only_from_the_lines_above_its_own(path: Path) -> None:
    own = room(module_name(path))
    above = set(ORDER[: ORDER.index(own)])
    for name in ours(path):
        inside = room(name) == own and path.parent != GRADING
        assert room(name) in above or inside, f"{own} stands above {name} in DESIGN.md"


@pytest.mark.parametrize(
    "path", [path for path in ROOMS if room(module_name(path)) in WITHIN], ids=identify
)
def test_who_runs_knows_no_answer_and_who_judges_sees_no_torch(path: Path) -> None:
    known, third_party = WITHIN[room(module_name(path))]
    for name in imports(path):
        top = name.split(".")[0]
        if top == "grading":
            assert name == "grading" or room(name) in known, name
        else:
            assert top in third_party or top in sys.stdlib_module_names, name
        if "late" not in known:  # what is imported is named, and not by way of another module
            assert name != "importlib", "import_module hides what it imports"
            by_way = top == "grading" and name.split(".")[-1] in {"torch", "late"}
            assert not by_way, name


def test_a_chapter_is_a_folder() -> None:
    loose = {path.name for path in EXERCISES.glob("*.py")}
    assert loose == {"__init__.py"}, "the test of a chapter's imports reads folders"


@pytest.mark.parametrize("folder", CHAPTERS, ids=lambda folder: folder.name)
def test_a_chapters_catalogue_imports_nothing_of_another_chapters(folder: Path) -> None:
    own = ("grading.exercises.shared.", f"grading.exercises.{folder.name}.")
    for path in files(folder):
        for name in ours(path):
            inside = name.startswith("grading.exercises")
            assert not inside or f"{name}.".startswith(own), f"{path.name} imports {name}"
    assert not [
        name
        for path in files(EXERCISES / "shared")
        for name in ours(path)
        if name.startswith("grading.exercises.") and not name.startswith(own[0][:-1])
    ]


def tensors_of_tasks(path: Path) -> set[str]:
    """Return the tensors that the tasks of a catalogue's chapter hand over; none elsewhere."""
    if not path.is_relative_to(EXERCISES):
        return set()
    slug = path.relative_to(EXERCISES).parts[0].replace("_", "-")
    return {name for one in all_exercises() if one.slug == slug for name in one.axes}


@pytest.mark.parametrize("path", MODULES, ids=identify)
def test_a_module_is_small_and_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(tree(path)), "a module starts with one line on its idea"
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 250
    assert path.stem not in {"utils", "common", "helpers"}
    assert not re.search(r"^from .* import \*", text, re.MULTILINE)
    nested = [node for node in ast.walk(tree(path)) if isinstance(node, ast.FunctionDef)]
    assert {node.name for node in nested} >= set(functions(path))
    for node in nested:
        assert lines_of_code(node) <= 30, f"{node.name} is long"
        # A right or wrong answer takes the tensors that its task hands over, however many.
        given = {"self", "cls"} | tensors_of_tasks(path)
        own = [name for name in parameters(node) if name not in given]
        assert len(own) <= 6, f"{node.name} has {len(own)} arguments"
