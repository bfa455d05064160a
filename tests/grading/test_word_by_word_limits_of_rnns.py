"""Recurrent answers that are right but for one word of the contract: each is refused."""

import math
from typing import Any

import numpy as np
import pytest
import torch

from grading import check
from grading.exercises import all_exercises

pytestmark = pytest.mark.filterwarnings("ignore")


def forward(x: Any, h0: Any, w_x: Any, w_h: Any, b: Any) -> Any:
    h, states = h0, []
    for t in range(x.shape[-2]):
        h = torch.tanh(x[..., t, :] @ w_x + h @ w_h + b)
        states.append(h)
    return torch.stack(states, dim=-2)


def norms(w_h: Any, hs: Any) -> Any:
    product, found = torch.eye(len(w_h), dtype=w_h.dtype), []
    for h in hs.flip(0):
        wide = product.to(torch.promote_types(product.dtype, torch.float32))
        found.insert(0, torch.linalg.matrix_norm(wide, ord=2).to(w_h.dtype))
        product = product @ ((1 - h * h)[:, None] * w_h.T)
    return torch.stack(found)


def path(kind: str, i: int, j: int, kernel: Any = None) -> Any:
    distance = abs(i - j)
    if kind == "conv":
        return math.ceil(distance / (kernel - 1))
    return distance if kind == "rnn" else 1


def step(x: Any, h: Any, c: Any, w: Any, b: Any) -> Any:
    i, f, g, o = (torch.cat([x, h], dim=-1) @ w + b).chunk(4, dim=-1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def capacity(bits_per_unit: float, N: int, vocab: int) -> Any:
    return math.floor(bits_per_unit * N / math.log2(vocab))


def growth(N: int, T: int, gain: float, n: int, generator: Any) -> Any:
    w = torch.randn(n, N, N, generator=generator) * gain / math.sqrt(N)
    g = torch.randn(n, N, generator=generator)
    g = g / g.norm(dim=-1, keepdim=True)
    for _ in range(T):
        g = (w @ g.unsqueeze(-1)).squeeze(-1)
    return (g.norm(dim=-1).log() / T).mean().item()


def axes_of(right: Any, *counts: int) -> Any:
    """A right function that takes only so many axes."""

    def answer(x: Any, *others: Any) -> Any:
        if x.ndim not in counts:
            raise ValueError(f"{x.ndim} axes")
        return right(x, *others)

    return answer


def detached(right: Any) -> Any:
    return lambda *given: right(*(one.detach() for one in given))


def overwritten(x: Any, h0: Any, w_x: Any, w_h: Any, b: Any) -> Any:
    states = forward(x, h0, w_x, w_h, b)
    h0.data.copy_(states[..., -1, :])
    return states


def in_numpy(w_h: Any, hs: Any) -> Any:
    return torch.from_numpy(np.array(norms(w_h.double(), hs.double())))


def kept_cell(x: Any, h: Any, c: Any, w: Any, b: Any) -> Any:
    state, cell = step(x, h, c, w, b)
    c.data.copy_(cell)
    return state, cell


ROWS: tuple[tuple[str, str, Any], ...] = (
    ("rnn_forward", "any leading axes: one sequence alone", axes_of(forward, 3, 4)),
    ("rnn_forward", "any leading axes: a batch of pairs", axes_of(forward, 2, 3)),
    ("rnn_forward", "its gradient flows back", detached(forward)),
    ("rnn_forward", "it leaves its inputs as they were", overwritten),
    ("rnn_forward", "the result has their dtype", lambda *five: forward(*five).double()),
    ("rnn_forward", "a tensor", lambda *five: list(forward(*five).unbind(-2))),
    ("state_jacobian_norms", "bfloat16 too", lambda w_h, hs: norms(w_h, hs) + (
        0.5 if w_h.dtype == torch.bfloat16 else 0.0)),
    ("state_jacobian_norms", "the result has their dtype", in_numpy),
    ("state_jacobian_norms", "T numbers", lambda w_h, hs: norms(w_h, hs)[:-1]),
    ("state_jacobian_norms", "every precision", lambda w_h, hs: norms(
        w_h.float(), hs.float()).to(hs.dtype)),
    ("path_length", "an int", lambda *four: float(path(*four)) + 0.5),
    ("path_length", "the same in both directions", lambda kind, i, j, kernel=None: (
        path(kind, i, j, kernel) if i < j else -path(kind, i, j, kernel))),
    ("path_length", "kernel=None", lambda kind, i, j, kernel: path(kind, i, j, kernel)),
    ("path_length", "a number without a meaning", lambda kind, i, j, kernel=None: (
        path("conv" if kernel else kind, i, j, kernel))),
    ("sequential_ops", "rnn", lambda kind, T: 1),
    ("sequential_ops", "conv", lambda kind, T: T if kind in ("rnn", "conv") else 1),
    ("sequential_ops", "any length", lambda kind, T: min(T, 100) if kind == "rnn" else 1),
    ("copy_capacity", "an int or a float", lambda bits_per_unit, N, vocab: (
        capacity(int(bits_per_unit), N, vocab))),
    ("copy_capacity", "rounded down", lambda *three: capacity(*three) + 1),
    ("copy_capacity", "vocab of any size", lambda bits_per_unit, N, vocab: (
        capacity(bits_per_unit, N, 1 << (vocab - 1).bit_length()))),
    ("lstm_step", "any leading axes: one example alone", axes_of(step, 2, 3)),
    ("lstm_step", "any leading axes: a batch of pairs", axes_of(step, 1, 2)),
    ("lstm_step", "its gradient flows back", detached(step)),
    ("lstm_step", "it leaves its inputs as they were", kept_cell),
    ("lstm_step", "(h, c)", lambda *five: step(*five)[0]),
    ("gradient_growth", "every draw comes from generator", lambda N, T, gain, n, generator: (
        growth(N, T, gain, n, torch.Generator().manual_seed(1)))),
    ("gradient_growth", "n times", lambda N, T, gain, n, generator: (
        growth(N, T, gain, 4000, generator))),
    ("gradient_growth", "divided by T", lambda N, T, gain, n, generator: (
        T * growth(N, T, gain, n, generator))),
    ("gradient_growth", "one number", lambda N, T, gain, n, generator: torch.tensor(
        [growth(N, T, gain, n, generator)] * 2)),
    ("predict_gradient_norm", "a share", lambda: 12.0),
    ("predict_gradient_norm", "one number", lambda: (0.12, 0.12)),
    ("predict_gradient_norm", "of twenty steps", lambda: 0.81),
)  # fmt: skip


@pytest.mark.parametrize(
    ("exercise", "answer"), [pytest.param(row[0], row[2], id=f"{row[0]}: {row[1]}") for row in ROWS]
)
def test_an_answer_that_ignores_a_word_of_the_contract_is_refused(
    exercise: str, answer: Any
) -> None:
    result = check(answer, exercise=exercise)
    assert not result.passed, str(result)
    assert result.points == 0


def test_each_exercise_has_three_such_answers() -> None:
    asked = [one for one in all_exercises() if one.slug == "limits-of-rnns"]
    for exercise in (one for one in asked if one.kind not in ("test", "bug")):
        assert sum(row[0] == exercise.name for row in ROWS) >= 3, exercise.name


def test_what_they_are_made_of_is_right() -> None:
    right = {
        "rnn_forward": forward, "state_jacobian_norms": norms, "path_length": path,
        "lstm_step": step, "copy_capacity": capacity, "gradient_growth": growth,
    }  # fmt: skip
    for name, answer in right.items():
        assert check(answer, exercise=name).passed, name
