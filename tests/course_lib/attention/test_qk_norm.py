"""Normalised queries and keys: equal to their loops, bounded, differentiable, clear."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import B, D, H, S, T, arrays, assert_equals_twin, normal, seeds, stacked
from torch import Tensor
from torch.testing import assert_close

from course_lib.attention import qk_norm as lib
from course_lib.attention.dot_product import attention_scores
from course_lib.naive.attention import qk_norm as naive

DTYPES = (torch.float32, torch.float64)
G, EPS = 2, 1e-6


def by_head(seed: int = 0, dtype: torch.dtype = torch.float64) -> tuple[Tensor, ...]:
    shapes = ((B, H, T, D), (B, G, S, D), (D,), (D,))
    return tuple(normal(seed + i, *shape, dtype=dtype) for i, shape in enumerate(shapes))


def whole(seed: int = 0, dtype: torch.dtype = torch.float64) -> tuple[Tensor, ...]:
    shapes = ((B, T, H * D), (B, S, G * D), (H * D,), (G * D,))
    return tuple(normal(seed + i, *shape, dtype=dtype) for i, shape in enumerate(shapes))


# Equal to the twin


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("name", "draw"), [("normalise_heads", by_head), ("normalise_projections", whole)]
)
def test_norms_equal_their_loops(
    name: str, draw: Callable[..., tuple[Tensor, ...]], dtype: torch.dtype
) -> None:
    query, key, g_q, g_k = draw(dtype=dtype)
    results = getattr(lib, name)(query, key, g_q, g_k, EPS)
    for b in range(B):
        expected = getattr(naive, name)(*arrays(query[b], key[b], g_q, g_k), EPS)
        for result, twin in zip(results, expected, strict=True):
            assert_equals_twin(result[b], torch.from_numpy(twin), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_cosine_scores_equal_their_loops(dtype: torch.dtype) -> None:
    query, key = normal(0, B, T, D, dtype=dtype), normal(1, B, S, D, dtype=dtype)
    query[0, 1] = 0  # no direction
    expected = stacked(naive.cosine_scores(*arrays(query[b], key[b]), 7.5) for b in range(B))
    assert_equals_twin(lib.cosine_scores(query, key, 7.5), expected, dtype)
    assert_equals_twin(
        lib.cosine_scores(query, key, torch.tensor(7.5, dtype=dtype)), expected, dtype
    )


# Laws


@given(seed=seeds, factor=st.floats(min_value=0.01, max_value=1e4))
def test_the_size_of_queries_and_keys_does_not_matter(seed: int, factor: float) -> None:
    query, key, *gains = by_head(seed)
    expected = lib.normalise_heads(query, key, *gains, 0.0)
    assert_close(lib.normalise_heads(factor * query, key / factor, *gains, 0.0), expected)
    query, key, *gains = whole(seed)
    expected = lib.normalise_projections(query, key, *gains, 0.0)
    assert_close(lib.normalise_projections(factor * query, key / factor, *gains, 0.0), expected)
    scores = lib.cosine_scores(query[..., :D], key[..., :D], 10.0)
    scaled = lib.cosine_scores(factor * query[..., :D], key[..., :D] / factor, 10.0)
    assert_close(scaled, scores)


@given(seed=seeds)
def test_scores_are_bounded(seed: int) -> None:
    query, key, *_ = by_head(seed)
    ones = torch.ones(D, dtype=torch.float64)
    query, key = lib.normalise_heads(1e4 * query, key, ones, ones, EPS)
    assert (attention_scores(query[:, :G], key) / D**0.5).abs().max() <= D**0.5 + 1e-12
    assert lib.cosine_scores(query[:, :G], key, 3.0).abs().max() <= 3.0 + 1e-12


def test_per_head_and_over_all_heads_differ() -> None:
    # Over all heads at once, one head may be louder than another; head by head it may not.
    query = torch.ones(1, 1, 4, dtype=torch.float64)
    query[..., 2:] = 3.0
    gain = torch.ones(4, dtype=torch.float64)
    joint, _ = lib.normalise_projections(query, query, gain, gain, 0.0)
    assert_close(joint.flatten(), torch.tensor([1.0, 1.0, 3.0, 3.0]).double() / 5**0.5)
    heads = query.unflatten(-1, (2, 2)).transpose(1, 2)
    alone, _ = lib.normalise_heads(heads, heads, gain[:2], gain[:2], 0.0)
    assert_close(alone, torch.ones_like(heads))


def test_with_one_head_the_two_are_the_same() -> None:
    query, key = normal(0, B, T, D), normal(1, B, S, D)
    gains = normal(2, D), normal(3, D)
    joint = lib.normalise_projections(query, key, *gains, EPS)
    alone = lib.normalise_heads(query[:, None], key[:, None], *gains, EPS)
    assert_close(joint, tuple(part[:, 0] for part in alone))


def test_queries_take_their_own_gain() -> None:
    query, key, g_q, g_k = by_head()
    expected = lib.normalise_heads(query, key, g_q, g_k, EPS)
    doubled = lib.normalise_heads(query, key, 2 * g_q, g_k, EPS)
    assert_close(doubled, (2 * expected[0], expected[1]))


# Extreme values, gradients, purity


@pytest.mark.parametrize("dtype", DTYPES)
def test_zeros_stay_zeros(dtype: torch.dtype) -> None:
    zeros = torch.zeros(1, 1, 1, D, dtype=dtype, requires_grad=True)
    gain = torch.ones(D, dtype=dtype)
    with torch.autograd.set_detect_anomaly(True):
        query, key = lib.normalise_heads(zeros, zeros, gain, gain, EPS)
        scores = lib.cosine_scores(zeros, zeros, 5.0)
        (query.sum() + key.sum() + scores.sum()).backward()
    assert not query.any()
    assert not scores.any()
    assert zeros.grad is not None
    assert zeros.grad.isfinite().all()


@pytest.mark.parametrize(("dtype", "bound"), [(torch.bfloat16, 2**-8), (torch.float16, 2**-11)])
def test_half_precision_is_near(dtype: torch.dtype, bound: float) -> None:
    # Rounded once: half a unit of the last of 8 (11) digits, and 1 % for what float32 rounds.
    query, key = normal(0, B, T, D, dtype=dtype), normal(1, B, S, D, dtype=dtype)
    low = lib.cosine_scores(query, key, 10.0)
    assert low.dtype == dtype
    expected = lib.cosine_scores(query.double(), key.double(), 10.0)
    assert_close(low.double(), expected, rtol=1.01 * bound, atol=1e-6)
    gain = torch.ones(D, dtype=dtype)
    for part in lib.normalise_heads(query[:, None], key[:, None], gain, gain, EPS):
        assert part.dtype == dtype


def test_gradients() -> None:
    small = [normal(0, 1, 2, 2, 3), normal(1, 1, 1, 2, 3), normal(2, 3), normal(3, 3)]
    flat = [normal(4, 2, 6), normal(5, 2, 3), normal(6, 6), normal(7, 3)]
    pair = [normal(8, 2, 3), normal(9, 4, 3), torch.tensor(2.0).double()]
    with torch.autograd.set_detect_anomaly(True):
        for function, tensors in (
            (lambda *given: lib.normalise_heads(*given, EPS), small),
            (lambda *given: lib.normalise_projections(*given, EPS), flat),
            (lib.cosine_scores, pair),
        ):
            before = [tensor.clone() for tensor in tensors]
            inputs = tuple(tensor.clone().requires_grad_() for tensor in tensors)
            assert torch.autograd.gradcheck(function, inputs)
            function(*tensors)
            assert all(map(torch.equal, tensors, before))


# Errors


@pytest.mark.usefixtures("without_annotations")
def test_refusals_name_both_sizes() -> None:
    query, key, g_q, g_k = by_head()
    with pytest.raises(ValueError, match=r"have 7 entries and g has 28; shapes \(2, 4, 3, 7\)"):
        lib.normalise_heads(query, key, torch.ones(H * D), g_k, EPS)
    with pytest.raises(ValueError, match=r"have 7 entries and g has 6; shapes \(2, 2, 5, 7\)"):
        lib.normalise_heads(query, key, g_q, torch.ones(6), EPS)
    query, key, g_q, g_k = whole()
    with pytest.raises(ValueError, match=r"have 14 entries and g has 7; shapes \(2, 5, 14\)"):
        lib.normalise_projections(query, key, g_q, torch.ones(D), EPS)
    with pytest.raises(ValueError, match=r"have 28 entries and g has 7; shapes \(2, 3, 28\)"):
        lib.normalise_projections(query, key, torch.ones(D), g_k, EPS)
    with pytest.raises(ValueError, match=r"D=7 and the keys D=6; shapes \(3, 7\) and \(5, 6\)"):
        lib.cosine_scores(torch.zeros(3, 7), torch.zeros(5, 6), 1.0)
    with pytest.raises(ValueError, match=r"query has \(2,\) and key \(\)"):
        lib.cosine_scores(torch.zeros(2, 3, 7), torch.zeros(5, 7), 1.0)
