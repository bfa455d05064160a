"""Soft lookup: its measure again, its written tests, its real case, and what is named of NaN."""

import contextlib
import io
import math
import re
from typing import Any

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from grading import check
from grading.asking import Live
from grading.catalogue.kill_table import wrong_answers
from grading.exercises import find
from grading.exercises.soft_lookup import questions, testing
from grading.exercises.soft_lookup.measures import ERRORS
from grading.notebooks import ROOT, read_notebook
from grading.verdict.case import ANSWER, Case
from grading.words.result import CheckResult

pytestmark = pytest.mark.filterwarnings("ignore")
NOTEBOOK = ROOT / "solutions" / "soft-lookup" / "soft-lookup.ipynb"


def test_the_table_of_expected_errors_is_measured_again() -> None:
    for (S, width), (mean, spread) in ERRORS.items():
        generator = torch.Generator().manual_seed(7)
        x = torch.rand(200_000, S, generator=generator, dtype=torch.float64)
        noise = torch.randn(200_000, S, generator=generator, dtype=torch.float64)
        shares = (-((x - 0.25) ** 2) / (2 * width**2)).softmax(-1)
        errors = ((shares * (torch.sin(2 * math.pi * x) + noise / 2)).sum(-1) - 1).square()
        assert abs(float(errors.mean()) - mean) < 4 * spread / math.sqrt(200_000) + 1e-4
        assert abs(float(errors.std()) / spread - 1) < 0.02


def test_one_place_has_the_error_that_the_task_tells() -> None:
    answer = find("curve_error")
    assert answer is not None
    generator = torch.Generator().manual_seed(1)
    measured = answer.alternatives[1](1, 0.1, 100_000, generator)
    assert abs(measured - 1.75) < 0.05


#: Whom each too weak test lets pass, whatever else it does: its sentence speaks of them.
PASSES = {
    "TEST-SHAPE": "LOOK-DISTSIGN LOOK-AXIS LOOK-NONORM",
    "TEST-HULL": "LOOK-DISTSIGN LOOK-HARD LOOK-TEMPMUL LOOK-NOEXP",
    "TEST-ONETEMP": "LOOK-NOTEMP LOOK-TEMPMUL", "TEST-NEAR": "LOOK-UNDERFLOW LOOK-ZEROFAR",
    "TEST-SELF": "LOOK-KEYS", "TEST-LOOSE": "LOOK-MEAN LOOK-WIDTH",
}  # fmt: skip


def test_a_sentence_is_true_of_every_test_that_carries_it() -> None:
    exercise, candidates = testing.TEST_SOFT_LOOKUP, testing._CANDIDATES
    codes = [one.code for one in candidates.wrong]
    assert len(codes) >= 15
    for code, number in wrong_answers(exercise):
        view = Case(exercise, Live(exercise, (code, number))).trial(
            ANSWER, exercise.probes[0]
        ).view  # fmt: skip
        assert view is not None
        refused = dict(zip(codes, view[0][len(candidates.right) :].tolist(), strict=True))
        passed = [code for code, is_refused in refused.items() if not is_refused]
        assert set(PASSES.get(code, "").split()) <= set(passed), (code, number)
        assert code in PASSES or code in ("TEST-NOTHING", "TEST-ALL", "TEST-EXACT")


def test_limits_alone_are_a_right_test_too() -> None:
    """As a learner writes it who has no formula: shares by hand, and the two limits."""

    def test_soft_lookup(candidate: Any) -> None:
        keys = torch.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 2.0]], dtype=torch.float64)
        values = torch.eye(3, dtype=torch.float64)
        here = torch.tensor([[0.0, 0.0], [9.0, 0.0]], dtype=torch.float64)
        powers = torch.tensor([1.0, math.exp(-12.5), math.exp(-2.0)], dtype=torch.float64)
        assert_close(candidate(here, keys, values, 2.0)[0], powers / powers.sum())
        far = candidate(here + 1000, keys, 2 * values[:, :2], 3.0)
        assert_close(far, torch.tensor([[0.0, 2.0]], dtype=torch.float64).expand(2, 2))

    assert check(test_soft_lookup).passed, str(check(test_soft_lookup))


# The real case


def diagnosis(scores: Any, mask: Any, code: str = "SCORE-OF-ZERO") -> CheckResult:
    return check(lambda: (code, (scores, mask)), exercise="diagnose_padding")


def test_padding_shows_the_bug_and_whole_sources_hide_it() -> None:
    scores = torch.tensor([[2.0, -1.0, 0.5]])
    assert diagnosis(scores, torch.tensor([[1.0, 1.0, 0.0]])).passed
    assert diagnosis(scores, torch.ones(1, 3)).misconception == "BUG-BLIND"
    assert diagnosis(scores, torch.tensor([[1.0, 1.0, 0.0]]), "MASK-AFTER").misconception == (
        "BUG-AFTER"
    )
    assert "mask has to be a tensor" in diagnosis(scores, [[1.0, 1.0, 0.0]]).message
    assert "floating-point numbers" in diagnosis(scores, torch.tensor([[1, 1, 0]])).message


def test_the_notebooks_colleague_is_the_broken_one_and_its_thread_is_named() -> None:
    cells = {cell.id: cell.source for cell in read_notebook(NOTEBOOK).cells}
    assert re.findall(r"\((https://[^)]*)\)", cells["bug-task"]) == [
        "https://github.com/HKUST-KnowComp/R-Net/issues/34"
    ]
    space: dict[str, Any] = {"torch": torch}
    with contextlib.redirect_stdout(io.StringIO()) as shown:
        exec(cells["bug-code"], space)
    colleague = space["weights_of_a_colleague"]
    for scores, mask in (questions._padded(), questions._whole()):
        assert_close(colleague(scores, mask), questions._broken(scores, mask))
    assert_close(questions._right(*questions._whole()), questions._broken(*questions._whole()))
    # The example of the thread: two tokens with the score 1, and a place of padding.
    numbers = [float(one) for one in re.findall(r"\d\.\d+", shown.getvalue())]
    assert np.allclose(numbers[3:], [0.4223, 0.4223, 0.1554], atol=1e-4)


# Never a false name


def nan_like(function: Any) -> Any:
    return lambda *given: function(*given) * math.nan


def first_is_nan(function: Any) -> Any:
    def answer(*given: Any) -> Any:
        made = function(*given).clone()
        made[0] = math.nan
        return made

    return answer


FAILING = {
    "hard_lookup": "HARD-FARTHEST HARD-LAST", "soft_lookup": "LOOK-UNDERFLOW LOOK-NONORM",
    "kernel_regression": "NW-UNDERFLOW NW-NONORM", "additive_scores": "ADD-NOTANH ADD-BCAST",
}  # fmt: skip


@pytest.mark.parametrize("name", FAILING)
@pytest.mark.parametrize("spoil", [nan_like, first_is_nan])
def test_nan_everywhere_proves_no_mistake(name: str, spoil: Any) -> None:
    exercise = find(name)
    assert exercise is not None
    result = check(spoil(exercise.alternatives[0]), exercise=name)
    assert not result.passed
    assert not set(result.record.misconceptions) & set(FAILING[name].split()), str(result)


def test_nan_in_all_contexts_is_not_that_of_an_empty_source() -> None:
    exercise = find("align_step")
    assert exercise is not None

    def answer(*given: Any) -> Any:
        context, weights = exercise.alternatives[0](*given)
        return context * math.nan, weights

    result = check(answer, exercise="align_step")
    assert result.misconception is None, str(result)


def test_random_numbers_have_no_name() -> None:
    generator = torch.Generator().manual_seed(0)

    def noise(query: Any, keys: Any, values: Any, temperature: float) -> Any:
        drawn = torch.randn(len(query), values.shape[1], generator=generator, dtype=torch.float64)
        return drawn.to(values.dtype) + 0 * values.sum() + 0 * query.sum() + 0 * keys.sum()

    result = check(noise, exercise="soft_lookup")
    assert not result.passed
    assert result.misconception is None, str(result)


def test_two_mistakes_at_once_are_both_named() -> None:
    def two(xq: Any, xk: Any, y: Any, width: float) -> Any:
        kernel = torch.exp(-((xq[:, None] - xk) ** 2) / width**2)
        return kernel @ y

    assert check(two, exercise="kernel_regression").misconception == "NW-NOTWO+NW-NONORM"

    def sign_and_keys(query: Any, keys: Any, values: Any, temperature: float) -> Any:
        return torch.softmax((query[:, None] - keys).square().sum(-1) / temperature, -1) @ keys

    result = check(sign_and_keys, exercise="soft_lookup")
    assert result.misconception == "LOOK-DISTSIGN+LOOK-KEYS", str(result)
