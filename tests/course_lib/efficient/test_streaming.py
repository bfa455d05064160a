"""Sinks and a window: who is kept, who reads whom, and one step whose positions stay bounded."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import DV, B, H, arrays, assert_equals_twin, normal, seeds, stacked
from torch import Tensor
from torch.testing import assert_close

from course_lib.attention.grouped import grouped_query_attention
from course_lib.efficient.streaming import streaming_keep, streaming_mask, streaming_step
from course_lib.masks import causal_mask, window_mask
from course_lib.naive.efficient import streaming as naive
from course_lib.positions.rope import rope

DTYPES = (torch.float32, torch.float64)
D = 8  # RoPE turns pairs
counts, windows = st.integers(0, 14), st.integers(1, 9)


def newest(num_keys: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> tuple[Tensor, ...]:
    return (
        normal(seed, B, H, 1, D, dtype=dtype),
        normal(seed + 1, B, 2, num_keys, D, dtype=dtype),
        normal(seed + 2, B, 2, num_keys, DV, dtype=dtype),
    )


@given(num_keys=counts, num_sinks=st.integers(0, 6), window=windows)
def test_who_is_kept_equals_the_loops(num_keys: int, num_sinks: int, window: int) -> None:
    for found, expected in zip(
        streaming_keep(num_keys, num_sinks, window),
        naive.streaming_keep(num_keys, num_sinks, window),
        strict=True,
    ):
        assert torch.equal(found, torch.from_numpy(expected))


@given(T=st.integers(0, 9), S=counts, num_sinks=st.integers(0, 6), window=windows)
def test_who_reads_whom_equals_the_loops(T: int, S: int, num_sinks: int, window: int) -> None:
    expected = torch.from_numpy(naive.streaming_mask(T, S, num_sinks, window))
    assert torch.equal(streaming_mask(T, S, num_sinks, window), expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("num_keys", "num_sinks", "window"), [(11, 2, 4), (5, 2, 4), (7, 0, 3)])
def test_a_step_equals_its_loops(
    num_keys: int, num_sinks: int, window: int, dtype: torch.dtype
) -> None:
    tensors = newest(num_keys, dtype=dtype)
    expected = stacked(
        naive.streaming_step(*arrays(*(tensor[b] for tensor in tensors)), num_sinks, window, 100.0)
        for b in range(B)
    )
    found = streaming_step(*tensors, num_sinks, window, 100.0)
    assert_equals_twin(found, expected, dtype)


# Laws


@given(num_keys=counts, num_sinks=st.integers(0, 6), window=windows)
def test_the_cache_is_bounded_and_each_token_stands_once(
    num_keys: int, num_sinks: int, window: int
) -> None:
    kept, positions = streaming_keep(num_keys, num_sinks, window)
    assert len(kept) == min(num_keys, num_sinks + window)
    assert kept.unique().tolist() == kept.tolist()
    assert positions.tolist() == list(range(len(kept)))
    mask = streaming_mask(num_keys, num_keys, num_sinks, window)
    if num_keys:
        assert mask[-1].nonzero().squeeze(-1).tolist() == kept.tolist()


@given(T=st.integers(0, 9), S=counts, num_sinks=st.integers(0, 6), window=windows)
def test_without_sinks_a_window_and_with_a_wide_window_causal(
    T: int, S: int, num_sinks: int, window: int
) -> None:
    assert torch.equal(streaming_mask(T, S, 0, window), window_mask(T, S, window))
    assert torch.equal(streaming_mask(T, S, num_sinks, S + window), causal_mask(T, S))
    assert torch.equal(streaming_mask(T, S, S, window), causal_mask(T, S))


@settings(max_examples=30)
@given(seed=seeds, num_keys=st.integers(1, 9), num_sinks=st.integers(0, 4))
def test_while_all_fits_a_step_is_attention_with_rope(
    seed: int, num_keys: int, num_sinks: int
) -> None:
    query, key, value = newest(num_keys, seed)
    turned = rope(key, torch.arange(num_keys), 100.0)
    last = rope(query, torch.tensor([num_keys - 1]), 100.0)
    expected = grouped_query_attention(last, turned, value)
    assert_close(streaming_step(query, key, value, num_sinks, num_keys, 100.0), expected)


@settings(max_examples=30)
@given(seed=seeds, num_keys=st.integers(4, 12))
def test_without_sinks_a_step_is_a_window_at_any_positions(seed: int, num_keys: int) -> None:
    """RoPE knows differences alone, and within the window they are those of the text."""
    query, key, value = newest(num_keys, seed)
    turned = rope(key, torch.arange(num_keys), 100.0)
    last = rope(query, torch.tensor([num_keys - 1]), 100.0)
    expected = grouped_query_attention(last, turned, value, window_mask(1, num_keys, 3))
    assert_close(streaming_step(query, key, value, 0, 3, 100.0), expected)


@settings(max_examples=30)
@given(seed=seeds, more=st.integers(0, 30))
def test_the_length_of_the_text_between_does_not_matter(seed: int, more: int) -> None:
    query, key, value = newest(9, seed)
    between = (normal(seed + 5, B, 2, more, D), normal(seed + 6, B, 2, more, DV))
    longer = [
        torch.cat([part[..., :4, :], new, part[..., 4:, :]], dim=-2)
        for part, new in zip((key, value), between, strict=True)
    ]
    expected = streaming_step(query, key, value, 4, 5, 100.0)
    assert_close(streaming_step(query, *longer, 4, 5, 100.0), expected)


def test_nan_that_is_not_kept_is_not_seen() -> None:
    query, key, value = newest(12)
    clean = streaming_step(query, key, value, 2, 4, 100.0)
    key[..., 2:8, :], value[..., 2:8, :] = torch.nan, torch.inf
    assert torch.equal(streaming_step(query, key, value, 2, 4, 100.0), clean)
    value[..., 1, :] = torch.nan
    assert streaming_step(query, key, value, 2, 4, 100.0).isnan().all()


def test_gradient_and_purity() -> None:
    tensors = [normal(seed, 1, 1, *size).requires_grad_() for seed, size in
               enumerate(((1, 2), (5, 2), (5, 3)))]  # fmt: skip
    before = [tensor.detach().clone() for tensor in tensors]
    assert torch.autograd.gradcheck(lambda *all_: streaming_step(*all_, 1, 2, 10.0), tensors)
    streaming_step(*tensors, 1, 2, 10.0).sum().backward()
    assert torch.equal(tensors[1].grad[..., 1:3, :], torch.zeros(1, 1, 2, 2).double())
    for tensor, copy in zip(tensors, before, strict=True):
        assert torch.equal(tensor, copy)


@pytest.mark.usefixtures("without_annotations")
def test_refusals_name_the_sizes() -> None:
    query, key, value = newest(6)
    for function, sizes in ((streaming_keep, (6,)), (streaming_mask, (2, 6))):
        with pytest.raises(ValueError, match="num_sinks >= 0; num_sinks is -1"):
            function(*sizes, -1, 3)
        with pytest.raises(ValueError, match=r"window >= 1.* window is 0"):
            function(*sizes, 1, 0)
    with pytest.raises(ValueError, match="num_keys >= 0; num_keys is -1"):
        streaming_keep(-1, 2, 3)
    with pytest.raises(ValueError, match="num_keys >= 0; num_keys is -1"):
        streaming_mask(2, -1, 2, 3)
    with pytest.raises(ValueError, match=r"T is 2; shape \(2, 4, 2, 8\)"):
        streaming_step(query.repeat(1, 1, 2, 1), key, value, 1, 3, 10.0)
    with pytest.raises(ValueError, match=r"query has H=3 and key G=2"):
        streaming_step(query[:, :3], key, value, 1, 3, 10.0)
    with pytest.raises(ValueError, match=r"rotary_dim is 7 and base is 10.0"):
        streaming_step(query[..., :7], key[..., :7], value, 1, 3, 10.0)
    with pytest.raises(ValueError, match=r"there are S=0"):
        streaming_step(query, key[..., :0, :], value[..., :0, :], 1, 3, 10.0)
    with pytest.raises(ValueError, match=r"queries have D=6 and the keys D=8"):
        streaming_step(query[..., :6], key, value, 1, 3, 10.0)
