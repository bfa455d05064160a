"""Recurrent answers that make no mistake of the catalogue are called by the name of none."""

from typing import Any

import pytest
import torch

from grading import check

pytestmark = pytest.mark.filterwarnings("ignore")


def like(value: float) -> Any:
    def states(x: Any, h0: Any, w_x: Any, w_h: Any, b: Any) -> Any:
        shape = (*x.shape[:-1], h0.shape[-1])
        return torch.full(shape, value, dtype=x.dtype) + 0 * (x.sum() + w_x.sum())

    return states


def noise(x: Any, h0: Any, w_x: Any, w_h: Any, b: Any) -> Any:
    states = torch.randn(*x.shape[:-1], h0.shape[-1], dtype=x.dtype)
    states.view(-1)[0] = torch.nan
    return states


def through_a_gate(x: Any, h: Any, c: Any, w: Any, b: Any) -> Any:
    i, f, g, o = (torch.cat([x, h], -1) @ w + b).chunk(4, -1)
    new = torch.sigmoid(f + c) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(new), new


def smoothed(x: Any, h0: Any, w_x: Any, w_h: Any, b: Any) -> Any:
    h, states = h0, []
    for t in range(x.shape[-2]):
        h = (h + torch.tanh(x[..., t, :] @ w_x + h @ w_h + b)) / 2
        states.append(h)
    return torch.stack(states, -2)


ROWS: tuple[tuple[str, Any], ...] = (
    ("rnn_forward", like(0.0)), ("rnn_forward", like(1.0)), ("rnn_forward", like(torch.nan)),
    ("rnn_forward", noise), ("rnn_forward", smoothed),
    ("state_jacobian_norms", lambda w_h, hs: torch.ones(len(hs), dtype=hs.dtype)),
    ("state_jacobian_norms", lambda w_h, hs: torch.full((len(hs),), torch.nan, dtype=hs.dtype)),
    ("state_jacobian_norms", lambda w_h, hs: hs.norm(dim=-1)),
    ("lstm_step", through_a_gate), ("lstm_step", lambda x, h, c, w, b: (h, c)),
    ("path_length", lambda kind, i, j, kernel=None: 2), ("path_length", lambda *four: 0),
    ("sequential_ops", lambda kind, T: 0), ("sequential_ops", lambda kind, T: 2 * T),
    ("copy_capacity", lambda bits, N, vocab: N + vocab),
    ("copy_capacity", lambda bits, N, vocab: 0),
    ("gradient_growth", lambda N, T, gain, n, generator: float(
        torch.randn(n, generator=generator).mean())),
    ("predict_gradient_norm", lambda: 0.6), ("predict_gradient_norm", lambda: -1.0),
)  # fmt: skip


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [
        pytest.param(name, answer, id=f"{name}-{number}")
        for number, (name, answer) in enumerate(ROWS)
    ],
)
def test_what_is_no_mistake_of_the_catalogue_has_no_name(exercise: str, answer: Any) -> None:
    result = check(answer, exercise=exercise)
    assert not result.passed, str(result)
    assert result.misconception is None, str(result)
