"""Linformer and the spectrum: equal to their loops, exact with the identity, never causal."""

import pytest
import torch
from allocations import Allocations
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import DV, B, D, H, S, T, arrays, assert_equals_twin, normal, seeds
from torch import Tensor
from torch.testing import assert_close

from course_lib.attention.dot_product import scaled_dot_product_attention
from course_lib.efficient.low_rank import linformer, spectrum
from course_lib.naive.efficient import low_rank as naive

DTYPES = (torch.float32, torch.float64)
K = 2


def parts(seed: int = 0, dtype: torch.dtype = torch.float64) -> tuple[Tensor, ...]:
    return (
        normal(seed, B, H, T, D, dtype=dtype),
        normal(seed + 1, B, H, S, D, dtype=dtype),
        normal(seed + 2, B, H, S, DV, dtype=dtype),
        normal(seed + 3, K, S, dtype=dtype),
        normal(seed + 4, K, S, dtype=dtype),
    )


@pytest.mark.parametrize("dtype", DTYPES)
def test_linformer_equals_its_loops(dtype: torch.dtype) -> None:
    query, key, value, e, f = parts(dtype=dtype)
    output = linformer(query, key, value, e, f)
    for b in range(B):
        expected = naive.linformer(*arrays(query[b, 1], key[b, 1], value[b, 1], e, f))
        assert_equals_twin(output[b, 1], torch.from_numpy(expected), dtype)


@settings(max_examples=25)
@given(seed=seeds, rows=st.integers(1, 6), columns=st.integers(1, 6), r=st.integers(0, 7))
def test_the_spectrum_equals_its_loops(seed: int, rows: int, columns: int, r: int) -> None:
    weights = normal(seed, rows, columns).softmax(-1)
    expected = torch.tensor(naive.spectrum(*arrays(weights), r)).double()
    assert_close(spectrum(weights, r), expected)


# Laws


@settings(max_examples=25)
@given(seed=seeds)
def test_with_the_identity_it_is_attention(seed: int) -> None:
    query, key, value, _, _ = parts(seed)
    identity = torch.eye(S).double()
    expected, _ = scaled_dot_product_attention(query, key, value)
    assert_close(linformer(query, key, value, identity, identity), expected)


@settings(max_examples=25)
@given(seed=seeds)
def test_one_mixture_is_handed_to_every_query(seed: int) -> None:
    query, key, value, e, f = parts(seed)
    expected = (f[:1] @ value).expand(B, H, T, DV)
    assert_close(linformer(query, key, value, e[:1], f[:1]), expected)


def test_every_position_reaches_every_query() -> None:
    query, key, value, e, f = parts()
    value.requires_grad_()
    output = linformer(query, key, value, e, f)
    for t in range(T):
        (gradient,) = torch.autograd.grad(output[:, :, t].sum(), value, retain_graph=True)
        assert (gradient != 0).all()
    spoilt = key.clone()
    spoilt[:, :, S - 1] = torch.nan
    assert linformer(query, spoilt, value, e, f).isnan().all()


@settings(max_examples=25)
@given(seed=seeds, r=st.integers(0, 4))
def test_spectra_grow_to_one_and_know_rank_scale_and_turns(seed: int, r: int) -> None:
    weights = normal(seed, B, S, S)
    assert (spectrum(weights, r) <= spectrum(weights, r + 1)).all()
    assert_close(spectrum(weights, S), torch.ones(B).double())
    assert torch.equal(spectrum(weights, 0), torch.zeros(B).double())
    low = normal(seed, B, S, 2) @ normal(seed + 1, B, 2, S)
    assert_close(spectrum(low, 2), torch.ones(B).double())
    assert_close(spectrum(7 * weights, r), spectrum(weights, r))
    assert_close(spectrum(weights.mT, r), spectrum(weights, r))


def test_spectra_that_are_known() -> None:
    assert spectrum(torch.eye(8), 2) == 0.25  # a previous-token head: nothing is low about its rank
    assert spectrum(torch.full((8, 8), 1 / 8), 1) == pytest.approx(1)
    assert spectrum(torch.zeros(3, 3), 1).isnan()
    for wrong in (torch.nan, torch.inf):
        weights = torch.eye(3).repeat(2, 1, 1)
        weights[0, 1, 1] = wrong
        assert_close(spectrum(weights, 1), torch.tensor([torch.nan, 1 / 3]), equal_nan=True)
    assert spectrum(torch.eye(4).bfloat16(), 1).dtype == torch.bfloat16


# Cost, gradients, refusals


def test_no_scores_of_all_pairs_are_made() -> None:
    query, key, value = (normal(seed, 1, 1, 512, 4) for seed in range(3))
    e = normal(3, 16, 512)
    with Allocations() as made:
        linformer(query, key, value, e, e)
    assert made.largest == 16 * 512


def test_gradients_and_purity() -> None:
    shapes = ((2, 2), (3, 2), (3, 1), (2, 3), (2, 3))
    given_ = [normal(seed, *shape) for seed, shape in enumerate(shapes)]
    tensors = [tensor.clone().requires_grad_() for tensor in given_]
    assert torch.autograd.gradcheck(linformer, tensors)
    assert torch.autograd.gradcheck(lambda weights: spectrum(weights, 1), tensors[1])
    for tensor, copy in zip(tensors, given_, strict=True):
        assert torch.equal(tensor, copy)


@pytest.mark.usefixtures("without_annotations")
def test_refusals_name_the_sizes() -> None:
    query, key, value, e, f = parts()
    wrong = [(e[:1], f, "e is 1 x 5 and f 2 x 5"), (e[:, :4], f[:, :4], "e is 2 x 4 and f 2 x 4"),
             (e[:0], f[:0], "e is 0 x 5 and f 0 x 5")]  # fmt: skip
    for one, other, message in wrong:
        with pytest.raises(ValueError, match=rf"{message}, and there are S=5 keys"):
            linformer(query, key, value, one, other)
    with pytest.raises(ValueError, match=r"e has the axes K S, 2 in number; e has 1"):
        linformer(query, key, value, e[0], f)
    with pytest.raises(ValueError, match=r"key is torch.float64 and f torch.float32"):
        linformer(query, key, value, e, f.float())
    with pytest.raises(ValueError, match=r"queries have D=7 and the keys D=6"):
        linformer(query, key[..., :6], value, e, f)
    with pytest.raises(ValueError, match="r >= 0; r is -1"):
        spectrum(torch.eye(3), -1)
    with pytest.raises(ValueError, match=r"axis -1 has size 0; shape \(3, 0\)"):
        spectrum(torch.ones(3, 0), 1)
    with pytest.raises(ValueError, match=r"weights has the axes \*batch T S"):
        spectrum(torch.ones(3), 1)
