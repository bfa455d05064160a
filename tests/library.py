"""The library as text: its modules, what they import, define and document. Nothing is imported."""

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
LIBRARY = ROOT / "course_lib"


def rooms(package: str = "course_lib") -> list[str]:
    """The modules of a package from top to bottom: its list of rooms in DESIGN.md."""
    text = (ROOT / "DESIGN.md").read_text(encoding="utf-8")
    block = re.search(rf"^{package}/.*?\n((?:  \S.*\n)+)", text, re.MULTILINE)
    assert block, f"DESIGN.md lists the rooms of {package}, indented by two spaces"
    return [line.split()[0].rstrip("/") for line in block[1].splitlines()]


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def sources(folder: Path = LIBRARY) -> list[Path]:
    return sorted(path for path in folder.rglob("*.py") if "__pycache__" not in path.parts)


def imports(path: Path) -> set[str]:
    """Every module that a file names in an import, also inside functions."""
    found = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} imports relatively"
            assert node.module is not None
            found.add(node.module)
            if node.module.split(".")[0] in ("course_lib", "grading"):
                found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def public_names(path: Path) -> list[str]:
    """What ``__all__`` lists."""
    for node in tree(path).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return list(ast.literal_eval(node.value))
    return []


def functions(path: Path) -> dict[str, ast.FunctionDef]:
    return {node.name: node for node in tree(path).body if isinstance(node, ast.FunctionDef)}


def public_functions(path: Path) -> dict[str, ast.FunctionDef]:
    names = public_names(path)
    return {name: node for name, node in functions(path).items() if name in names}


def parameters(node: ast.FunctionDef) -> list[str]:
    arguments = node.args
    starred = [arguments.vararg] if arguments.vararg else []
    return [arg.arg for arg in (*arguments.args, *starred, *arguments.kwonlyargs)]


def used_names(path: Path) -> set[str]:
    """The names that a file reads; what is imported and never used is not among them."""
    return {
        node.id
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }


def lines_of_code(node: ast.FunctionDef) -> int:
    """Lines of a body without its docstrings."""
    count = len(ast.unparse(ast.Module(body=node.body, type_ignores=[])).splitlines())
    for inner in ast.walk(node):
        if isinstance(inner, ast.FunctionDef | ast.ClassDef):
            docstring = ast.get_docstring(inner, clean=False)
            count -= len(docstring.splitlines()) if docstring else 0
    return count
