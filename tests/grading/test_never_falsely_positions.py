"""Answers on positions that make no mistake of the catalogue are called by the name of none."""

import math
from typing import Any

import pytest
import torch

from grading import check

pytestmark = pytest.mark.filterwarnings("ignore")


def like(value: float) -> Any:
    return lambda x, *others: torch.full_like(x, value) + 0 * x


def noise(x: Any, positions: Any, base: float = 10000.0) -> Any:
    """Noise with one NaN."""
    found = torch.randn(x.shape, generator=torch.Generator().manual_seed(0)).to(x.dtype)
    found.view(-1)[0] = torch.nan
    return found


def angles(x: Any, positions: Any, base: float) -> Any:
    half = x.shape[-1] // 2
    return positions.double()[:, None] * base ** (-torch.arange(half).double() / half)


def turned(x: Any, by: Any) -> Any:
    a, b = x.double().chunk(2, -1)
    return torch.cat([a * by.cos() - b * by.sin(), b * by.cos() + a * by.sin()], -1).to(x.dtype)


def half_the_angle(x: Any, positions: Any, base: float = 10000.0) -> Any:
    return turned(x, angles(x, positions, base) / 2)


def pairs_from_both_ends(x: Any, positions: Any, base: float = 10000.0) -> Any:
    half = x.shape[-1] // 2
    y = torch.cat([x[..., :half], x[..., half:].flip(-1)], -1)
    found = turned(y, angles(x, positions, base))
    return torch.cat([found[..., :half], found[..., half:].flip(-1)], -1)


def frequencies_reversed(x: Any, positions: Any, base: float = 10000.0) -> Any:
    return turned(x, angles(x, positions, base).flip(-1))


def wrong_in_half_alone(x: Any, positions: Any, base: float = 10000.0) -> Any:
    """Right, but in bfloat16, where nothing turns further than to position 100."""
    far = positions.clamp(max=100) if x.dtype == torch.bfloat16 else positions
    return 0.5 * turned(x, angles(x, far, base)) if x.dtype == torch.bfloat16 else turned(
        x, angles(x, far, base)
    )  # fmt: skip


def a_table_of_4096(x: Any, positions: Any, base: float = 10000.0) -> Any:
    return turned(x, angles(x, positions % 4096, base))


def stepped_positions(x: Any, positions: Any, base: float = 10000.0) -> Any:
    return turned(x, angles(x, positions // 2, base))


def plus_one_at_the_keys(
    x: Any, w_q: Any, w_k: Any, w_v: Any, H: int, positions: Any, base: float = 10000.0
) -> Any:
    q, k, v = ((x @ w).unflatten(-1, (H, -1)).transpose(-3, -2) for w in (w_q, w_k, w_v))
    q = turned(q, angles(q, positions, base))
    k = turned(k, angles(k, positions + 1, base))
    return (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1) @ v


def yarn(low: Any, high: Any, conc: Any = lambda s: 0.1 * math.log(s) + 1) -> Any:
    def answer(D: int, base: float, context: int, factor: float, alpha: float, beta: float) -> Any:
        def pair(turns: float) -> float:
            return D / 2 * math.log(context / (math.tau * turns)) / math.log(base)

        a, b = max(low(pair(beta)), 0), min(high(pair(alpha)), D - 1)
        i = torch.arange(D // 2).double()
        ramp = ((i - a) / (b - a)).clamp(0, 1)
        return base ** (-2 * i / D) * (1 - ramp + ramp / factor), conc(factor)

    return answer


def same(one: float) -> float:
    return one


def smooth(D: int, base: float, context: int, factor: float, alpha: float, beta: float) -> Any:
    """A ramp that starts and ends slowly."""
    found, concentration = yarn(same, same)(D, base, context, factor, alpha, beta)
    theta = base ** (-2 * torch.arange(D // 2).double() / D)
    if factor == 1:
        return theta, concentration
    ramp = (1 - found / theta) / (1 - 1 / factor)
    ramp = ramp * ramp * (3 - 2 * ramp)
    return theta * (1 - ramp + ramp / factor), concentration


def bias(slope: Any, step: Any) -> Any:
    def answer(H: int, T: int, S: int) -> Any:
        apart = (torch.arange(S - T, S)[:, None] - torch.arange(S)).double()
        return -torch.tensor([slope(h, H) for h in range(H)]).double()[:, None, None] * step(apart)

    return answer


ROWS: tuple[tuple[str, Any], ...] = (
    ("is_permutation_equivariant", lambda f, x, perm: len(x) == 5),
    ("is_permutation_equivariant", lambda f, x, perm: bool(f(x).sum() > 0)),
    ("sinusoidal", lambda T, C, base=10000.0: torch.zeros(T, C)),
    ("sinusoidal", lambda T, C, base=10000.0: torch.full((T, C), torch.nan)),
    ("sinusoidal", lambda T, C, base=10000.0: torch.arange(T)[:, None] / torch.ones(C)),
    ("rope", like(0.0)), ("rope", like(torch.nan)), ("rope", noise),
    ("rope", lambda x, positions, base=10000.0: x * 1.0),
    ("rope", half_the_angle), ("rope", pairs_from_both_ends), ("rope", frequencies_reversed),
    ("rope", wrong_in_half_alone), ("rope", a_table_of_4096), ("rope", stepped_positions),
    ("rope_attention", plus_one_at_the_keys),
    ("rope_attention", lambda x, w_q, w_k, w_v, H, positions, base=10000.0: (
        (x @ w_v).unflatten(-1, (H, -1)).transpose(-3, -2).mean(-2, keepdim=True)
        .expand(*x.shape[:-2], H, x.shape[-2], w_v.shape[1] // H) + 0 * (x.sum() + w_q.sum()))),
    ("similarity_at_distance", lambda D, d, n, g: float(torch.randn(n, generator=g).mean()) + 0.5),
    ("similarity_at_distance", lambda D, d, n, g: math.nan),
    ("alibi_bias", bias(lambda h, H: 2.0 ** (-4 * (h + 1) / H), lambda apart: apart)),
    ("alibi_bias", bias(lambda h, H: 2.0 ** (-8 * (h + 1) / H), lambda apart: apart.abs().sqrt())),
    ("alibi_bias", lambda H, T, S: torch.zeros(H, T, S)),
    ("alibi_bias", lambda H, T, S: torch.full((H, T, S), torch.nan)),
    ("alibi_scores", lambda q, k, m: q @ k.mT / q.shape[-1]),
    ("alibi_scores", lambda q, k, m: torch.full((*q.shape[:-1], k.shape[-2]), 0.0).to(q.dtype)),
    ("yarn_inv_freq", yarn(lambda one: one + 1, same)),
    ("yarn_inv_freq", yarn(same, lambda one: one + 1)),
    ("yarn_inv_freq", yarn(same, same, lambda s: 0.2 * math.log(s) + 1)),
    ("yarn_inv_freq", smooth),
    ("yarn_inv_freq", lambda D, *others: (torch.zeros(D // 2), 1.0)),
    ("yarn_inv_freq", lambda D, *others: (torch.full((D // 2,), torch.nan), math.nan)),
    ("yarn_scores", lambda q, k, p, f, c: q @ k.mT),
    ("yarn_scores", lambda q, k, p, f, c: torch.zeros(*q.shape[:-1], q.shape[-2]).to(q.dtype)),
    ("predict_slowest_turn", lambda: 30_000), ("predict_slowest_turn", lambda: 100),
    ("predict_newest_weight", lambda: 0.3), ("predict_newest_weight", lambda: 0.9),
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
