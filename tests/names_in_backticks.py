"""Names in backticks, and the code of which they have to be part."""

import ast
import builtins
import importlib
import importlib.util
import keyword
import re
import subprocess
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import torch
from prose_of_pages import MARKED, ROOT, blank, lines_of

# As chapters and docstrings write them without importing them.
ALIASES = {"F": "torch.nn.functional", "nn": "torch.nn", "np": "numpy"}
# What Python knows, and what every tensor and module has.
ANYWHERE = (
    {*dir(builtins), *keyword.kwlist, *ALIASES, "nn"}
    | {*dir(torch.Tensor)}
    | {*dir(torch.nn.Module)}
)
PROJECT = ("course_lib", "grading")
NAME = re.compile(r"[A-Za-z_][\w.]*")
DOCSTRING_LITERAL = re.compile(r"(?<![:`\w])(``?)(?!`)([^`\n]+)\1(?!`)")
CODE = re.compile(
    r"^```+\s*(?:\{code-cell\}[^\n]*|python)\n(.*?)^```+\s*$", re.MULTILINE | re.DOTALL
)
INCLUDED = re.compile(r"\{literalinclude\}\s*\.\./(\S+\.py)")


def literals(page: str) -> list[str]:
    """Return what a page's sentences hold in backticks, roles left out."""
    told = "".join(line if is_told else blank(line) for line, is_told in lines_of(page))
    return [found[0].strip("`") for found in MARKED.finditer(told) if not found[1]]


def literals_of_docstrings(file: Path) -> list[str]:
    """Return what the docstrings of a module hold in backticks, roles left out."""
    documented = (ast.Module, ast.FunctionDef, ast.ClassDef)
    texts = [
        ast.get_docstring(node) or ""
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, documented)
    ]
    return [found[2] for text in texts for found in DOCSTRING_LITERAL.finditer(text)]


def names_of_page(page: str) -> set[str]:
    """Return the names in a page's code, and in what that imports or the page includes."""
    names: set[str] = set()
    for code in CODE.findall(page):
        tree = ast.parse(re.sub(r"^(:tags:.*|:mystnb:|:( .*)?|---.*)$", "", code, flags=re.M))
        names |= names_in(tree)
        for module in imported(tree):
            names |= names_of_module(module)
    for file in INCLUDED.findall(page):
        names |= names_in(ast.parse((ROOT / file).read_text()))
    return names


@cache
def names_of_project() -> frozenset[str]:
    """Return every name in the library and the engine."""
    files = [file for package in PROJECT for file in sorted((ROOT / package).rglob("*.py"))]
    names: set[str] = set().union(*(names_in(ast.parse(file.read_text())) for file in files))
    return frozenset(names | {part for file in files for part in file.with_suffix("").parts})


@cache
def names_of_module(module: str) -> frozenset[str]:
    """Return the names in a module of ours; of another, what it gives out."""
    try:
        if module.split(".")[0] not in PROJECT:
            return frozenset(dir(importlib.import_module(module)))
        found = importlib.util.find_spec(module)
    except ImportError:  # the last part is a name in the module before it
        return frozenset()
    if found is None or found.origin is None:
        return frozenset()
    return frozenset(names_in(ast.parse(Path(found.origin).read_text())))


def imported(tree: ast.AST) -> Iterator[str]:
    """Give out the modules that some code imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def names_in(tree: ast.AST) -> set[str]:
    """Return every name that some code gives or uses, and the parts of its modules' names."""
    names: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) | ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                names.add(name)
            case ast.Attribute(attr=name) | ast.arg(arg=name):
                names.add(name)
            case ast.keyword(arg=str(name)):
                names.add(name)
            case ast.Constant(value=str(text)) if re.fullmatch(r"[\w.-]{1,60}", text):
                names.add(text)  # a key of a dictionary, an option, a name in a list
    for module in imported(tree):
        names |= set(module.split("."))
    return names


def unknown(texts: Iterable[str], names: set[str]) -> list[str]:
    """Return those names among some texts in backticks that nothing gives."""
    return [text for text in texts if not is_known(text, names)]


def is_known(text: str, names: set[str]) -> bool:
    """Return whether a text is no name, or a name that exists."""
    called = re.fullmatch(rf"({NAME.pattern})(?:\(.*\)|=\S*)?", text)
    if called is None or not re.search(r"[_.(=]|[a-z][A-Z]", text):
        return True  # no name, or a word that anybody may say
    parts = called[1].split(".")
    known = names | ANYWHERE
    return (
        text in names
        or is_file(text)
        or all(part in known for part in parts)
        or (len(parts) > 1 and exists(called[1]))
    )


@cache
def is_file(text: str) -> bool:
    """Return whether a file or a folder of the project has this name."""
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    return any(text in Path(file).parts for file in listed)


@cache
def exists(dotted: str) -> bool:
    """Return whether a dotted name leads somewhere, from a package or an alias on."""
    parts = dotted.split(".")
    parts = [*ALIASES.get(parts[0], parts[0]).split("."), *parts[1:]]
    for end in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:end]))
        except ImportError:
            continue
        for part in parts[end:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False
