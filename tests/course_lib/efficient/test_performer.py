"""Random features: equal to their loops, right on the average, finite where exponents are large."""

import pytest
import torch
from hypothesis import given, settings
from strategies import DV, B, D, S, T, arrays, assert_equals_twin, normal, seeds, stacked
from torch import Tensor
from torch.testing import assert_close

from course_lib.efficient.kernel_attention import kernel_attention
from course_lib.efficient.performer import (
    orthogonal_projections,
    performer_attention,
    performer_features,
)
from course_lib.naive.efficient import performer as naive

DTYPES = (torch.float32, torch.float64)
M = 9


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def qkv(T: int, S: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> tuple[Tensor, ...]:
    return (
        normal(seed, B, T, D, dtype=dtype),
        normal(seed + 1, B, S, D, dtype=dtype),
        normal(seed + 2, B, S, DV, dtype=dtype),
    )


@pytest.mark.parametrize("dtype", DTYPES)
def test_features_and_attention_equal_their_loops(dtype: torch.dtype) -> None:
    w = normal(3, M, D, dtype=dtype)
    tensors = qkv(T, S, dtype=dtype)
    expected = stacked(naive.performer_features(*arrays(tensors[0][b], w)) for b in range(B))
    assert_equals_twin(performer_features(tensors[0], w), expected, dtype)
    for causal, parts in ((False, tensors), (True, qkv(S, S, dtype=dtype))):
        expected = stacked(
            naive.performer_attention(*arrays(*(part[b] for part in parts), w), causal)
            for b in range(B)
        )
        assert_equals_twin(performer_attention(*parts, w, causal), expected, dtype)


# Laws


@settings(max_examples=25)
@given(seed=seeds)
def test_attention_is_that_of_the_features(seed: int) -> None:
    query, key, value = qkv(T, S, seed)
    w = normal(seed + 3, M, D)
    features = performer_features(query, w), performer_features(key, w)
    assert (features[0] > 0).all()
    expected = kernel_attention(*features, value)
    assert_close(performer_attention(query, key, value, w, causal=False), expected)


def estimates(query: Tensor, key: Tensor, w: Tensor) -> Tensor:
    """The kernel that each D rows of w estimate, one matrix per group."""
    features = [performer_features(x, w).unflatten(-1, (-1, D)) for x in (query, key)]
    return torch.einsum("tnm,snm->nts", *features) * len(w) / D  # M is that of a group here


def drawn(groups: int) -> tuple[Tensor, Tensor]:
    rows = torch.randn(groups * D, D, generator=generator(0), dtype=torch.float64)
    return rows, orthogonal_projections(groups * D, D, generator(1))


def test_the_mean_over_draws_is_the_exponential() -> None:
    query, key = 0.5 * normal(0, T, D), 0.5 * normal(1, S, D)
    exact = (query @ key.mT / D**0.5).exp()
    for w in drawn(8000):
        found = estimates(query, key, w)
        error = found.std(0) / len(found) ** 0.5
        assert ((found.mean(0) - exact).abs() < 4.5 * error).all()
        assert (error / exact < 0.01).all()  # so the first assertion says something


def test_orthogonal_rows_vary_less() -> None:
    query, key = 0.3 * normal(0, T, D), 0.3 * normal(1, S, D)
    exact = (query @ key.mT / D**0.5).exp()
    plain, orthogonal = ((estimates(query, key, w) - exact).square().mean() for w in drawn(8000))
    assert orthogonal < 0.95 * plain  # measured .904, with a standard error of .012


@pytest.mark.parametrize(("rows", "size"), [(3, 7), (7, 7), (17, 7), (2, 1)])
def test_projections_are_orthogonal_in_groups_and_long_as_normal_rows(rows: int, size: int) -> None:
    w = orthogonal_projections(rows, size, generator(0))
    assert w.shape == (rows, size)
    for group in w.split(size):
        products = group @ group.mT
        assert_close(products, torch.diag(products.diagonal()), rtol=0, atol=1e-12)
    assert torch.equal(w, orthogonal_projections(rows, size, generator(0)))
    assert not torch.equal(w, orthogonal_projections(rows, size, generator(1)))


def test_each_entry_of_a_projection_is_standard_normal() -> None:
    groups = drawn(3000)[1].unflatten(0, (3000, D))
    assert (groups.mean(0).abs() < 4.5 / 3000**0.5).all()
    assert (groups.var(0) - 1).abs().max() < 0.15  # 4.5 standard errors of (2 / 3000)^½ are .116
    fourth = (groups**4).mean()  # 3 for normal numbers; a fixed length √D would give 2.33
    assert abs(fourth - 3) < 0.1


@pytest.mark.parametrize("causal", [True, False])
def test_large_vectors_overflow_in_features_and_not_in_attention(causal: bool) -> None:
    _, key, value = (40 * part for part in qkv(S, S, dtype=torch.float32))
    w = 8 * normal(3, M, D, dtype=torch.float32)
    assert (performer_features(D**0.25 * w, w) == torch.inf).any()
    # An exponent is rounded where its two parts still stand beside each other, and an error there
    # is a relative one of its weight.
    y = key / D**0.25
    largest = ((y @ w.mT).abs() + y.square().sum(-1, keepdim=True) / 2).max()
    rounding = 2 * largest.item() * torch.finfo(torch.float32).eps
    assert rounding < 0.01
    same = key[:, :1].expand_as(key)
    found = performer_attention(same, same, value, w, causal)
    counts = torch.arange(1, S + 1)[:, None]
    means = value.cumsum(1) / counts if causal else value.mean(1, keepdim=True).expand_as(value)
    # All keys are alike.
    assert_close(found, means, rtol=0, atol=rounding * value.abs().max().item())
    # No feature is large for both: what is left of the weights is below the smallest number.
    assert performer_attention(-same, same, value, w, causal).isnan().any()


def test_gradients_and_purity() -> None:
    shapes = ((3, 2), (3, 2), (3, 1), (4, 2))
    given_ = [normal(seed, *shape) for seed, shape in enumerate(shapes)]
    tensors = [tensor.clone().requires_grad_() for tensor in given_]
    for causal in (True, False):
        assert torch.autograd.gradcheck(
            lambda *all_: performer_attention(*all_, causal),  # noqa: B023
            tensors,
        )
    assert torch.autograd.gradcheck(performer_features, (tensors[0], tensors[3]))
    for tensor, copy in zip(tensors, given_, strict=True):
        assert torch.equal(tensor, copy)


@pytest.mark.usefixtures("without_annotations")
def test_refusals_name_the_sizes() -> None:
    query, key, value = qkv(T, S)
    w = normal(3, M, D)
    with pytest.raises(ValueError, match=r"w has 9 rows of D=6 and x D=7; shapes \(9, 6\)"):
        performer_features(query, w[:, :6])
    with pytest.raises(ValueError, match=r"w has 0 rows of D=7 and x D=7"):
        performer_features(query, w[:0])
    with pytest.raises(ValueError, match=r"x is torch.float64 and w torch.float32"):
        performer_attention(query, key, value, w.float(), causal=False)
    with pytest.raises(ValueError, match=r"T is 3 and S is 5"):
        performer_attention(query, key, value, w, causal=True)
    with pytest.raises(ValueError, match=r"keys have S=5 and the values S=4"):
        performer_attention(query, key, value[:, :4], w, causal=False)
    with pytest.raises(ValueError, match=r"num_features >= 1; num_features is 0"):
        orthogonal_projections(0, 3, generator(0))
    with pytest.raises(ValueError, match=r"head_dim >= 1; head_dim is 0"):
        orthogonal_projections(2, 0, generator(0))
