"""test_soft_lookup: a test that a learner writes, tried on the chapter's own wrong functions."""

from __future__ import annotations

import math

from grading.exercise import Answer, Exercise, Misconception, Output
from grading.exercises.shared.candidates import Candidates, matched
from grading.exercises.shared.written_tests import WrittenTest
from grading.exercises.soft_lookup.soft import SOFT_LOOKUP
from grading.late import Tensor, torch

__all__ = ["TEST_SOFT_LOOKUP"]

_CANDIDATES = Candidates(
    of=SOFT_LOOKUP,
    share=1.0,
    also_right=(
        lambda query, keys, values, temperature: (
            torch.softmax(-(torch.cdist(query, keys) ** 2) / temperature, -1) @ values
        ),
    ),
)
_TEST = WrittenTest(candidates=_CANDIDATES)
Sizes = tuple[int, int, int, int]
#: T, S, D, Dv: all different; the values as wide as the keys; one query.
DIFFERENT, ALIKE, SINGLE = (3, 5, 2, 4), (3, 5, 2, 2), (1, 5, 2, 4)


def _drawn(sizes: Sizes, far: float = 0.0) -> tuple[Tensor, Tensor, Tensor]:
    T, S, D, Dv = sizes
    generator = torch.Generator().manual_seed(3)
    shapes = (T, D), (S, D), (S, Dv)
    query, keys, values = (
        torch.randn(*shape, generator=generator, dtype=torch.float64) for shape in shapes
    )
    query[0] += far
    return query, keys, values


def _right(query: Tensor, keys: Tensor, values: Tensor, temperature: float) -> Tensor:
    distances = (query[:, None] - keys).square().sum(-1)
    return torch.softmax(-distances / temperature, -1) @ values


def _compares(
    *temperatures: float, sizes: Sizes = DIFFERENT, far: float = 0.0, near: float = 1e-7,
    selves: bool = False,
) -> Answer:  # fmt: skip
    def test(candidate: Answer) -> None:
        for temperature in temperatures:
            for offset in {0.0, far}:
                query, keys, values = _drawn(sizes, offset)
                given = (query, keys, keys if selves else values, temperature)
                mine, right = candidate(*given), _right(*given)
                assert mine.shape == right.shape
                assert torch.allclose(mine, right, rtol=0.0, atol=near)

    return test


def _shapes(*temperatures: float) -> Answer:
    def test(candidate: Answer) -> None:
        for temperature in temperatures:
            assert candidate(*_drawn(DIFFERENT), temperature).shape == (3, 4)

    return test


def _hull(far: float) -> Answer:
    def test(candidate: Answer) -> None:
        for temperature in (0.5, 3.0):
            query, keys, values = _drawn(DIFFERENT, far)
            mixed = candidate(query, keys, values, temperature)
            assert mixed.shape == (3, 4)
            assert (mixed >= values.amin(0) - 1e-9).all()
            assert (mixed <= values.amax(0) + 1e-9).all()

    return test


def _exactly(*values: list[float]) -> Answer:
    """Compare without any room, where a right function is exact: between two keys."""

    def test(candidate: Answer) -> None:
        query, keys = torch.zeros(1, 1), torch.tensor([[2.0], [-2.0]])
        mixed = candidate(query, keys, torch.tensor(values), 1.0)
        assert torch.equal(mixed, torch.tensor(values).mean(0, keepdim=True))

    return test


def _laws(candidate: Answer) -> None:
    """A right test without an oracle: its limits, shares by hand, a query far away."""
    keys = torch.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 2.0]], dtype=torch.float64)
    values = torch.eye(3, dtype=torch.float64)
    at_home = keys[:1].clone()
    for temperature in (2.0, 5.0):
        powers = [1.0, math.exp(-25 / temperature), math.exp(-4 / temperature)]
        shares = torch.tensor([[power / sum(powers) for power in powers]], dtype=torch.float64)
        for queries in (at_home, at_home.expand(4, 2)):
            mixed = candidate(queries, keys, values, temperature)
            assert mixed.shape == (len(queries), 3)
            assert (mixed - shares).abs().max() < 1e-7
    assert (candidate(keys, keys, values, 1e-3) - values).abs().max() < 1e-7
    assert (candidate(keys, keys, values, 1e9) - 1 / 3).abs().max() < 1e-6
    far = candidate(at_home + 500.0, keys, values[:, :2], 1.0)
    assert (far - values[1, :2]).abs().max() < 1e-7


TEST_SOFT_LOOKUP = Exercise(
    name="test_soft_lookup", slug="soft-lookup", task="test",
    title="A test for every soft lookup", kind="test", points=1.0, difficulty=2, importance=3,
    minutes=20, parameters=("candidate",), outputs=(Output(name="said", kind="any"),),
    equation="eq-soft-lookup", reference=_compares(0.5, 3.0, far=400.0), probes=_TEST.probes,
    functions=_TEST.functions, laws=_TEST.laws, judge=_TEST.judge, view=_TEST.view,
    next_rung="Attention is a soft lookup: most of this test will serve you there again.",
    misconceptions=(
        *_TEST.mistakes(),
        matched(
            "TEST-SHAPE", "Functions of the right shape pass, whatever their numbers are. Compare "
            "with a mixture that you know.",
            _shapes(1.0), _shapes(0.5, 3.0),
        ),
        matched(
            "TEST-HULL", "Functions pass whose result stays among the values, whichever share each "
            "key gets: all of it to the nearest, or most to the farthest. Say what a single share "
            "has to be.",
            _hull(0.0), _hull(400.0),
        ),
        matched(
            "TEST-ONETEMP", "Functions pass that do not use the temperature, or multiply by it: at "
            "1 nobody sees that. Call the candidate with another one.",
            *(_compares(1.0, far=far, sizes=sizes) for far in (0.0, 400.0)
              for sizes in (DIFFERENT, SINGLE)),
        ),
        matched(
            "TEST-NEAR", "Functions pass that fail far from every key, where all exponentials "
            "are 0. Let one query lie hundreds away.",
            *(_compares(*temperatures, near=near) for temperatures in ((0.5, 3.0), (2.0,))
              for near in (1e-7, 1e-4)),
        ),
        matched(
            "TEST-SELF", "A function passes that mixes the keys: where keys and values are the "
            "same vectors, nobody sees that. Give values of their own.",
            *(_compares(*temperatures, sizes=ALIKE, far=400.0, selves=True)
              for temperatures in ((0.5, 3.0), (2.0,))),
        ),
        matched(
            "TEST-LOOSE", "Functions pass whose results are off. Compare more closely: "
            "torch.testing.assert_close knows how near two right results lie.",
            _compares(0.5, 3.0, far=400.0, near=1.0), _compares(0.5, 3.0, far=400.0, near=0.5),
        ),
        Misconception(
            code="TEST-EXACT", wrong=_exactly([2.0], [4.0]),
            also=(_exactly([1.0, 2.0], [3.0, 8.0]),),
            recognise=_CANDIDATES.exact(), sentence=(
            "It accepts a right function and refuses another whose results differ from it in "
            "the last digit alone, as they do when numbers are added in another order. "
            "Leave room for the last digits, as torch.testing.assert_close does.")),
    ),
    alternatives=(_laws, _compares(2.0, 0.1, far=300.0)),
)  # fmt: skip
