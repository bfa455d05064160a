"""Which of the course's files a piece of Python runs on: what it imports, and what that imports.

A page or notebook has to run again when one of them changes, and only then. Nothing is imported
here; the files are read as text.
"""

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from IPython.core.inputtransformer2 import TransformerManager

from grading.exercises import all_exercises
from grading.jobs import digest
from grading.notebooks import ROOT

__all__ = ["imported_files", "run_digest"]

# Whatever the code imports: the pins that it runs with, and the address that feedback links to.
ALWAYS = ("requirements.txt", "constraints.txt", "_config.yml")
# The one package that imports its modules without naming them: a chapter's exercises each.
CATALOGUE = "grading/exercises"
DOTTED = re.compile(r"[a-z_]\w*(\.[a-z_]\w*)+")
# How a module reaches files that are not Python.
READS_FILES = re.compile(r"__file__|importlib\.resources")


def run_digest(cells: Iterable[str], slug: str, root: Path = ROOT) -> str:
    """Return a hash of all that decides what the code cells of a page or notebook give.

    Args:
        cells: the sources of the code cells, in order.
        slug: the chapter to which they belong; its exercises are among what they use.
        root: the clone that holds the files.
    """
    cells = list(cells)
    always = [root / name for name in ALWAYS if (root / name).exists()]
    files = [*always, *imported_files(cells, slug, root)]
    named = (part for path in files for part in (str(path.relative_to(root)), path.read_bytes()))
    return digest([sys.version, *cells, "files", *named])


def imported_files(cells: Iterable[str], slug: str, root: Path = ROOT) -> list[Path]:
    """Return the files of a clone that code imports, directly or not, with the data beside them.

    Of the exercises of all chapters, which `check` finds by name, those of `slug` and of chapters
    whose exercises the code checks are returned; all, if something asks for all.
    """
    plain = TransformerManager().transform_cell  # type: ignore[no-untyped-call]
    trees = [_parsed(plain(cell)) for cell in cells]
    graph = _Graph(root)
    graph.add(path for tree in trees for path in graph.imports(tree, root))
    if root / CATALOGUE / "__init__.py" in graph.files:
        graph.add(_chapters(graph, trees, slug))
    graph.add(_data(graph.files, root))
    return sorted(graph.files)


class _Graph:
    """The files that were reached, each followed to what it imports."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files: set[Path] = set()
        self.all_exercises = False

    def add(self, paths: Iterable[Path]) -> None:
        """Add files, and what they import."""
        waiting = list(paths)
        while waiting:
            path = waiting.pop()
            if path not in self.files:
                self.files.add(path)
                if path.suffix == ".py":
                    tree = _parsed(path.read_text(encoding="utf-8"))
                    waiting += self.imports(tree, path.parent)

    def imports(self, tree: ast.Module, folder: Path) -> Iterator[Path]:
        """Yield the files of the clone that a module imports, wherever it does.

        A text that is a module's full name counts: who imports late, does it by such a name.
        """
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                if DOTTED.fullmatch(node.value):
                    yield from self.modules(node.value.split("."))
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    yield from self.modules(alias.name.split("."))
            elif isinstance(node, ast.ImportFrom):
                start = list(folder.relative_to(self.root).parts) if node.level else []
                start = start[: len(start) + 1 - node.level] if node.level else start
                start += (node.module or "").split(".") if node.module else []
                self.all_exercises |= "all_exercises" in {alias.name for alias in node.names}
                for alias in node.names:
                    yield from self.modules([*start, alias.name])

    def modules(self, names: list[str]) -> Iterator[Path]:
        """Yield the packages on the way to a dotted name, and its module where it is one."""
        for length in range(1, len(names) + 1):
            place = self.root.joinpath(*names[:length])
            for path in (place / "__init__.py", place.with_suffix(".py")):
                if path.exists():
                    yield path


def _parsed(source: str) -> ast.Module:
    """Parse; what Python cannot read imports nothing, and fails when it runs."""
    try:
        return ast.parse(source)
    except SyntaxError:
        return ast.Module([], [])


def _chapters(graph: _Graph, trees: list[ast.Module], slug: str) -> Iterator[Path]:
    """Yield the first file of each chapter of the catalogue that the code can meet."""
    chapters = {exercise.name: exercise.slug for exercise in all_exercises()}
    folders = {name.replace("-", "_") for name in {slug, *_met(trees, chapters)}}
    for path in sorted((graph.root / CATALOGUE).iterdir()):
        if path.stem in folders or graph.all_exercises:
            yield from graph.modules([*CATALOGUE.split("/"), path.stem])


def _met(trees: list[ast.Module], chapters: dict[str, str]) -> set[str]:
    """Return the chapters whose exercises are named where `check` is called, or at all."""
    nodes = [node for tree in trees for node in ast.walk(tree)]
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    checks = [call for call in calls if ast.unparse(call.func).split(".")[-1] == "check"]
    named = [_words(call) & set(chapters) for call in checks]
    if not named or not all(named):  # the answer goes by another name
        named = [_words(tree) & set(chapters) for tree in trees]
    return {chapters[name] for names in named for name in names}


def _words(tree: ast.AST) -> set[str]:
    return set(re.findall(r"\w+", ast.unparse(tree)))


def _data(files: Iterable[Path], root: Path) -> Iterator[Path]:
    """Yield the files that are not Python of every package in which a module reads files."""
    reading = {
        path.relative_to(root).parts[0]
        for path in files
        if path.suffix == ".py" and READS_FILES.search(path.read_text(encoding="utf-8"))
    }
    for package in sorted(reading):
        for path in sorted((root / package).rglob("*")):
            if path.is_file() and path.suffix not in {".py", ".pyc"}:
                yield path
