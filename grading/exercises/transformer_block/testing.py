"""test_rms_norm: a test that a learner writes, tried on the chapter's own wrong functions."""

from __future__ import annotations

from typing import Any

from grading.exercise import Answer, Exercise, Misconception, Output
from grading.exercises.shared.candidates import Candidates, matched
from grading.exercises.shared.written_tests import WrittenTest
from grading.exercises.transformer_block.norms import RMS_NORM
from grading.late import Tensor, torch

__all__ = ["TEST_RMS_NORM"]

_CANDIDATES = Candidates(
    of=RMS_NORM,
    share=1.0,
    also_right=(lambda x, g, eps: torch.nn.functional.rms_norm(x, x.shape[-1:], g, eps),),
)
_TEST = WrittenTest(candidates=_CANDIDATES)


def _drawn(*shape: int, size: float = 1.0, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return size * (torch.randn(*shape, generator=generator, dtype=torch.float64) + 0.7)


def _gain(C: int) -> Tensor:
    return torch.linspace(0.5, 2.5, C, dtype=torch.float64)


def _expected(x: Tensor, g: Tensor, eps: float) -> Any:
    wide = x.double()
    return wide * (wide.square().mean(-1, keepdim=True) + eps).rsqrt() * g.double()


def _near(candidate: Answer, x: Tensor, g: Tensor, eps: float, rtol: float = 1e-5) -> None:
    y = candidate(x, g, eps)
    assert (y.shape, y.dtype) == (x.shape, x.dtype)
    assert torch.allclose(y.double(), _expected(x, g, eps), rtol=rtol, atol=rtol)


def _case(kind: str) -> tuple[Tensor, Tensor, float]:
    if kind == "plain":
        return _drawn(3, 5), _gain(5), 1e-6
    if kind == "batch":
        return _drawn(2, 3, 4, seed=1), _gain(4), 0.1
    if kind == "small":
        return _drawn(4, 6, size=1e-3, seed=2), _gain(6), 2e-6
    if kind == "ones":
        return _drawn(3, 5), torch.ones(5, dtype=torch.float64), 0.1
    if kind == "smallones":
        return _drawn(4, 6, size=1e-3, seed=2), torch.ones(6, dtype=torch.float64), 2e-6
    if kind == "centred":
        x = _drawn(3, 6, seed=3)
        return x - x.mean(-1, keepdim=True), _gain(6), 0.1
    if kind == "vector":
        return _drawn(7, seed=4), _gain(7), 0.1
    raise ValueError(kind)


def _half(candidate: Answer) -> None:
    x, g = _drawn(2, 6, size=400.0, seed=5).half(), _gain(6).half()
    _near(candidate, x, g, 1e-5, rtol=1e-2)


def _compares(*kinds: str, half: bool = False) -> Answer:
    def test(candidate: Answer) -> None:
        for kind in kinds:
            _near(candidate, *_case(kind))
        if half:
            _half(candidate)

    return test


def _shapes(candidate: Answer) -> None:
    """Ask for a shape, and for finite numbers even where a vector is zeros."""
    for kind in ("plain", "batch", "small"):
        x, g, eps = _case(kind)
        x[..., 0, :] = 0.0
        y = candidate(x, g, eps)
        assert (y.shape, y.dtype) == (x.shape, x.dtype)
        assert bool(y.isfinite().all())


def _lengths(candidate: Answer) -> None:
    """Ask for vectors of mean square 1, with a gain of ones and hardly an eps."""
    x = _drawn(3, 5)
    y = candidate(x, torch.ones(5, dtype=torch.float64), 1e-12)
    assert ((y.square().mean(-1) - 1).abs() < 1e-4).all()


def _exactly(kind: str) -> Answer:
    def test(candidate: Answer) -> None:
        x, g, eps = _case(kind)
        assert torch.equal(candidate(x, g, eps), RMS_NORM.alternatives[0](x, g, eps))

    return test


def _by_hand(candidate: Answer) -> None:
    """A right test without an oracle: numbers that can be reckoned in the head."""
    ones = torch.ones(2, dtype=torch.float64)
    for x, eps, expected in (
        ([[1.0, 7.0], [3.0, 4.0]], 0.0, [[0.2, 1.4], [3 / 12.5**0.5, 4 / 12.5**0.5]]),
        ([[1.0, 7.0], [2.0, -2.0]], 11.0, [[1 / 6, 7 / 6], [2 / 15**0.5, -2 / 15**0.5]]),
        ([[1e-3, 7e-3]], 11e-6, [[1 / 6, 7 / 6]]),
    ):
        for g in (ones, torch.tensor([2.0, -3.0], dtype=torch.float64)):
            y = candidate(torch.tensor(x, dtype=torch.float64), g, eps)
            wanted = torch.tensor(expected, dtype=torch.float64) * g
            torch.testing.assert_close(y, wanted, rtol=1e-5, atol=1e-7)
    y = candidate(torch.tensor([[300.0, -2100.0]]).half(), ones.half(), 1e-5)
    torch.testing.assert_close(y, torch.tensor([[0.2, -1.4]]).half(), rtol=1e-2, atol=1e-2)


ALL = ("plain", "batch", "small", "vector")

TEST_RMS_NORM = Exercise(
    name="test_rms_norm", slug="transformer-block", task="test",
    title="A test for small and for large numbers", kind="test", points=0.75, difficulty=2,
    importance=3, minutes=20, parameters=("candidate",),
    outputs=(Output(name="said", kind="any"),), equation="eq-rms-norm",
    reference=_compares(*ALL, half=True), probes=_TEST.probes, functions=_TEST.functions,
    laws=_TEST.laws, judge=_TEST.judge, view=_TEST.view,
    next_rung="Released models were wrong at these places: eps, the dtype, a gain of 1 + g.",
    misconceptions=(
        *_TEST.mistakes(),
        matched(
            "TEST-SHAPES", "Functions of the right shape pass that compute something else: one "
            "that subtracts the mean, one that leaves the gain out. Compare numbers.", _shapes,
        ),
        matched(
            "TEST-LENGTHS", "Functions pass that bring vectors to that size and do something else "
            "besides or instead: one that subtracts the mean, one that leaves the gain out. "
            "Compare the entries with those of a formula.", _lengths,
        ),
        matched(
            "TEST-ONEGAIN", "A function passes that does not use its gain. Take gains that differ "
            "from 1 and from each other.",
            _compares("ones", "smallones"),
        ),
        matched(
            "TEST-LARGEONLY", "Functions pass that treat eps in another way: add it to the root, "
            "leave it out. Let a mean square be as small as eps.", _compares("plain"),
            _compares("plain", half=True),
        ),
        matched(
            "TEST-WIDEONLY", "A function passes that squares in float16. Hand it some hundreds in "
            "that dtype: their squares are infinite there.", _compares(*ALL),
            _compares("plain", "small"), _compares("small", "batch"),
        ),
        matched(
            "TEST-CENTRED", "Functions pass that subtract the mean, or measure from it: all your "
            "vectors have the mean 0.", _compares("centred"),
        ),
        Misconception(
            code="TEST-EXACT", wrong=_exactly("plain"), also=(_exactly("batch"),),
            recognise=_CANDIDATES.exact(), sentence=(
            "It accepts a right function and refuses another whose results differ from it in "
            "the last digit alone. Leave room for the last digits, as torch.testing.assert_close "
            "does.")),
    ),
    alternatives=(_by_hand, _compares("small", "vector", "batch", half=True)),
)  # fmt: skip
