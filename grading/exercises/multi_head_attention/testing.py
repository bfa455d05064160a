"""test_split_heads: a test that a learner writes, tried on the chapter's own wrong functions."""

from __future__ import annotations

from typing import Any

from grading.exercise import Answer, Exercise, Misconception, Output
from grading.exercises.multi_head_attention.splitting import SPLIT_HEADS
from grading.exercises.shared.candidates import Candidates, matched
from grading.exercises.shared.written_tests import WrittenTest
from grading.late import Tensor, torch

__all__ = ["TEST_SPLIT_HEADS"]

_CANDIDATES = Candidates(
    of=SPLIT_HEADS,
    share=1.0,
    also_right=(lambda x, H: x.unflatten(-1, (H, -1)).transpose(-3, -2),),
)
_TEST = WrittenTest(candidates=_CANDIDATES)


def _x(*shape: int) -> Tensor:
    return torch.arange(1.0, 1 + torch.Size(shape).numel()).reshape(shape)


def _expected(x: Tensor, H: int) -> Any:
    D = x.shape[-1] // H
    return torch.stack([x[..., h * D : (h + 1) * D] for h in range(H)], -3)


def _compares(*cases: tuple[tuple[int, ...], int]) -> Answer:
    def test(candidate: Answer) -> None:
        for shape, H in cases:
            heads = candidate(_x(*shape), H)
            assert heads.shape == _expected(_x(*shape), H).shape
            assert torch.allclose(heads, _expected(_x(*shape), H), rtol=1e-5)

    return test


def _shapes(*cases: tuple[tuple[int, ...], int]) -> Answer:
    def test(candidate: Answer) -> None:
        for shape, H in cases:
            assert candidate(_x(*shape), H).shape == _expected(_x(*shape), H).shape

    return test


def _numbers(*cases: tuple[tuple[int, ...], int]) -> Answer:
    def test(candidate: Answer) -> None:
        for shape, H in cases:
            heads = candidate(_x(*shape), H)
            assert heads.shape == _expected(_x(*shape), H).shape
            assert torch.allclose(heads.flatten().sort().values, _x(*shape).flatten(), rtol=1e-5)

    return test


def _exactly(*shape: int) -> Answer:
    def test(candidate: Answer) -> None:
        assert torch.equal(candidate(_x(*shape), 2), _expected(_x(*shape), 2))

    return test


def _laws(candidate: Answer) -> None:
    """A right test without an oracle: one entry moves to one place, and which."""
    for shape, H in (((2, 3, 8), 2), ((5, 6), 3), ((2, 3, 4, 10), 5)):
        D = shape[-1] // H
        for column in range(shape[-1]):
            x = torch.zeros(shape)
            x[..., 1, column] = 1.0
            heads = candidate(x, H)
            assert heads.shape == (*shape[:-2], H, shape[-2], D)
            own = heads[..., column // D, 1, column % D]
            assert ((own - 1).abs() < 1e-6).all()
            assert (heads.sum() - own.sum()).abs() < 1e-3


BATCH, PLAIN, DEEP = ((2, 3, 8), 2), ((5, 6), 3), ((2, 3, 4, 10), 5)

TEST_SPLIT_HEADS = Exercise(
    name="test_split_heads", slug="multi-head-attention", task="test",
    title="A test that shapes do not pass", kind="test", points=0.75, difficulty=2, importance=3,
    minutes=15, parameters=("candidate",), outputs=(Output(name="said", kind="any"),),
    equation="eq-split", reference=_compares(BATCH, PLAIN, DEEP), probes=_TEST.probes,
    functions=_TEST.functions, laws=_TEST.laws, judge=_TEST.judge, view=_TEST.view,
    next_rung="Numbers that say where they come from are the shortest test of a reshape.",
    misconceptions=(
        *_TEST.mistakes(),
        matched(
            "TEST-PLACES", "Functions of the right shape pass that put the numbers into other "
            "places: a reshape straight to H × T × D, for one. Say which number stands where.",
            *(test(*cases) for test in (_shapes, _numbers) for cases in (
                (BATCH, PLAIN, DEEP), (BATCH, PLAIN), (BATCH, DEEP), (PLAIN, DEEP))),
            _shapes(BATCH), _shapes(DEEP), _shapes(PLAIN),
        ),
        matched(
            "TEST-ONESHAPE", "A function passes that is right for one number of leading axes and "
            "wrong for another. Call the candidate with one sequence, and with a batch of them.",
            _compares(BATCH), _compares(PLAIN),
        ),
        matched(
            "TEST-ONETOKEN", "A function passes that mixes positions: a reshape straight to "
            "H × T × D. With a single position there is nothing to mix; take several.",
            _compares(((2, 1, 8), 2), ((1, 6), 3), ((2, 3, 1, 10), 5)),
        ),
        Misconception(
            code="TEST-EXACT", wrong=_exactly(2, 3, 8), also=(_exactly(5, 6),),
            recognise=_CANDIDATES.exact(), sentence=(
            "It accepts a right function and refuses another whose results differ from it in "
            "the last digit alone. Leave room for the last digits, as torch.testing.assert_close "
            "does.")),
    ),
    alternatives=(_laws, _compares(DEEP, PLAIN, BATCH, ((1, 2, 4), 2))),
)  # fmt: skip
