"""The examples in the docstrings run, and show what they say."""

import ast
import doctest
import importlib
from pathlib import Path

import pytest
import torch
from library import module_name, public_functions, sources

EXAMPLES = [
    (path, name, ast.get_docstring(node))
    for path in sources()
    for name, node in public_functions(path).items()
    if ">>> " in (ast.get_docstring(node) or "")
]


@pytest.mark.parametrize(
    ("path", "name", "docstring"),
    EXAMPLES,
    ids=[f"{path.stem}.{name}" for path, name, _ in EXAMPLES],
)
def test_example(path: Path, name: str, docstring: str) -> None:
    module = importlib.import_module(module_name(path))
    names = {**vars(module), "torch": torch}
    test = doctest.DocTestParser().get_doctest(docstring, names, name, str(path), 0)
    assert test.examples
    report: list[str] = []
    result = doctest.DocTestRunner().run(test, out=report.append)
    assert result.failed == 0, "".join(report)


def test_the_mathematics_is_shown_by_examples() -> None:
    shown = {path.stem for path, _, _ in EXAMPLES}
    assert {"softmax", "masks", "scaling", "dot_product", "patterns", "notation"} <= shown
    assert len(EXAMPLES) >= 15
