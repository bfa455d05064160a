"""The chapters' included functions: without their docstring, and otherwise to the letter."""

import ast
import re

import pytest
from built_site import ROOT, chapters, load

included = load(ROOT / "book" / "_ext" / "code_without_docstring.py")
FUNCTION = '''def half(x: float) -> float:
    """Return half.

    Args:
        x: a number.
    """
    # A comment says why.
    text = """not a docstring"""
    return x / 2
'''


def test_the_docstring_goes_and_everything_else_stays() -> None:
    left = included.strip_docstring(FUNCTION)
    assert left.splitlines() == [
        "def half(x: float) -> float:",
        "    # A comment says why.",
        '    text = """not a docstring"""',
        "    return x / 2",
    ]


@pytest.mark.parametrize("source", ["def f():\n    return 1\n", "x = 1\n"])
def test_what_has_no_docstring_is_refused(source: str) -> None:
    with pytest.raises(ValueError, match="needs a pyobject that has a docstring"):
        included.strip_docstring(source)


GUARDED = """def half(x, y, *, axis=-1):
    require_entries(
        x, axis
    )
    if x < y:
        raise ValueError("x")
    if x > 9:
        x = 9
    require = x / 2
    return require
"""


def test_what_refuses_bad_input_goes_and_every_other_condition_stays() -> None:
    assert included.strip_guards(GUARDED).splitlines() == [
        "def half(x, y, *, axis=-1):",
        "    if x > 9:",
        "        x = 9",
        "    require = x / 2",
        "    return require",
    ]
    with pytest.raises(ValueError, match="needs a pyobject that refuses something"):
        included.strip_guards("def f(x):\n    return x\n")


def test_of_some_lines_of_a_function_what_refuses_bad_input_goes_too() -> None:
    lines = "a = x\nif a < 0:\n    raise ValueError(a)\nif a > 9:\n    a = 9\nreturn a"
    assert included.strip_guards(lines).splitlines() == [
        "a = x",
        "if a > 9:",
        "    a = 9",
        "return a",
    ]
    with pytest.raises(ValueError, match="needs a pyobject that refuses something"):
        included.strip_guards("a = x\nreturn a")


def test_every_included_function_of_a_chapter_is_left_whole() -> None:
    seen = []
    for chapter in chapters():
        text = (ROOT / "book" / f"{chapter}.md").read_text(encoding="utf-8")
        for path, options in re.findall(r"```\{literalinclude\} (\S+)\n((?::.*\n)*)```", text):
            if ":without-docstring:" not in options:
                continue
            source = (ROOT / "book" / path).read_text(encoding="utf-8")
            match = re.search(r":pyobject: (\w+)", options)
            assert match is not None
            node = next(
                node for node in ast.parse(source).body if getattr(node, "name", "") == match[1]
            )
            whole = ast.get_source_segment(source, node)
            assert whole is not None
            shown = included.strip_docstring(whole)
            kept = node.body[1:]
            guards = [line for line in kept if included.is_guard(line)]
            # A listing shows the algorithm: what refuses bad input is left to the library.
            assert (":without-guards:" in options) == bool(guards), match[1]
            if guards:
                shown = included.strip_guards(shown)
                kept = [line for line in kept if line not in guards]
            [left] = ast.parse(shown).body
            assert [ast.dump(line) for line in left.body] == [ast.dump(line) for line in kept]
            seen.append(match[1])
    assert {"softmax", "softmax_vjp", "online_softmax_update", "score_variance"} <= set(seen)
