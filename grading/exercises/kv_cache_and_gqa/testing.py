"""test_attend_with_cache: a test that a learner writes, tried on the chapter's wrong functions."""

from __future__ import annotations

from typing import Any

from grading.exercise import Answer, Exercise, Misconception, Output
from grading.exercises.kv_cache_and_gqa.caching import ATTEND_WITH_CACHE
from grading.exercises.kv_cache_and_gqa.caching_steps import cached
from grading.exercises.shared.candidates import Candidates, matched
from grading.exercises.shared.written_tests import WrittenTest
from grading.late import Tensor, torch

__all__ = ["TEST_ATTEND_WITH_CACHE"]


def _from_the_first(
    query: Tensor, key_new: Tensor, value_new: Tensor, key_cache: Tensor, value_cache: Tensor,
    base: float = 10000.0,
) -> Any:  # fmt: skip
    """Turn queries and new keys as pairs of a last axis, and add −∞ where nothing may be read."""
    P, T, D = key_cache.shape[2], query.shape[2], query.shape[3]
    frequencies = base ** (-2 * torch.arange(D // 2, dtype=torch.float64) / D)
    angles = torch.arange(P, P + T, dtype=torch.float64)[:, None] * frequencies
    rotation = torch.stack([angles.cos(), -angles.sin(), angles.sin(), angles.cos()], -1)
    rotation = torch.unflatten(rotation, -1, (2, 2))

    def turn(rows: Tensor) -> Any:
        pairs = torch.stack(rows.double().chunk(2, -1), -1)
        turned = (rotation @ pairs[..., None])[..., 0]
        return torch.cat(turned.unbind(-1), -1).to(rows.dtype)

    key = torch.cat([key_cache, turn(key_new)], 2)
    value = torch.cat([value_cache, value_new], 2)
    future = torch.full((T, P + T), -torch.inf).triu(P + 1)
    scores = turn(query) @ key.mT / D**0.5 + future.to(query.dtype)
    return scores.softmax(-1) @ value, key, value


_CANDIDATES = Candidates(of=ATTEND_WITH_CACHE, share=1.0, also_right=(_from_the_first,))
_TEST = WrittenTest(candidates=_CANDIDATES, defaults={"base": 10000.0})

#: So many cached and new tokens, and the base.
Case = tuple[int, int, float]
CHUNK, OTHER, PROMPT, TOKEN = (5, 3, 10000.0), (2, 4, 50.0), (0, 4, 10000.0), (6, 1, 10000.0)


def _drawn(case: Case) -> tuple[Any, ...]:
    P, T, base = case
    generator = torch.Generator().manual_seed(7)

    def rows(count: int, size: int) -> Any:
        return torch.randn(2, 3, count, size, generator=generator, dtype=torch.float64)

    return rows(T, 6), rows(T, 6), rows(T, 5), rows(P, 6), rows(P, 5), base


def _near(mine: Any, right: Any, near: float = 1e-6) -> None:
    assert len(mine) == len(right)
    for one, other in zip(mine, right, strict=True):
        assert one.shape == other.shape
        assert torch.allclose(one, other, rtol=near, atol=near)


def _compares(*cases: Case, first: int = 3) -> Answer:
    """Return a test that compares so many of the results with right ones."""

    def test(candidate: Answer) -> None:
        for case in cases:
            given = _drawn(case)
            found = candidate(*given)
            assert len(found) == 3
            _near(found[:first], cached()(*given)[:first])

    return test


def _shapes(candidate: Answer) -> None:
    for P, T, base in (CHUNK, PROMPT):
        output, key, value = candidate(*_drawn((P, T, base)))
        assert output.shape == (2, 3, T, 5)
        assert key.shape[2] == value.shape[2] == P + T


def _chunked(candidate: Answer, query: Any, key: Any, value: Any, base: float, *cuts: int) -> Any:
    """Call a candidate chunk after chunk with what it kept; return all rows and what is kept."""
    kept = key[:, :, :0], value[:, :, :0]
    rows, start = [], 0
    for end in (*cuts, query.shape[2]):
        new = (part[:, :, start:end] for part in (query, key, value))
        output, *kept = candidate(*new, *kept, base)
        rows.append(output)
        start = end
    return (torch.cat(rows, 2), *kept)


def _against_itself(candidate: Answer) -> None:
    """Ask whether chunks give what one call gives, and nothing else."""
    query, key, value, _, _, base = _drawn((0, 6, 10000.0))
    whole = _chunked(candidate, query, key, value, base)
    for cuts in ((3, 4), (1, 2, 3, 4, 5), (2,)):
        _near(_chunked(candidate, query, key, value, base, *cuts), whole)


def _exactly(candidate: Answer) -> None:
    for case in (CHUNK,):
        given = _drawn(case)
        for mine, right in zip(candidate(*given), cached()(*given), strict=True):
            assert torch.equal(mine, right)


def _by_distances(candidate: Answer) -> None:
    """A right test that turns nothing: a score is what the distance of two tokens makes it."""
    for base, cuts in ((10000.0, (3, 4)), (50.0, (2,)), (50.0, (1, 2, 3, 4, 5))):
        query, key, value, *_ = _drawn((0, 6, base))
        T, half = 6, 3
        apart = torch.arange(T, dtype=torch.float64)[:, None] - torch.arange(T)
        angles = apart[..., None] * base ** (-torch.arange(half).double() / half)
        (q, q_other), (k, k_other) = query.chunk(2, -1), key.chunk(2, -1)
        along = q[..., :, None, :] * k[..., None, :, :]
        along = along + q_other[..., :, None, :] * k_other[..., None, :, :]
        across = q[..., :, None, :] * k_other[..., None, :, :]
        across = across - q_other[..., :, None, :] * k[..., None, :, :]
        scores = (along * angles.cos() + across * angles.sin()).sum(-1) / 6**0.5
        weights = scores.masked_fill(apart < 0, -torch.inf).softmax(-1)
        output, kept, values = _chunked(candidate, query, key, value, base, *cuts)
        torch.testing.assert_close(output, weights @ value, rtol=1e-6, atol=1e-8)
        torch.testing.assert_close(values, value)
        lengths = kept.norm(dim=-1), key.norm(dim=-1)
        torch.testing.assert_close(*lengths, rtol=1e-6, atol=1e-8)
        turns = torch.arange(T).double()[:, None] * base ** (-torch.arange(half).double() / half)
        turned = k * turns.cos() - k_other * turns.sin()
        torch.testing.assert_close(kept[..., :half], turned, rtol=1e-6, atol=1e-8)


ALL = (CHUNK, OTHER, PROMPT, TOKEN)

TEST_ATTEND_WITH_CACHE = Exercise(
    name="test_attend_with_cache", slug="kv-cache-and-gqa", task="test",
    title="A test for every way to cut a text", kind="test", points=0.75, difficulty=3,
    importance=3, minutes=25, parameters=("candidate",),
    outputs=(Output(name="said", kind="any"),), equation="eq-cached-row", reference=_compares(*ALL),
    probes=_TEST.probes, functions=_TEST.functions, laws=_TEST.laws, judge=_TEST.judge,
    view=_TEST.view,
    next_rung="Keep it: a wrong cache writes fluent text, and no loss tells.",
    misconceptions=(
        *_TEST.mistakes(),
        matched(
            "TEST-SHAPES", "Functions of the right shape pass that compute something else: one "
            "that reads tokens to come, one that turns nothing. Compare numbers.", _shapes,
        ),
        matched(
            "TEST-ONETOKEN", "A function passes that has no mask. With one new token none is "
            "needed: hand over several behind a cache.",
            _compares(TOKEN, (6, 1, 50.0)), _compares((3, 1, 50.0)),
        ),
        matched(
            "TEST-EMPTYCACHE", "Functions pass that begin to count at 0, or whose mask stands at "
            "the upper left. With an empty cache that is right: hand over cached tokens.",
            _compares(PROMPT, (0, 3, 50.0)), _compares((0, 3, 50.0)),
        ),
        matched(
            "TEST-OUTPUTALONE", "Functions pass that do not keep what the next call needs: rows "
            "are lost, or not turned. Compare the keys and values that come back as well.",
            _compares(*ALL, first=1), _compares(CHUNK, OTHER, first=1),
        ),
        matched(
            "TEST-SELF", "Functions pass that are wrong in the same way whatever the chunks: one "
            "without the scale, one that turns nothing. Chunks that agree with the whole are not "
            "enough: compare with numbers that come from elsewhere.", _against_itself,
        ),
        matched(
            "TEST-ONEBASE", "A function passes that has one base for all. Call the candidate with "
            "another base, too.", _compares(CHUNK, PROMPT, TOKEN), _compares(CHUNK),
        ),
        Misconception(
            code="TEST-EXACT", wrong=_exactly, recognise=_CANDIDATES.exact(), sentence=(
            "It accepts a right function and refuses another whose results differ from it in "
            "the last digit alone, as they do when numbers are added in another order. "
            "Leave room for the last digits, as torch.testing.assert_close does.")),
    ),
    alternatives=(_by_distances, _compares(OTHER, CHUNK)),
)  # fmt: skip
