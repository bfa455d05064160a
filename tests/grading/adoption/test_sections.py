"""An answer and what it needs of its notebook, in a scope of its own, as the learner wrote it."""

import warnings
from dataclasses import replace

import pytest
import torch
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from torch.testing import assert_close

from grading.adoption.section import Section, sections
from grading.adoption.statements import code_of
from grading.adoption.trial import made
from grading.exercises import find

IMPORTS = "import math\n\nimport torch\n\nfrom grading import check"
CHECK = "check(softmax)"
X = torch.tensor([[0.0, 1.0, 3.0], [2.0, 2.0, -1.0]])


def written(*cells: str, name: str = "softmax") -> list[Section]:
    nb = new_notebook(cells=[new_markdown_cell("text"), *map(new_code_cell, cells)])
    exercise = find(name)
    assert exercise is not None
    return sections(exercise, code_of(nb))


def the_one(*cells: str, name: str = "softmax") -> Section:
    found = written(*cells, name=name)
    assert len(found) == 1
    assert not found[0].reason
    return found[0]


ROW = "    powers = torch.exp(x - x.amax(axis, keepdim=True))\n"
ANSWER = f"def softmax(x, axis=-1):\n{ROW}    return powers / powers.sum(axis, keepdim=True)"

#: Right answers, as cells; each needs something else of its notebook.
RIGHT = {
    "alone": (IMPORTS, ANSWER, CHECK),
    "a constant": (IMPORTS, "SHIFT = 0.0", ANSWER.replace("x -", "SHIFT + x -"), CHECK),
    "a constant that a later line adds to": (
        IMPORTS,
        "SHIFT = 1.0\nSHIFT -= 1.0",
        ANSWER.replace("x -", "SHIFT + x -"),
        CHECK,
    ),
    "an import in another cell": (
        "from grading import check",
        "import torch as t",
        ANSWER.replace("torch", "t"),
        CHECK,
    ),
    "an import inside": (ANSWER.replace(":\n", ":\n    import torch\n", 1), CHECK),
    "two imports of one package": (
        "import torch.nn\nimport torch\nimport torch.nn.functional",
        "def softmax(x, axis=-1):\n    return torch.nn.functional.softmax(x, axis)",
        CHECK,
    ),
    "an import that may fail": (
        "try:\n    import torch\nexcept ImportError:\n    torch = None",
        ANSWER,
        CHECK,
    ),
    "everything of a module": (
        "from math import *\nimport torch",
        "def softmax(x, axis=-1):\n    powers = pow(e, 1) ** x\n"
        "    return powers / powers.sum(axis, keepdim=True)",
        CHECK,
    ),
    "a helper": (
        IMPORTS,
        "def shifted(x, axis):\n    return x - x.amax(axis, keepdim=True)",
        "def softmax(x, axis=-1):\n    powers = shifted(x, axis).exp()\n"
        "    return powers / powers.sum(axis, keepdim=True)",
        CHECK,
    ),
    "a helper written below": (
        IMPORTS,
        "def softmax(x, axis=-1):\n    return normal(x.exp(), axis)",
        "def normal(p, axis):\n    return p / p.sum(axis, keepdim=True)",
        CHECK,
    ),
    "a helper written twice": (
        IMPORTS,
        "def powers(x):\n    return 2**x",
        "def softmax(x, axis=-1):\n    return powers(x) / powers(x).sum(axis, keepdim=True)",
        "def powers(x):\n    return x.exp()",
        CHECK,
    ),
    "a helper that another task changes afterwards": (
        IMPORTS,
        "def powers(x):\n    return x.exp()",
        "def softmax(x, axis=-1):\n    return powers(x) / powers(x).sum(axis, keepdim=True)",
        CHECK,
        "def powers(x):\n    return 2**x",
    ),
    "another task's function": (
        IMPORTS,
        "def logsumexp(x, axis=-1):\n    return x.exp().sum(axis).log()",
        "check(logsumexp)",
        "def softmax(x, axis=-1):\n    return (x - logsumexp(x, axis).unsqueeze(axis)).exp()",
        CHECK,
    ),
    "a decorator": (
        IMPORTS + "\nimport functools",
        "def loud(function):\n    @functools.wraps(function)\n    def called(*given):\n"
        "        return function(*given)\n    return called",
        "@loud\n" + ANSWER,
        CHECK,
    ),
    "a class": (
        IMPORTS,
        "class Base:\n    pass\n\n\nclass Row(Base):\n    def __init__(self, x):\n"
        "        self.x = x\n\n    def powers(self):\n        return torch.exp(self.x)",
        "def softmax(x, axis=-1):\n"
        "    return Row(x).powers() / Row(x).powers().sum(axis, keepdim=True)",
        CHECK,
    ),
    "an object that is called": (
        IMPORTS,
        "class Softmax:\n    def __call__(self, x, axis=-1):\n"
        "        return torch.softmax(x, axis)",
        "softmax = Softmax()",
        CHECK,
    ),
    "a closure": (
        IMPORTS,
        "def make(power):\n    def made(x, axis=-1):\n        return power(x) / total(x, axis)\n"
        "    return made",
        "softmax = make(torch.exp)",
        "def total(x, axis):\n    return x.exp().sum(axis, keepdim=True)",
        CHECK,
    ),
    "a lambda": (
        IMPORTS,
        "powers = lambda x: torch.exp(x)",
        "softmax = lambda x, axis=-1: powers(x) / powers(x).sum(axis, keepdim=True)",
        CHECK,
    ),
    "a default from outside, changed below": (
        IMPORTS,
        "LAST = -1",
        ANSWER.replace("axis=-1", "axis=LAST"),
        "LAST = 0",
        CHECK,
    ),
    "recursion": (
        IMPORTS,
        "def softmax(x, axis=-1, deep=0):\n    if deep < 3:\n"
        "        return softmax(x, axis, deep + 1)\n    return torch.softmax(x, axis)",
        CHECK,
    ),
    "types": (
        IMPORTS + "\nfrom torch import Tensor\nfrom typing import Optional",
        ANSWER.replace("x, axis=-1)", "x: Tensor, axis: Optional[int] = -1) -> Tensor"),
        CHECK,
    ),
    "not ASCII": (
        IMPORTS,
        "ε = 0.0  # größer als −∞",
        ANSWER.replace("x -", "ε + x -").replace(":\n", ':\n    """分子除以总和。"""\n', 1),
        CHECK,
    ),
    "tabs": (IMPORTS, ANSWER.replace("    ", "\t"), CHECK),
    "lines that end as on Windows": (
        IMPORTS.replace("\n", "\r\n"),
        ANSWER.replace("\n", "\r\n"),
        CHECK,
    ),
    "strings of many lines": (
        IMPORTS,
        'TEXT = """\n  two\n\tlines"""\nassert TEXT == "\\n  two\\n\\tlines"',
        ANSWER + '\n\n\nlength = len(f"""{TEXT}\n  {TEXT!r:>3}\n""")',
        ANSWER.replace("x -", "0 * len(TEXT) + 0 * length + x -"),
        CHECK,
    ),
    "magics": (
        "%matplotlib inline\n!true\nimport torch",
        "%%time\nSHIFT = 0.0",
        ANSWER.replace("x -", "SHIFT + x\\\n        -"),
        "%%bash\ndef softmax",
        CHECK,
    ),
    "many statements on a line": (
        "import math; import torch; SHIFT = 0.0; print(SHIFT)",
        ANSWER.replace("x -", "SHIFT + x -"),
        CHECK,
    ),
    "under another name": (
        IMPORTS,
        ANSWER.replace("softmax", "mine"),
        'check(mine, exercise="softmax")',
    ),
    "an expression": (IMPORTS, "class A:\n" + "    @staticmethod\n    def f(x, axis=-1):\n"
                      "        return torch.softmax(x, axis)", 'check(A.f, "softmax")'),
    "no check": (IMPORTS, ANSWER),
    "a table that assignments fill": (
        IMPORTS,
        "table = {}\ntable['shift'] = 5.0\nfor key in ['shift']:\n    table[key] = 0.0",
        ANSWER.replace("x -", "table['shift'] + x -"),
        CHECK,
    ),
    "cells that no kernel runs beside it": (
        IMPORTS,
        ANSWER,
        "def softmax(x, axis=-1):\n    return x\n\nreturn 3",
        CHECK,
    ),
    "a cell that waits": (IMPORTS + "\nimport asyncio", "await asyncio.sleep(0)", ANSWER, CHECK),
    "nothing but indentation before it": ("    import torch", ANSWER, CHECK),
    "two ways to one constant": (
        IMPORTS,
        "if torch.cuda.is_available():\n    SHIFT = 0.0\nelse:\n    SHIFT = 0",
        ANSWER.replace("x -", "SHIFT + x -"),
        CHECK,
    ),
    "a type without a value": (IMPORTS, "SHIFT = 0.0\nSHIFT: float", ANSWER.replace(
        "x -", "SHIFT + x -"), CHECK),
    "a cell that Python cannot read beside it": (IMPORTS, "def other(:", ANSWER, CHECK),
}  # fmt: skip


@pytest.mark.parametrize("case", RIGHT)
def test_a_right_answer_is_right_by_itself(case):
    softmax = made(written(*RIGHT[case])[0])
    assert_close(softmax(X, -1), torch.softmax(X, -1))
    assert_close(softmax(X, 0), torch.softmax(X, 0))


def test_the_text_is_the_learners_with_its_comments_and_nothing_else():
    helper = (
        "# how far each score\n# lies below the largest\ndef shifted(x, axis):\n    # axis stays"
    )
    helper += "\n    return x - x.amax(axis, keepdim=True)  # at most 0\n    # so no overflow"
    answer = "def softmax(x, axis=-1):\n    powers = shifted(x, axis).exp()\n\n"
    answer += "    return powers / powers.sum(axis, keepdim=True)"
    plots = "print('plots')\nimport matplotlib.pyplot as plt\nplt.plot([1, 2])\nunused = 3"
    text = the_one(IMPORTS, plots, helper + "\n\n\nprint(shifted(1, 2))", answer, CHECK).text
    lines = "\n".join(line.removeprefix("    ") for line in text.split("\n")[1:])
    assert lines == f"{helper}\n\n{answer}\n\nreturn softmax"
    assert text.startswith("def softmax():\n    # how far")


def test_what_was_written_anew_stays_behind():
    text = the_one(*RIGHT["a helper written twice"]).text
    assert "return x.exp()" in text
    assert "2**x" not in text


def test_lines_end_alike_on_every_system():
    windows = the_one(*RIGHT["lines that end as on Windows"]).text
    assert windows == the_one(*RIGHT["alone"]).text


def test_a_docstring_moves_with_its_function_and_a_string_does_not():
    text = 'TEXT = """\n  one"""\n\n\n' + ANSWER.replace(
        ":\n", ':\n    """Normalise.\n\n    By rows.\n    """\n    TEXT.strip()\n', 1
    )
    lines = the_one(IMPORTS, text, CHECK).text.split("\n")
    assert '  one"""' in lines
    assert "        By rows." in lines


def test_what_acts_is_not_run(capsys):
    cells = ["print('printed')", "if check(softmax).passed:\n    SHIFT = 1.0\n    print(SHIFT)"]
    section = the_one(IMPORTS, "SHIFT = 0.0", *cells, ANSWER.replace("x -", "SHIFT + x -"), CHECK)
    assert_close(made(section)(X, -1), torch.softmax(X, -1))
    assert "print" not in section.text
    assert capsys.readouterr().out == ""


def test_an_answer_below_its_check_is_tried_next():
    stub = "def softmax(x, axis=-1):\n    raise NotImplementedError()"
    first, second = written(IMPORTS, stub, CHECK, ANSWER)
    assert "NotImplementedError" in first.text
    assert_close(made(second)(X, -1), torch.softmax(X, -1))


def test_a_helper_is_the_one_that_a_call_met():
    """A value that was made where it stands keeps what its helper was there."""
    cells = ["def two():\n    return 2.0", "FOUR = two() ** 2", "def two():\n    return 3.0"]
    section = the_one(IMPORTS, *cells, "def softmax(x, axis=-1):\n    return FOUR, two()", CHECK)
    assert made(section)(X) == (4.0, 3.0)


def test_of_a_star_the_names_that_are_read_come_along():
    text = the_one(*RIGHT["everything of a module"]).text
    assert "    from math import e, pow\n" in text
    assert "*\n" not in text


def test_nothing_there_is_no_section():
    assert written(IMPORTS) == []
    assert written() == []
    (found,) = written(IMPORTS, "from helpers import *", CHECK)
    assert found.reason == "not gathered: no statement of the notebook defines `softmax`"


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (
            ["n = 0", ANSWER.replace(":\n", ":\n    global n\n    n += 1\n", 1)],
            "it writes `global n`; a part keeps nothing outside its own scope",
        ),
        (
            ["from grading import mine", "def softmax(x, axis=-1):\n    return mine.softmax(x)"],
            "it uses mine.py itself; define what it needs in the notebook",
        ),
        (
            [IMPORTS, "def softmax(x, axis=-1):\n    return (x"],
            "Python cannot read its cell (line 2: '(' was never closed)",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_gathered_says_why(cells, reason):
    (found,) = written(*cells, CHECK)
    assert (found.text, found.reason) == ("", f"not gathered: {reason}")


@pytest.mark.parametrize(
    ("cells", "doubts"),
    [
        (
            ["table = []\ntable.append(0.0)", ANSWER.replace("x -", "table[0] + x -")],
            "depends on what a cell does with `table.append(0.0)`",
        ),
        (
            ["torch.zero = 0.0", ANSWER.replace("x -", "torch.zero + x -")],
            "depends on what a cell does with `torch.zero = 0.0`",
        ),
        (
            ["if check(softmax).passed:\n    zero = 0.0", ANSWER.replace("x -", "zero + x -")],
            "reads `zero`, which nothing above its check defines by name",
        ),
        (
            ["from helpers import *", ANSWER.replace("x -", "zero + x -")],
            "reads `zero`, which nothing above its check defines by name",
        ),
    ],
)
def test_what_another_cell_does_is_told(cells, doubts):
    assert the_one(IMPORTS, *cells, CHECK).doubts == doubts


def test_an_old_name_is_found():
    exercise = find("softmax")
    assert exercise is not None
    renamed = replace(exercise, name="row_softmax", formerly=("softmax",))
    nb = new_notebook(cells=[new_code_cell(one) for one in (IMPORTS, ANSWER, CHECK)])
    (section,) = sections(renamed, code_of(nb))
    assert section.text.startswith("def row_softmax():")
    assert section.text.endswith("return softmax")


def test_a_text_that_warns_warns_nobody():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        code = code_of(new_notebook(cells=[new_code_cell('pattern = "\\d"\n1 is 1')]))
    assert [sorted(one.names.binds) for one in code.statements] == [["pattern"], []]
