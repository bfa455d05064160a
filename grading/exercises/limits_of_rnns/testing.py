"""test_rnn_forward: a test that a learner writes, tried on the chapter's own wrong functions."""

from __future__ import annotations

from typing import Any

from grading.exercise import Answer, Exercise, Misconception, Output
from grading.exercises.limits_of_rnns.forward import RNN_FORWARD
from grading.exercises.shared.candidates import Candidates, matched
from grading.exercises.shared.written_tests import WrittenTest
from grading.late import Tensor, torch

__all__ = ["TEST_RNN_FORWARD"]

_CANDIDATES = Candidates(of=RNN_FORWARD, share=1.0)
_TEST = WrittenTest(candidates=_CANDIDATES)

Five = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]


def _inputs(T: int = 4, batch: tuple[int, ...] = (2,)) -> Five:
    generator = torch.Generator().manual_seed(0)
    shapes = ((*batch, T, 3), (*batch, 5), (3, 5), (5, 5), (5,))
    x, h0, w_x, w_h, b = (
        torch.randn(shape, generator=generator, dtype=torch.float64) / 2 for shape in shapes
    )
    return x, h0, w_x, w_h, b


def _states(x: Tensor, h0: Tensor, w_x: Tensor, w_h: Tensor, b: Tensor) -> Tensor:
    rows, h = [], h0
    for t in range(x.shape[-2]):
        h = torch.tanh(x[..., t, :] @ w_x + h @ w_h + b)
        rows.append(h)
    return torch.stack(rows, dim=-2)


def _assert_near(mine: Tensor, right: Tensor, near: float = 1e-7) -> None:
    # Much faster than torch.testing.assert_close, and run for every candidate of every test.
    assert mine.shape == right.shape
    assert torch.allclose(mine, right, rtol=0.0, atol=near)


def _compares(change: Any = lambda *five: five, near: float = 1e-7, **sizes: Any) -> Answer:
    def test(candidate: Answer) -> None:
        five = change(*_inputs(**sizes))
        _assert_near(candidate(*five), _states(*five), near)

    return test


def _shape(candidate: Answer) -> None:
    assert candidate(*_inputs()).shape == (2, 4, 5)


def _bounds(candidate: Answer) -> None:
    states = candidate(*_inputs())
    assert states.shape == (2, 4, 5)
    assert bool((states.abs() < 1).all())


def _last_row(candidate: Answer) -> None:
    five = _inputs()
    states = candidate(*five)
    assert states.shape == (2, 4, 5)
    _assert_near(states[:, -1], _states(*five)[:, -1])


def _first_row(candidate: Answer) -> None:
    five = _inputs()
    states = candidate(*five)
    assert states.shape == (2, 4, 5)
    _assert_near(states[:, 0], _states(*five)[:, 0])


def _from_zeros(x: Tensor, h0: Tensor, w_x: Tensor, w_h: Tensor, b: Tensor) -> Five:
    return x, torch.zeros_like(h0), w_x, w_h, b


def _symmetric(x: Tensor, h0: Tensor, w_x: Tensor, w_h: Tensor, b: Tensor) -> Five:
    return x, h0, w_x, (w_h + w_h.T) / 2, b


def _diagonal(x: Tensor, h0: Tensor, w_x: Tensor, w_h: Tensor, b: Tensor) -> Five:
    return x, h0, w_x, torch.eye(5, dtype=x.dtype) / 2, b


def _without_bias(x: Tensor, h0: Tensor, w_x: Tensor, w_h: Tensor, b: Tensor) -> Five:
    return x, h0, w_x, w_h, torch.zeros_like(b)


def _exactly(candidate: Answer) -> None:
    five = _inputs()
    assert torch.equal(candidate(*five), _states(*five))


def _by_pytorch(candidate: Answer) -> None:
    """Compare with PyTorch's own cell, step by step; its matrices are the transposes."""
    x, h0, w_x, w_h, b = _inputs()
    cell = torch.nn.RNNCell(3, 5, dtype=torch.float64)
    with torch.no_grad():
        cell.weight_ih.copy_(w_x.T)
        cell.weight_hh.copy_(w_h.T)
        cell.bias_ih.copy_(b)
        cell.bias_hh.zero_()
    h, states = h0, candidate(x, h0, w_x, w_h, b)
    assert states.shape == (2, 4, 5)
    for t in range(4):
        h = cell(x[:, t], h)
        torch.testing.assert_close(states[:, t], h)


def _laws(candidate: Answer) -> None:
    """Compare nothing with a known state: each row follows from the row before it."""
    x, h0, w_x, w_h, b = _inputs()
    states = candidate(x, h0, w_x, w_h, b)
    assert states.shape == (2, 4, 5)
    before = torch.cat([h0[:, None], states[:, :-1]], dim=1)
    _assert_near(torch.atanh(states), x @ w_x + before @ w_h + b)


TEST_RNN_FORWARD = Exercise(
    name="test_rnn_forward", slug="limits-of-rnns", task="test",
    title="A test for every recurrent network", kind="test", points=1.0, difficulty=2,
    importance=3, minutes=20, parameters=("candidate",),
    outputs=(Output(name="verdict", kind="any"),), reference=_compares(), equation="eq-rnn",
    probes=_TEST.probes, functions=_TEST.functions, laws=_TEST.laws, judge=_TEST.judge,
    view=_TEST.view,
    next_rung="The last test needed no right answer: a law of the network was enough.",
    misconceptions=(
        *_TEST.mistakes(),
        matched(
            "TEST-SHAPE", "Functions of the right shape pass, whatever their numbers are. Compare "
            "with states that you know.", _shape,
        ),
        matched(
            "TEST-BOUNDS", "Functions pass whose numbers lie between −1 and 1 and are wrong all "
            "the same. Say what a state has to be.", _bounds,
        ),
        matched(
            "TEST-LASTROW", "A function passes whose last row is right and the rows before it are "
            "not, as where one tensor is overwritten. Compare all rows.", _last_row,
        ),
        matched(
            "TEST-ONESTEP", "Functions pass that are right for one step and wrong from the second "
            "on. Look at more than the first row.", _first_row, _compares(T=1),
        ),
        matched(
            "TEST-ZEROSTART", "A function passes that never looks at h0. Start from a state that "
            "is not zero.", _compares(_from_zeros),
        ),
        matched(
            "TEST-SYMMETRIC", "A function passes that transposes the matrix of the state. Let w_h "
            "differ from its transpose.", _compares(_symmetric), _compares(_diagonal),
        ),
        matched(
            "TEST-NOBIAS", "A function passes that ignores the bias. Let b be something.",
            _compares(_without_bias),
        ),
        matched(
            "TEST-ONESEQUENCE", "A function passes that is right for one sequence and puts the "
            "steps in front where there is a batch. Call the candidate with a batch too.",
            _compares(batch=()),
        ),
        Misconception(
            code="TEST-EXACT", wrong=_exactly, recognise=_CANDIDATES.exact(),
            sentence=(
            "It accepts a right function and refuses another whose results differ from it in "
            "the last digit alone, as they do when numbers are added in another order. "
            "Leave room for the last digits, as torch.testing.assert_close does.")),
    ),
    alternatives=(_laws, _by_pytorch),
)  # fmt: skip
