"""test_softmax: a test that a learner writes, tried on the chapter's own wrong functions."""

from __future__ import annotations

from typing import Any

from grading.exercise import Answer, Exercise, Misconception, Output
from grading.exercises.shared.candidates import Candidates, matched
from grading.exercises.shared.written_tests import WrittenTest
from grading.exercises.softmax.stable import SOFTMAX
from grading.late import Tensor, torch

__all__ = ["TEST_SOFTMAX"]

_CANDIDATES = Candidates(
    of=SOFTMAX, share=1.0, also_right=(lambda x, axis: torch.softmax(x, axis),)
)
_TEST = WrittenTest(candidates=_CANDIDATES, defaults={"axis": -1})

#: Rows far from 0 and far from each other, and none of them square.
FAR = [[0.0, 1.0, -2.0], [1000.0, 1001.0, 998.0], [-1000.0, -1001.0, -999.0], [-900.0, 0.0, 900.0]]


def _table(large: bool) -> Tensor:
    if large:
        return torch.tensor(FAR, dtype=torch.float64)
    return torch.randn(4, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def _expected(x: Tensor, axis: int) -> Tensor:
    return torch.softmax(x, axis)


def _assert_near(mine: Tensor, right: Tensor, near: float | None) -> None:
    # Much faster than torch.testing.assert_close, and run for every candidate of every test.
    assert mine.shape == right.shape
    assert torch.allclose(mine, right, rtol=0.0, atol=1e-7 if near is None else near)


def _compares(
    *axes: int, large: tuple[bool, ...] = (False, True), near: float | None = None
) -> Answer:
    def test(candidate: Answer) -> None:
        for x in (_table(one) for one in large):
            for axis in axes:
                _assert_near(candidate(x, axis), _expected(x, axis), near)

    return test


def _one_row(*rows: list[float]) -> Answer:
    def test(candidate: Answer) -> None:
        for row in rows:
            x = torch.tensor(row)
            _assert_near(candidate(x, -1), _expected(x, -1), 1e-5)

    return test


def _sums(*axes: int, large: tuple[bool, ...] = (False,), near: float | None = None) -> Answer:
    def test(candidate: Answer) -> None:
        for x in (_table(one) for one in large):
            for axis in axes:
                sums = candidate(x, axis).sum(axis)
                _assert_near(sums, torch.ones_like(sums), near)

    return test


def _shapes(*axes: int) -> Answer:
    def test(candidate: Answer) -> None:
        for axis in axes:
            x = _table(large=False)
            assert candidate(x, axis).shape == x.shape

    return test


def _exactly(x: Any, expected: Any) -> Answer:
    def test(candidate: Answer) -> None:
        scores = torch.tensor(x)
        right = _expected(scores, -1) if expected is None else torch.tensor(expected)
        assert torch.equal(candidate(scores, -1), right)

    return test


def _sums_exactly(candidate: Answer) -> None:
    assert (candidate(_table(large=False), -1).sum(-1) == 1).all()


def _laws(candidate: Answer) -> None:
    """A right test without an oracle: the laws of a softmax, and two rows by hand."""
    x = _table(large=True)
    for axis in (0, -1, 1):
        weights = candidate(x, axis)
        assert weights.shape == x.shape
        assert torch.isfinite(weights).all()
        assert (weights >= 0).all()
        assert ((weights.sum(axis) - 1).abs() < 1e-9).all()
        low = _table(large=False)
        assert torch.allclose(candidate(low + 10, axis), candidate(low, axis))
        ratios = candidate(low, axis).log().diff(dim=axis)
        assert torch.allclose(ratios, low.diff(dim=axis), atol=1e-6)
    by_hand = candidate(torch.tensor([[1000.0, 1001.0], [-1000.0, -1001.0]]))
    right = torch.tensor([[0.2689414, 0.7310586], [0.7310586, 0.2689414]])
    assert (by_hand - right).abs().max() < 1e-5


TEST_SOFTMAX = Exercise(
    name="test_softmax", slug="softmax", task="test", title="A test for every softmax",
    kind="test", points=1.0, difficulty=2, importance=3, minutes=20, parameters=("candidate",),
    outputs=(Output(name="said", kind="any"),), equation="eq-softmax",
    reference=_compares(0, -1), probes=_TEST.probes, functions=_TEST.functions, laws=_TEST.laws,
    judge=_TEST.judge, view=_TEST.view,
    next_rung="Keep it. The next softmax that you write can be tried on it before anyone reads it.",
    misconceptions=(
        *_TEST.mistakes(),
        matched(
            "TEST-SHAPE", "Functions of the right shape pass, whatever their numbers are: scores "
            "divided by their sum, for one. Compare with a right weight that you know.",
            _shapes(0, -1),
        ),
        matched(
            "TEST-SUMS", "Functions pass whose weights sum to 1 and are wrong all the same. Say "
            "what a single weight has to be.",
            *(_sums(*axes, large=large) for axes in ((0, -1), (-1,), (0,))
              for large in ((False,), (False, True))),
            *(_sums(*axes, near=0.01) for axes in ((0, -1), (-1,))),
        ),
        matched(
            "TEST-SMALL", "Functions pass that go wrong on large scores only: they overflow, or "
            "lose a row that lies far below another one. Let some scores be 1000 and some −1000, "
            "in one tensor.",
            *(_compares(*axes, large=(False,), near=near) for axes in ((0, -1), (-1,), (0,))
              for near in (None, 0.01)),
        ),
        matched(
            "TEST-ONEROW", "Functions pass that are right on a single row and wrong on several. "
            "What another row does to it, and which axis is summed, shows on several rows only.",
            *(_one_row(*rows) for rows in (
                [[0.0, 1.0, -2.0]], [[1000.0, 1001.0, 998.0]], FAR, [[-900.0, 0.0, 900.0]])),
        ),
        matched(
            "TEST-ONEAXIS", "A function passes that is right along one axis and wrong along "
            "another. Call the candidate with more than one `axis`.",
            _compares(-1),
        ),
        matched(
            "TEST-LOOSE", "Weights pass that are off by less than a thousandth. Compare more "
            "closely: torch.testing.assert_close knows how near two right results lie.",
            _compares(0, -1, near=0.01),
        ),
        Misconception(
            code="TEST-EXACT", wrong=_exactly([[0.0, 0.0]], [[0.5, 0.5]]),
            also=(_exactly([[0.0, 1.0]], None), _sums_exactly), recognise=_CANDIDATES.exact(),
            sentence=(
            "It accepts a right function and refuses another whose results differ from it in "
            "the last digit alone, as they do when numbers are added in another order. "
            "Leave room for the last digits, as torch.testing.assert_close does.")),
    ),
    alternatives=(_laws, _compares(1, 0)),
)  # fmt: skip
