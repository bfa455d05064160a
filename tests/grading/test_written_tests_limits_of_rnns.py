"""The learner's test of a recurrent network: sentences are true of every test that carries one."""

from typing import Any

import torch

from grading import check
from grading.asking import Live
from grading.catalogue.kill_table import wrong_answers
from grading.exercises.limits_of_rnns.testing import _CANDIDATES, TEST_RNN_FORWARD
from grading.verdict.case import ANSWER, Case

#: Whom a wrong test lets pass, by what its sentence says.
PASSES = {
    "TEST-SHAPE": "RNN-SHIFT RNN-NOTANH RNN-WT", "TEST-BOUNDS": "RNN-TANHTWICE RNN-WT RNN-NOB",
    "TEST-LASTROW": "RNN-INPLACE", "TEST-ONESTEP": "RNN-REUSE", "TEST-ZEROSTART": "RNN-H0",
    "TEST-SYMMETRIC": "RNN-WT", "TEST-NOBIAS": "RNN-NOB", "TEST-ONESEQUENCE": "RNN-TIMEFIRST",
}  # fmt: skip


def test_one_wrong_function_stands_for_each_mistake_in_results() -> None:
    shown = [one.code for one in _CANDIDATES.of.misconceptions if one.shows == "values"]
    assert [one.code for one in _CANDIDATES.wrong] == shown
    assert len(shown) >= 10


def test_a_sentence_is_true_of_every_test_that_carries_it() -> None:
    codes = [one.code for one in _CANDIDATES.wrong]
    for code, number in wrong_answers(TEST_RNN_FORWARD):
        case = Case(TEST_RNN_FORWARD, Live(TEST_RNN_FORWARD, (code, number)))
        view = case.trial(ANSWER, TEST_RNN_FORWARD.probes[0]).view
        assert view is not None
        refused = dict(zip(codes, view[0][len(_CANDIDATES.right) :].tolist(), strict=True))
        passed = [code for code, is_refused in refused.items() if not is_refused]
        assert set(PASSES.get(code, "").split()) <= set(passed), (code, number)
        assert code in PASSES or code in ("TEST-NOTHING", "TEST-ALL", "TEST-EXACT")


def test_the_law_of_the_docstring_is_test_enough() -> None:
    """Each row follows from the row before it: no right answer has to be known."""

    def by_law(candidate: Any) -> None:
        generator = torch.Generator().manual_seed(1)
        shapes = ((2, 3, 4, 3), (2, 3, 5), (3, 5), (5, 5), (5,))
        x, h0, w_x, w_h, b = (torch.randn(shape, generator=generator) / 2 for shape in shapes)
        states = candidate(x, h0, w_x, w_h, b)
        before = torch.cat([h0[..., None, :], states[..., :-1, :]], dim=-2)
        torch.testing.assert_close(states, torch.tanh(x @ w_x + before @ w_h + b))

    result = check(by_law, exercise="test_rnn_forward")
    assert result.passed, str(result)
