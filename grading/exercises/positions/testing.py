"""test_rope: a test that a learner writes, tried on the chapter's own wrong rotations."""

from __future__ import annotations

from typing import Any

from grading.exercise import Answer, Exercise, Misconception, Output
from grading.exercises.positions.rotation import ROPE
from grading.exercises.shared.candidates import Candidates, matched
from grading.exercises.shared.written_tests import WrittenTest
from grading.late import Tensor, torch

__all__ = ["TEST_ROPE"]


def _as_released(x: Tensor, positions: Tensor, base: float = 10000.0) -> Any:
    """Tables of D columns and the halves exchanged, in float64."""
    D = x.shape[-1]
    angles = positions.double()[:, None] * base ** (-2 * (torch.arange(D) % (D // 2)) / D).double()
    other = torch.cat([-x[..., D // 2 :], x[..., : D // 2]], -1)
    return (x.double() * angles.cos() + other.double() * angles.sin()).to(x.dtype)


_CANDIDATES = Candidates(of=ROPE, share=1.0, also_right=(_as_released,))
_TEST = WrittenTest(candidates=_CANDIDATES, defaults={"base": 10000.0})

FAR = (4970, 4981, 5003)


def _x(*shape: int, dtype: Any = None) -> Tensor:
    x = torch.randn(*shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    return x if dtype is None else x.to(dtype)


def _narrow() -> Tensor:
    return _x(3, 8, dtype=torch.bfloat16)


PLAIN = (lambda: _x(4, 8), (3, 9, 2, 31), 10000.0)
OTHER = (lambda: _x(2, 3, 6), (12, 13, 40), 50.0)
COUNTED = (lambda: _x(4, 8), (0, 1, 2, 3), 10000.0)
SHORT = (lambda: _x(3, 2), (3, 9, 2), 10000.0)
HALF = (_narrow, FAR, 10000.0)
Case = tuple[Any, tuple[int, ...], float]


def _compares(*cases: Case) -> Answer:
    """Return a test that compares with the right rows."""

    def test(candidate: Answer) -> None:
        for make, positions, base in cases:
            x, at = make(), torch.tensor(positions)
            near = 0.05 if x.dtype == torch.bfloat16 else 1e-6
            mine, right = candidate(x, at, base), _as_released(x, at, base)
            assert mine.shape == x.shape
            assert torch.allclose(mine.double(), right.double(), rtol=near, atol=near)

    return test


def _lengths(*cases: Case) -> Answer:
    """Return a test that asks for the length of each row alone."""

    def test(candidate: Answer) -> None:
        for make, positions, base in cases:
            x = make()
            turned = candidate(x, torch.tensor(positions), base)
            assert turned.shape == x.shape
            near = 0.05 if x.dtype == torch.bfloat16 else 1e-6
            lengths = turned.double().norm(dim=-1), x.double().norm(dim=-1)
            assert torch.allclose(*lengths, rtol=near, atol=near)

    return test


def _distances(candidate: Answer) -> None:
    """A test that asks whether scores depend on the distance alone."""
    for D, base in ((8, 10000.0), (6, 50.0)):
        q, k = _x(1, D), _x(2, D)[1:]
        scores = []
        for shift in (0, 7, 300):
            at = torch.tensor([5 + shift]), torch.tensor([2 + shift])
            scores.append((candidate(q, at[0], base) * candidate(k, at[1], base)).sum())
        assert torch.allclose(scores[0], scores[1], rtol=1e-6, atol=1e-6)
        assert torch.allclose(scores[0], scores[2], rtol=1e-6, atol=1e-6)


def _exactly(candidate: Answer) -> None:
    x, at = _x(2, 4), torch.tensor([1, 3])
    assert torch.equal(candidate(x, at, 100.0), _as_released(x, at, 100.0))


def _by_single_entries(candidate: Answer) -> None:
    """A right test without a rotation of its own: where a single 1 goes, entry by entry."""
    for D, base in ((8, 10000.0), (6, 50.0)):
        at, half = torch.tensor([4, 1, 30]), D // 2
        angles = at.double()[:, None] * base ** (-torch.arange(half).double() / half)
        expected = torch.zeros(D, 3, D, dtype=torch.float64)
        for i in range(half):
            cos, sin = angles[:, i].cos(), angles[:, i].sin()
            expected[i, :, i], expected[i, :, half + i] = cos, sin
            expected[half + i, :, i], expected[half + i, :, half + i] = -sin, cos
        ones = torch.eye(D, dtype=torch.float64)[:, None, :].expand(D, 3, D).contiguous()
        assert (candidate(ones, at, base) - expected).abs().max() < 1e-6
    both = torch.ones(3, 8, dtype=torch.float64)
    parts = torch.zeros_like(both)
    parts[:, :4] = 1
    at = torch.tensor([7, 2, 11])
    whole = candidate(both, at, 10000.0)
    summed = candidate(parts, at, 10000.0) + candidate(both - parts, at, 10000.0)
    assert (whole - summed).abs().max() < 1e-6
    x = _narrow()
    far = candidate(x.double(), torch.tensor(FAR), 10000.0)
    near = candidate(x, torch.tensor(FAR), 10000.0).double()
    assert (far - near).abs().max() < 0.1


ALL = (PLAIN, OTHER, HALF)

TEST_ROPE = Exercise(
    name="test_rope", slug="positions", task="test", title="A test that lengths do not pass",
    kind="test", points=0.75, difficulty=3, importance=3, minutes=25, parameters=("candidate",),
    outputs=(Output(name="said", kind="any"),), equation="eq-rope", reference=_compares(*ALL),
    probes=_TEST.probes, functions=_TEST.functions, laws=_TEST.laws, judge=_TEST.judge,
    view=_TEST.view,
    next_rung="Keep it: a rotation that is wrong trains as well, and no loss tells.",
    misconceptions=(
        *_TEST.mistakes(),
        matched(
            "TEST-LENGTHS", "Functions pass that turn the wrong pairs, the wrong way or by other "
            "angles: all of them keep lengths, and with all of them a score depends on the "
            "distance alone. Say what a single entry becomes.",
            _lengths(PLAIN), _lengths(*ALL), _lengths(PLAIN, OTHER), _distances,
        ),
        matched(
            "TEST-COUNTED", "A function passes that ignores the positions it is given and counts "
            "from 0. On your inputs that is what they are. Take others, out of order.",
            _compares(COUNTED),
        ),
        matched(
            "TEST-ONEBASE", "A function passes that has one base for all. Call the candidate with "
            "another base, too.",
            _compares(PLAIN), _compares(PLAIN, HALF),
        ),
        matched(
            "TEST-ONEPAIR", "Functions pass that take pairs in another order. Rows of two entries "
            "have one pair only, in which all orders are the same.",
            _compares(SHORT),
        ),
        matched(
            "TEST-WIDE", "A function passes whose angles are rounded in half precision. Call the "
            "candidate in bfloat16 too, at positions of some thousands.",
            _compares(PLAIN, OTHER), _compares(OTHER, PLAIN, COUNTED),
        ),
        Misconception(
            code="TEST-EXACT", wrong=_exactly, recognise=_CANDIDATES.exact(), sentence=(
            "It accepts a right function and refuses another whose results differ from it in "
            "the last digit alone, as they do when numbers are added in another order. "
            "Leave room for the last digits, as torch.testing.assert_close does.")),
    ),
    alternatives=(_by_single_entries, _compares(HALF, OTHER, COUNTED, PLAIN)),
)  # fmt: skip
