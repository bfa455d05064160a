"""The steps between scores and softmax: equal to their loops, in the right order, clear."""

import math

import pytest
import torch
from allocations import Allocations
from hypothesis import given
from hypothesis import strategies as st
from strategies import B, H, S, T, arrays, mask, normal, seeds, stacked
from torch.testing import assert_close

from course_lib.attention import score_steps as lib
from course_lib.naive.attention import score_steps as naive
from course_lib.softmax import masked_softmax, softmax, softmax_with_sink

DTYPES = (torch.float32, torch.float64)
EXACT = {"rtol": 1e-12, "atol": 1e-14}  # assert_close's 1e-7 cannot tell float32 apart


@pytest.mark.parametrize("dtype", DTYPES)
def test_soft_cap_equals_its_loops(dtype: torch.dtype) -> None:
    scores = 5 * normal(0, B, T, S, dtype=dtype)
    expected = stacked(naive.soft_cap(*arrays(example), 3.0) for example in scores)
    assert_close(lib.soft_cap(scores, 3.0), expected.to(dtype))
    if dtype == torch.float64:
        assert_close(lib.soft_cap(scores, 3.0), expected, **EXACT)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(T, S), (B, 1, S), (B, T, S), (1, S), (B, T, 1)])
def test_mask_scores_equals_its_loops(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    scores, may_attend = normal(0, B, T, S, dtype=dtype), mask(1, *shape)
    allowed = may_attend.expand(B, T, S).numpy()
    expected = stacked(naive.mask_scores(*arrays(scores[b]), allowed[b]) for b in range(B))
    assert torch.equal(lib.mask_scores(scores, may_attend), expected.to(dtype))


# Laws


@given(seed=seeds, cap=st.floats(min_value=0.1, max_value=100.0))
def test_a_cap_bounds_keeps_order_and_is_odd(seed: int, cap: float) -> None:
    scores = 100 * normal(seed, 50)
    capped = lib.soft_cap(scores, cap)
    assert capped.abs().max() <= cap
    assert (capped.abs() <= scores.abs()).all()
    order = scores.argsort()
    assert (capped[order].diff() >= 0).all()
    assert_close(lib.soft_cap(-scores, cap), -capped)


def test_scores_far_below_the_cap_pass() -> None:
    # tanh(x) = x - x³/3: at a hundredth of the cap the relative change is 3.3e-5.
    scores = torch.tensor([0.5, -0.5], dtype=torch.float64)
    assert_close(lib.soft_cap(scores, 50.0), scores, rtol=3.4e-5, atol=0)
    assert (lib.soft_cap(scores, 50.0) != scores).all()


@given(seed=seeds)
def test_masking_then_softmax_is_the_masked_softmax(seed: int) -> None:
    scores, may_attend = normal(seed, B, T, S), mask(seed, T, S)
    expected = masked_softmax(scores, may_attend)
    masked = lib.mask_scores(scores, may_attend)
    assert_close(softmax(masked[:, 1:]), expected[:, 1:])  # the first query reads nothing
    assert_close(softmax_with_sink(masked, -1e4), expected)  # zeros there as well
    assert torch.equal(lib.mask_scores(masked, may_attend), masked)


def test_a_cap_after_the_mask_would_let_blocked_keys_in() -> None:
    scores, blocked = torch.zeros(1, 2), torch.tensor([[True, False]])
    right = softmax(lib.mask_scores(lib.soft_cap(scores, 5.0), blocked))
    wrong = softmax(lib.soft_cap(lib.mask_scores(scores, blocked), 5.0))
    assert right.tolist() == [[1.0, 0.0]]
    assert math.isclose(wrong[0, 1].item(), 1 / (1 + math.exp(5)), rel_tol=1e-6)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, *DTYPES])
def test_extreme_scores_and_dtypes(dtype: torch.dtype) -> None:
    scores = torch.tensor([[1e4, -1e4, 0.0]], dtype=dtype)
    assert lib.soft_cap(scores, 50.0).tolist() == [[50.0, -50.0, 0.0]]
    assert lib.soft_cap(scores, 50.0).dtype == dtype
    masked = lib.mask_scores(scores, torch.tensor([[True, False, True]]))
    assert masked.tolist() == [[scores[0, 0].item(), -math.inf, 0.0]]
    assert masked.dtype == dtype


def test_infinity_and_nan() -> None:
    inf, nan = math.inf, math.nan
    capped = lib.soft_cap(torch.tensor([inf, -inf, nan]), 50.0)
    assert_close(capped, torch.tensor([50.0, -50.0, nan]), equal_nan=True)
    scores, may_attend = torch.tensor([[nan, inf, 1.0]]), torch.tensor([[False, False, True]])
    assert lib.mask_scores(scores, may_attend).tolist() == [[-inf, -inf, 1.0]]


# Gradients, purity, errors


def test_gradients() -> None:
    scores = normal(0, 2, 3).requires_grad_()
    may_attend = mask(1, 2, 3)
    with torch.autograd.set_detect_anomaly(True):
        assert torch.autograd.gradcheck(lambda z: lib.soft_cap(z, 1.5), (scores,))
        assert torch.autograd.gradcheck(
            lambda z: softmax_with_sink(lib.mask_scores(z, may_attend), 0.5), (scores,)
        )


def test_no_input_is_modified() -> None:
    scores, may_attend = normal(0, B, T, S), mask(1, T, S)
    before = scores.clone(), may_attend.clone()
    lib.soft_cap(scores, 1.0)
    lib.mask_scores(scores, may_attend)
    assert torch.equal(scores, before[0])
    assert torch.equal(may_attend, before[1])


@pytest.mark.parametrize("cap", [0.0, -1.0, math.inf, math.nan])
def test_a_cap_must_be_a_bound(cap: float) -> None:
    with pytest.raises(ValueError, match=rf"cap is {cap}; the scores have shape \(2, 3\)"):
        lib.soft_cap(torch.zeros(2, 3), cap)


@pytest.mark.usefixtures("without_annotations")
def test_a_mask_must_fit_the_scores() -> None:
    with pytest.raises(ValueError, match=r"T=3, S=5; shapes \(5, 3\) and \(2, 4, 3, 5\)"):
        lib.mask_scores(torch.zeros(B, H, T, S), torch.ones(5, 3, dtype=torch.bool))


def test_a_small_mask_stays_small() -> None:
    scores, may_attend = torch.zeros(B, H, 20, 30), mask(0, 20, 30)
    for masked in (lib.mask_scores, masked_softmax):
        with Allocations() as made:
            masked(scores, may_attend)
        assert made.largest_mask <= may_attend.numel()
        assert made.largest == scores.numel()
