"""A sliding window: equal to its loops and to the mask, in T W steps, clear when refused."""

import pytest
import torch
from allocations import Allocations
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import DV, B, D, arrays, assert_equals_twin, normal, seeds, stacked
from torch import Tensor
from torch.testing import assert_close

from course_lib.attention.grouped import grouped_query_attention
from course_lib.efficient import sliding as lib
from course_lib.efficient.sliding import sliding_attention
from course_lib.masks import causal_mask, window_mask
from course_lib.naive.efficient import sliding as naive

DTYPES = (torch.float32, torch.float64)
#: T queries, S keys, W: whole sequences, the last positions, one token, queries before any key.
SIZES = [(37, 37, 3), (37, 37, 16), (37, 37, 17), (5, 41, 4), (20, 41, 18), (1, 9, 4), (40, 21, 5)]


def qkv(T: int, S: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> tuple[Tensor, ...]:
    return (
        normal(seed, B, 6, T, D, dtype=dtype),
        normal(seed + 1, B, 2, S, D, dtype=dtype),
        normal(seed + 2, B, 2, S, DV, dtype=dtype),
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("T", "S", "window"), SIZES)
def test_it_equals_its_loops(T: int, S: int, window: int, dtype: torch.dtype) -> None:
    tensors = qkv(T, S, dtype=dtype)
    expected = stacked(
        naive.sliding_attention(*arrays(*(tensor[b] for tensor in tensors)), window)
        for b in range(B)
    )
    assert_equals_twin(sliding_attention(*tensors, window), expected, dtype)


# Laws


@settings(max_examples=30)
@given(seed=seeds, T=st.integers(0, 40), S=st.integers(1, 40), window=st.integers(1, 45))
def test_it_is_attention_with_a_window_mask(seed: int, T: int, S: int, window: int) -> None:
    tensors = qkv(T, S, seed)
    expected = grouped_query_attention(*tensors, window_mask(T, S, window))
    assert_close(sliding_attention(*tensors, window), expected)


@settings(max_examples=30)
@given(seed=seeds, T=st.integers(1, 50), beyond=st.integers(0, 9))
def test_a_window_of_all_is_causal_attention(seed: int, T: int, beyond: int) -> None:
    tensors = qkv(T, T, seed)
    expected = grouped_query_attention(*tensors, causal_mask(T))
    assert_close(sliding_attention(*tensors, T + beyond), expected)


def test_a_window_of_one_hands_over_its_own_value() -> None:
    query, key, value = qkv(19, 19)
    assert_close(sliding_attention(query, key, value, 1), value.repeat_interleave(3, dim=1))


@settings(max_examples=30)
@given(seed=seeds, cut=st.integers(1, 29), window=st.integers(1, 12))
def test_the_last_queries_alone_get_what_they_get_among_all(
    seed: int, cut: int, window: int
) -> None:
    query, key, value = qkv(30, 30, seed)
    whole = sliding_attention(query, key, value, window)
    assert_close(sliding_attention(query[..., cut:, :], key, value, window), whole[..., cut:, :])


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_what_is_spoilt_reaches_the_blocks_that_read_it_alone(wrong: float) -> None:
    query, key, value = qkv(96, 96)
    clean = sliding_attention(query, key, value, 16)
    for part in (key, value):
        kept = part[:, :, 40].clone()
        part[:, :, 40] = wrong  # of the block 32-47; its reach ends with query 55, in block 48-63
        spoilt = sliding_attention(query, key, value, 16)
        assert not spoilt[..., 40:56, :].isfinite().any()
        assert torch.equal(spoilt[..., :32, :], clean[..., :32, :])
        assert torch.equal(spoilt[..., 64:, :], clean[..., 64:, :])
        part[:, :, 40] = kept


# Cost


@pytest.mark.parametrize(("T", "window"), [(64, 2), (256, 8), (1024, 32), (1024, 100)])
def test_the_largest_tensor_has_blocks_and_no_matrix(T: int, window: int) -> None:
    tensors = [normal(seed, 1, 1, T, 4) for seed in range(3)]
    with Allocations() as made:
        sliding_attention(*tensors, window)
    block = max(window, lib._BLOCK)
    assert made.largest <= max(block * (block + window), 4 * T)
    assert made.largest <= T * T // 4
    with Allocations() as dense:  # what the measurement would show
        grouped_query_attention(*tensors, window_mask(T, T, window))
    assert dense.largest == T * T


def test_the_pairs_compared_grow_with_the_length_alone() -> None:
    counted: list[int] = []
    for T in (256, 512, 1024):
        pairs = 0
        original = lib._read

        def counting(query: Tensor, key: Tensor, value: Tensor, may_attend: Tensor) -> Tensor:
            nonlocal pairs
            pairs += query.shape[-2] * key.shape[-2]
            return original(query, key, value, may_attend)  # noqa: B023

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(lib, "_read", counting)
            sliding_attention(*qkv(T, T), 16)
        counted.append(pairs)
        assert pairs <= 2 * 16 * T
    assert counted[1] - counted[0] == 256 * 32
    assert counted[2] - counted[1] == 512 * 32


# Gradients, purity, dtypes, refusals


def test_gradient_and_purity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lib, "_BLOCK", 2)
    tensors = [normal(seed, 1, 1, 5, 1).requires_grad_() for seed in range(3)]
    before = [tensor.detach().clone() for tensor in tensors]
    with torch.autograd.set_detect_anomaly(True):
        assert torch.autograd.gradcheck(lambda *all_: sliding_attention(*all_, 2), tensors)
        before_any_key = [tensors[0], *(tensor[..., :2, :] for tensor in tensors[1:])]
        assert torch.autograd.gradcheck(lambda *all_: sliding_attention(*all_, 1), before_any_key)
    for tensor, copy in zip(tensors, before, strict=True):
        assert torch.equal(tensor, copy)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_stays_what_it_is(dtype: torch.dtype) -> None:
    low = qkv(37, 37, dtype=dtype)
    output = sliding_attention(*low, 5)
    assert output.dtype == dtype
    exact = sliding_attention(*(tensor.double() for tensor in low), 5)
    # The kernel keeps float32 inside, and rounds what it returns.
    assert_close(output.double(), exact, rtol=torch.finfo(dtype).eps, atol=1e-4)


@pytest.mark.usefixtures("without_annotations")
def test_refusals_name_the_sizes() -> None:
    query, key, value = qkv(4, 9)
    for window in (0, -1):
        with pytest.raises(ValueError, match=f"window >= 1; window is {window}"):
            sliding_attention(query, key, value, window)
    with pytest.raises(ValueError, match=r"query has H=5 and key G=2; shapes \(2, 5, 4, 7\)"):
        sliding_attention(query[:, :5], key, value, 3)
    with pytest.raises(ValueError, match=r"key has \(2, 2, 9\) and value \(2, 2, 8\)"):
        sliding_attention(query, key, value[..., :8, :], 3)
    with pytest.raises(ValueError, match=r"queries have D=7 and the keys D=6"):
        sliding_attention(query, key[..., :6], value, 3)
    with pytest.raises(ValueError, match=r"there are S=0; shapes \(2, 2, 0, 7\)"):
        sliding_attention(query, key[..., :0, :], value[..., :0, :], 3)
    with pytest.raises(ValueError, match=r"and key torch.float32; shapes"):
        sliding_attention(query, key.float(), value, 3)
