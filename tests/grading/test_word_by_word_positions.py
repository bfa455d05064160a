"""Answers on positions that are right but for one word of the contract: all are refused."""

import math
from typing import Any

import pytest
import torch

from grading import check
from grading.exercises.positions import EXERCISES

pytestmark = pytest.mark.filterwarnings("ignore")


def equivariant(f: Any, x: Any, perm: Any) -> bool:
    return torch.allclose(f(x[perm]), f(x)[perm], rtol=1e-6, atol=1e-6)


def waves(T: int, C: int, base: float = 10000.0, start: int = 0) -> Any:
    c = torch.arange(C)
    angles = torch.arange(start, start + T).double()[:, None] / base ** ((c - c % 2) / C)
    return torch.where(c % 2 == 0, angles.sin(), angles.cos())


def rope(x: Any, positions: Any, base: float = 10000.0) -> Any:
    half = x.shape[-1] // 2
    angles = positions.double()[:, None] * base ** (-torch.arange(half).double() / half)
    return turned(x, angles)


def turned(x: Any, angles: Any) -> Any:
    a, b = x.double().chunk(2, -1)
    c, s = angles.cos(), angles.sin()
    return torch.cat([a * c - b * s, b * c + a * s], -1).to(x.dtype)


def attention(
    x: Any, w_q: Any, w_k: Any, w_v: Any, H: int, positions: Any, base: float = 10000.0
) -> Any:
    q, k, v = ((x @ w).unflatten(-1, (H, -1)).transpose(-3, -2) for w in (w_q, w_k, w_v))
    q, k = rope(q, positions, base), rope(k, positions, base)
    return (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1) @ v


def similarity(D: int, distance: int, n: int, generator: Any) -> float:
    x = torch.randn(n, D, generator=generator, dtype=torch.float64)
    far = rope(x, torch.full((n,), distance))
    return float(((far * x).sum(-1) / x.square().sum(-1)).mean())


def slopes(H: int) -> list[float]:
    P = 2 ** int(math.log2(H))
    return [2 ** (-8 * h / P) for h in range(1, P + 1)] + [
        2 ** (-4 * h / P) for h in range(1, 2 * (H - P), 2)
    ]


def bias(H: int, T: int, S: int) -> Any:
    apart = torch.arange(S - T, S)[:, None] - torch.arange(S)
    return -torch.tensor(slopes(H)).double()[:, None, None] * apart


def scores(query: Any, key: Any, m: Any) -> Any:
    T, S = query.shape[-2], key.shape[-2]
    apart = torch.arange(S - T, S)[:, None] - torch.arange(S)
    return query @ key.mT / query.shape[-1] ** 0.5 - (m[:, None, None] * apart).to(query.dtype)


def yarn(
    D: int, base: float, context: int, factor: float, alpha: float, beta: float, bound: Any = None
) -> Any:
    def pair(turns: float) -> float:
        return D / 2 * math.log(context / (math.tau * turns)) / math.log(base)

    low, high = max(pair(beta), 0), min(pair(alpha), D - 1 if bound is None else bound)
    i = torch.arange(D // 2).double()
    ramp = ((i - low) / (high - low)).clamp(0, 1)
    return base ** (-2 * i / D) * (1 - ramp + ramp / factor), 0.1 * math.log(factor) + 1


def stretched(query: Any, key: Any, positions: Any, inv_freq: Any, concentration: float) -> Any:
    angles = positions.double()[:, None] * inv_freq.double()
    found = turned(query, angles) @ turned(key, angles).mT
    return found * concentration**2 / query.shape[-1] ** 0.5


def only_for(right: Any, holds: Any) -> Any:
    """A right function that raises where its inputs are not as it expects."""

    def answer(*given: Any) -> Any:
        if not holds(*given):
            raise ValueError("not prepared for that")
        return right(*given)

    return answer


def axes(*counts: int) -> Any:
    return lambda x, *others: x.ndim in counts


def in_float32(right: Any) -> Any:
    """A right function that brings a tensor of its own, in float32, and so a result in it."""
    return lambda x, *others: right(x, *others) * torch.ones(1, dtype=torch.float32)


def at_most(right: Any, limit: int) -> Any:
    """A table of so many positions: whoever stands further on is taken for the last of them."""
    return lambda x, positions, *base: right(x, positions.clamp(max=limit), *base)


ROWS: tuple[tuple[str, str, Any], ...] = (
    ("is_permutation_equivariant", "up to rounding",
     lambda f, x, perm: torch.equal(f(x[perm]), f(x)[perm])),
    ("is_permutation_equivariant", "1e-6",
     lambda f, x, perm: torch.allclose(f(x[perm]), f(x)[perm], rtol=1e-2)),
    ("is_permutation_equivariant", "perm",
     lambda f, x, perm: equivariant(f, x, torch.arange(len(x)).roll(1))),
    ("is_permutation_equivariant", "True or False", lambda f, x, perm: f(x[perm]) == f(x)[perm]),
    ("sinusoidal", "base may be left out", lambda T, C, base: waves(T, C, base)),
    ("sinusoidal", "from 0", lambda T, C, base=10000.0: waves(T, C, base, 1)),
    ("sinusoidal", "b is the base", lambda T, C, base=10000.0: waves(T, C)),
    ("sinusoidal", "an odd C ends on a sine",
     only_for(lambda T, C, base=10000.0: waves(T, C, base), lambda T, C, *base: C % 2 == 0)),
    ("sinusoidal", "floating", lambda T, C, base=10000.0: waves(T, C, base).tolist()),
    ("rope", "base may be left out", lambda x, positions, base: rope(x, positions, base)),
    ("rope", "leading axes: none", only_for(rope, axes(3, 4))),
    ("rope", "leading axes: two", only_for(rope, axes(2, 3))),
    ("rope", "in any order", lambda x, p, b=10000.0: rope(x, p.sort().values, b)),
    ("rope", "some lie above 5000", at_most(rope, 4095)),
    ("rope", "above 5000, by a little", at_most(rope, 5000)),
    ("rope", "+position", lambda x, p, b=10000.0: rope(x, -p, b)),
    ("rope", "the dtype of x", in_float32(rope)),
    ("rope", "the precision of x",
     lambda x, p, b=10000.0: rope(x.float(), p, b).to(x.dtype)),
    ("rope", "the gradient flows back", lambda x, p, b=10000.0: rope(x.detach(), p, b)),
    ("rope", "the inputs stay as they were",
     lambda x, p, b=10000.0: x.detach().copy_(rope(x, p, b).detach())),
    ("rope_attention", "base may be left out",
     lambda x, q, k, v, H, p, base: attention(x, q, k, v, H, p, base)),
    ("rope_attention", "H · D need not be C",
     only_for(attention, lambda x, w_q, *others: w_q.shape[0] == w_q.shape[1])),
    ("rope_attention", "leading axes: two", only_for(attention, axes(2, 3))),
    ("rope_attention", "heads are not merged",
     lambda *given: attention(*given).transpose(-3, -2).flatten(-2)),
    ("rope_attention", "no mask",
     lambda x, *others: attention(x, *others).flip(-2)),
    ("similarity_at_distance", "n rows", lambda D, d, n, g: similarity(D, d, 1000, g)),
    ("similarity_at_distance", "distance", lambda D, d, n, g: similarity(D, d + 1, n, g)),
    ("similarity_at_distance", "from the generator",
     lambda D, d, n, g: similarity(D, d, n, torch.Generator().manual_seed(1))),
    ("alibi_bias", "the last of S positions",
     lambda H, T, S: bias(H, S, S)[:, :T]),
    ("alibi_bias", "where H is no power of two",
     only_for(bias, lambda H, T, S: H & (H - 1) == 0)),
    ("alibi_bias", "from its first on",
     lambda H, T, S: bias(H, T, S).sort(0).values),
    ("alibi_bias", "floating", lambda H, T, S: (1000 * bias(H, T, S)).long()),
    ("alibi_scores", "less the slope times the distance",
     lambda q, k, m: 2 * q @ k.mT / q.shape[-1] ** 0.5 - scores(q, k, m)),
    ("alibi_scores", "S may be more than T",
     only_for(scores, lambda q, k, m: q.shape == k.shape)),
    ("alibi_scores", "leading axes: two", only_for(scores, axes(3, 4))),
    ("alibi_scores", "bfloat16", in_float32(scores)),
    ("yarn_inv_freq", "at least 0",
     only_for(yarn, lambda D, base, context, f, a, beta: context > math.tau * beta)),
    ("yarn_inv_freq", "at most D − 1", lambda D, *others: yarn(D, *others, bound=D / 2)),
    ("yarn_inv_freq", "whatever its turns", lambda D, *others: yarn(D, *others, bound=10**6)),
    ("yarn_inv_freq", "and the concentration", lambda *sizes: yarn(*sizes)[0]),
    ("yarn_inv_freq", "beta", lambda D, b, c, f, alpha, beta: yarn(D, b, c, f, alpha, 32.0)),
    ("yarn_inv_freq", "alpha", lambda D, b, c, f, alpha, beta: yarn(D, b, c, f, 1.0, beta)),
    ("yarn_inv_freq", "floating, D/2 of them", lambda *sizes: (yarn(*sizes)[0].repeat(2), 1.0)),
    ("yarn_scores", "each is multiplied", lambda q, k, p, f, c: stretched(q, k, p, f, c) / c),
    ("yarn_scores", "their positions",
     lambda q, k, p, f, c: stretched(q, k, torch.arange(len(p)), f, c)),
    ("yarn_scores", "leading axes: none", only_for(stretched, axes(3, 4))),
    ("yarn_scores", "bfloat16", in_float32(stretched)),
    ("predict_slowest_turn", "a tenth more or less", lambda: 62_832),
    ("predict_slowest_turn", "positions", lambda: -47_117),
    ("predict_slowest_turn", "one number", lambda: [47_117]),
    ("predict_newest_weight", "the newest", lambda: 0.012),
    ("predict_newest_weight", "a weight", lambda: 40.0),
    ("predict_newest_weight", "one number", lambda: [0.4]),
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
    for exercise in (one for one in EXERCISES if one.kind not in ("test", "bug")):
        assert sum(row[0] == exercise.name for row in ROWS) >= 3, exercise.name


def test_what_they_are_made_of_is_right() -> None:
    right = {
        "is_permutation_equivariant": equivariant, "rope": rope, "rope_attention": attention,
        "sinusoidal": lambda T, C, base=10000.0: waves(T, C, base),
        "similarity_at_distance": similarity, "alibi_bias": bias, "alibi_scores": scores,
        "yarn_inv_freq": lambda *sizes: yarn(*sizes), "yarn_scores": stretched,
    }  # fmt: skip
    for name, answer in right.items():
        result = check(answer, exercise=name)
        assert result.passed, str(result)
