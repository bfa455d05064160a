"""Find the bug: what a learner returns by mistake is said to be that, and proves nothing."""

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from grading import check
from grading.exercises import find
from grading.exercises.shared.questions import BROKEN
from grading.notebooks import read_notebook
from grading.words.result import CheckResult

SOLUTIONS = Path(__file__).parents[2] / "solutions"
ONES = torch.ones(2, 3)


def softmax_diagnosis(inputs: Any, code: Any = "ONE-MAXIMUM") -> CheckResult:
    return check(lambda: (code, inputs), exercise="diagnose_softmax")


def attention_diagnosis(*inputs: Any) -> CheckResult:
    return check(lambda: ("WRONG-AXIS", inputs), exercise="diagnose_attention")


APART = torch.tensor([[0.0, 1.0], [-1000.0, -1001.0]])


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        (APART, "`(x,)`"),
        (None, "yours is None"),
        ((), "takes 1 input, x; you give 0"),
        ((APART, APART), "takes 1 input, x; you give 2"),
        (([[0.0, 1.0], [-1000.0, -1001.0]],), "x has to be a tensor; yours is a list"),
        ((APART.numpy(),), "x has to be a tensor; yours is a NumPy array of float32"),
        ((APART.long(),), "x has to hold floating-point numbers; yours is a tensor of int64"),
        ((torch.tensor([[0.0, torch.inf]]),), "an infinity or NaN"),
        ((torch.tensor([[0.0, torch.nan]]),), "an infinity or NaN"),
        ((torch.tensor([[0.0, -torch.inf]]),), "an infinity or NaN"),
    ],
)
def test_inputs_that_cannot_be_tried_are_no_blind_ones(inputs: Any, words: str) -> None:
    result = softmax_diagnosis(inputs)
    assert not result.passed
    assert result.misconception is None
    assert "You chose the right mistake." in result.message
    assert words in result.message


def test_shapes_that_do_not_fit_are_told_with_the_error() -> None:
    result = attention_diagnosis(torch.ones(2, 3), torch.ones(4, 5), torch.ones(4, 1))
    assert result.misconception is None
    assert "RuntimeError: mat1 and mat2 shapes cannot be multiplied" in result.message
    few = attention_diagnosis(torch.ones(2, 3), torch.ones(4, 3))
    assert "takes 3 inputs, query, key, value; you give 2" in few.message
    nan = torch.full((2, 3), torch.nan)
    assert not attention_diagnosis(nan, nan, nan).passed
    assert not check(lambda: ("DIVIDES-BY-D", (nan, nan, nan)), exercise="diagnose_scale").passed
    array = np.ones((2, 3))
    assert "query has to be a tensor" in attention_diagnosis(array, array, array).message


def test_blind_inputs_are_still_named() -> None:
    for inputs in ((ONES,), (torch.tensor([[0.0, 1.0], [2.0, 1.0]]),)):
        assert softmax_diagnosis(inputs).misconception == "BUG-BLIND"
    assert attention_diagnosis(ONES, ONES, ONES).misconception == "BUG-BLIND"


@pytest.mark.parametrize("code", ["ONE MAXIMUM", "one-maximum", "", None, 3, ["ONE-MAXIMUM"]])
def test_a_code_that_is_not_in_the_list_is_said_to_be_none(code: Any) -> None:
    result = softmax_diagnosis((APART,), code)
    assert result.misconception is None
    assert "is no code of the list" in result.message
    assert '"NO-MAXIMUM", "ONE-MAXIMUM"' in result.message


def test_a_wrong_code_is_named_whatever_the_inputs() -> None:
    for inputs in ((APART,), APART, ()):
        assert softmax_diagnosis(inputs, "WRONG-AXIS").misconception == "BUG-AXIS"


def head_diagnosis(C: int, D: int, code: str = "ROOT-OF-C") -> CheckResult:
    rows = torch.randn(4, C, generator=torch.Generator().manual_seed(0))
    inputs = (rows, rows[:C, :D] if C <= 4 else torch.ones(C, D).tril(), *[torch.eye(C, D)] * 2)
    return check(lambda: (code, inputs), exercise="diagnose_head_scale")


def test_a_head_as_wide_as_its_input_hides_the_root_of_the_wrong_size() -> None:
    assert head_diagnosis(6, 3).passed
    assert head_diagnosis(3, 3).misconception == "BUG-BLIND"
    assert head_diagnosis(6, 3, "DIVIDES-BY-D").misconception == "BUG-DK"


def test_a_real_case_names_its_thread_and_shows_the_bug_that_is_judged() -> None:
    threads = {
        "softmax": ["https://github.com/blackportal-ai/delta/pull/165"],
        "scaling": [
            "https://github.com/karpathy/ng-video-lecture/pull/6",
            "https://github.com/Graylab/DL4Proteins-notebooks/issues/12",
        ],
    }
    for slug, addresses in threads.items():
        cells = read_notebook(SOLUTIONS / slug / f"{slug}.ipynb").cells
        text = next(cell.source for cell in cells if cell.id == "bug-task")
        assert "real case" in text.splitlines()[0]
        assert re.findall(r"\((https://[^)]*)\)", text) == addresses


def test_the_head_of_the_notebook_is_the_broken_one() -> None:
    cells = read_notebook(SOLUTIONS / "scaling" / "scaling.ipynb").cells
    code = next(cell.source for cell in cells if cell.id == "bug-code")
    space: dict[str, Any] = {"torch": torch}
    with contextlib.redirect_stdout(io.StringIO()) as shown:
        exec(code, space)
    inputs = (space["x"], space["w_q"], space["w_k"], space["w_v"])
    exercise = find("diagnose_head_scale")
    assert exercise is not None
    output, weights, scores = space["head_of_a_colleague"](*inputs)
    torch.testing.assert_close(exercise.functions[BROKEN](*inputs), output)
    # The trace tells the four codes apart: 16, 1/16, rows that sum to 1/4, and this.
    assert abs(scores.var().item() - 16 / 64) < 0.02
    assert "variance of the scaled scores: 0.2" in shown.getvalue()
    assert "1.000 to 1.000" in shown.getvalue()
    torch.testing.assert_close(weights.sum(-1), torch.ones(500))
