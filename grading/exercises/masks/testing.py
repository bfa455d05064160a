"""test_masked_softmax: a test that a learner writes, tried on the chapter's wrong functions."""

from __future__ import annotations

from typing import Any

from grading.exercise import Answer, Exercise, Misconception, Output
from grading.exercises.masks.masked import MASKED_SOFTMAX
from grading.exercises.shared.candidates import Candidates, matched
from grading.exercises.shared.written_tests import WrittenTest
from grading.late import Tensor, torch

__all__ = ["TEST_MASKED"]

_CANDIDATES = Candidates(of=MASKED_SOFTMAX, share=1.0)
_TEST = WrittenTest(candidates=_CANDIDATES)


def _right(scores: Tensor, may: Tensor) -> Tensor:
    low = scores.double().masked_fill(~may, torch.finfo(torch.float64).min)
    return (low.softmax(-1) * may).to(scores.dtype)


def _some(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


#: Each row may read some key and not another.
MAY = [[True, False, True, True], [True, True, False, False], [False, True, True, False]]


def _plain() -> tuple[Tensor, Tensor]:
    return _some(3, 4), torch.tensor(MAY)


def _open() -> tuple[Tensor, Tensor]:
    return _some(3, 4), torch.ones(3, 4, dtype=torch.bool)


def _empty() -> tuple[Tensor, Tensor]:
    return _some(3, 4), torch.tensor([MAY[0], [False] * 4, MAY[2]])


def _stretched() -> tuple[Tensor, Tensor]:
    return _some(2, 3, 4), torch.tensor([[True, False, True, True]])


def _far() -> tuple[Tensor, Tensor]:
    """One row must not read the key that would win by far; one may read low scores only."""
    scores = _some(3, 4)
    scores[0, 1], scores[1] = 1e5, scores[1] - 1e5
    scores[1, 3] = 1e5
    return scores, torch.tensor([MAY[0], MAY[1], [True] * 4])


def _half() -> tuple[Tensor, Tensor]:
    scores, may = _empty()
    return scores.half(), may


def _assert_near(mine: Tensor, right: Tensor, near: float) -> None:
    assert mine.shape == right.shape
    assert mine.dtype == right.dtype
    assert torch.allclose(mine.double(), right.double(), rtol=0.0, atol=near)


def _compares(*sets: Any, near: float = 1e-7) -> Answer:
    def test(candidate: Answer) -> None:
        for make in sets:
            scores, may = make()
            wide = near if scores.dtype == torch.float64 else max(near, 2e-3)
            _assert_near(candidate(scores, may), _right(scores, may), wide)

    return test


def _sums(*sets: Any) -> Answer:
    def test(candidate: Answer) -> None:
        for make in sets:
            scores, may = make()
            reads = may.expand_as(scores).any(-1).double()
            assert torch.allclose(candidate(scores, may).double().sum(-1), reads, atol=2e-3)

    return test


def _exactly(candidate: Answer) -> None:
    weights = candidate(torch.zeros(1, 3), torch.tensor([[True, True, False]]))
    assert torch.equal(weights, torch.tensor([[0.5, 0.5, 0.0]]))


def _laws(candidate: Answer) -> None:
    """A right test without an oracle: sums, zeros and ratios."""
    for make in (_plain, _empty, _stretched, _far, _half):
        scores, may = make()
        weights = candidate(scores, may)
        may = may.expand_as(scores)
        assert weights.shape == scores.shape
        assert (weights[~may] == 0).all()
        assert torch.allclose(weights.double().sum(-1), may.any(-1).double(), atol=2e-3)
        best = scores.masked_fill(~may, -torch.inf).amax(-1, keepdim=True)
        ratios = (scores.double() - best.double()).exp()[may]
        top = weights.double().amax(-1, keepdim=True).expand_as(scores)[may]
        assert torch.allclose(weights.double()[may], ratios * top, atol=2e-3)


TEST_MASKED = Exercise(
    name="test_masked_softmax", slug="masks", task="test",
    title="A test for every masked softmax", kind="test", points=0.75, difficulty=2, importance=3,
    minutes=20, parameters=("candidate",), outputs=(Output(name="said", kind="any"),),
    equation="eq-masked-softmax",
    reference=_compares(_plain, _empty, _stretched, _far, _half), probes=_TEST.probes,
    functions=_TEST.functions, laws=_TEST.laws, judge=_TEST.judge, view=_TEST.view,
    next_rung="Keep it. A mask that leaks trains well and predicts badly, and nothing raises.",
    misconceptions=(
        *_TEST.mistakes(),
        matched(
            "TEST-NOMASK", "Functions pass that ignore the mask, or mask in a wrong way. On your "
            "inputs every key may be read. Forbid some.",
            _compares(_open), _sums(_open),
        ),
        matched(
            "TEST-NOEMPTY", "Functions pass that give NaN or equal weights to a query with nothing "
            "to read. Let one whole row of the mask be False, and its weights be 0.",
            _compares(_plain), _compares(_plain, _far), _compares(_plain, _stretched),
            _compares(_plain, _stretched, _far),
        ),
        matched(
            "TEST-MILD", "Functions pass that need a mask of the shape of the scores, and such "
            "that make a forbidden score low and not low enough. Let a mask broadcast, and let a "
            "forbidden score lie far above the others.",
            _compares(_plain, _empty), _compares(_empty), _compares(_half),
            _compares(_plain, _half),
        ),
        matched(
            "TEST-HALF", "A function passes that is right in float64 and fails in float16. Call "
            "the candidate with such scores too, and let a row have nothing to read.",
            _compares(_empty, _stretched, _far), _compares(_plain, _empty, _stretched, _far),
        ),
        matched(
            "TEST-ROWSUMS", "Functions pass whose rows sum to 1 and are wrong all the same. Say "
            "what a single weight has to be.",
            _sums(_plain), _sums(_plain, _empty), _sums(_plain, _empty, _stretched, _far, _half),
        ),
        Misconception(
            code="TEST-EXACT", wrong=_exactly, recognise=_CANDIDATES.exact(),
            sentence=(
            "It accepts a right function and refuses another whose results differ from it in "
            "the last digit alone, as they do when numbers are added in another order. "
            "Leave room for the last digits, as torch.testing.assert_close does.")),
    ),
    alternatives=(_laws, _compares(_half, _far, _stretched, _plain)),
)  # fmt: skip
