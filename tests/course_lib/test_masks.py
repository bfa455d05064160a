"""Masks: equal to their loops, lawful, aligned at the bottom right, clear when refused."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import H, S, T, mask, normal, seeds, sizes, stacked
from torch.testing import assert_close

from course_lib import masks as lib
from course_lib.naive import masks as naive
from course_lib.softmax import masked_softmax

SHAPES = [(T, S), (S, T), (T, T), (1, S), (T, 1), (0, S), (T, 0)]


@pytest.mark.parametrize("shape", SHAPES)
def test_distances_equal_their_loops(shape: tuple[int, int]) -> None:
    assert_close(lib.distances(*shape), torch.from_numpy(naive.distances(*shape)))


@pytest.mark.parametrize("shape", SHAPES)
def test_causal_mask_equals_its_loops(shape: tuple[int, int]) -> None:
    assert_close(lib.causal_mask(*shape), torch.from_numpy(naive.causal_mask(*shape)))


def test_causal_mask_without_keys_is_square() -> None:
    assert_close(lib.causal_mask(T), torch.from_numpy(naive.causal_mask(T)))
    assert_close(lib.causal_mask(T), torch.ones(T, T, dtype=torch.bool).tril())


@pytest.mark.parametrize("window", [1, 2, 4, 9])
@pytest.mark.parametrize("shape", SHAPES)
def test_window_mask_equals_its_loops(shape: tuple[int, int], window: int) -> None:
    expected = torch.from_numpy(naive.window_mask(*shape, window))
    assert_close(lib.window_mask(*shape, window), expected)


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
def test_padding_mask_equals_its_loops(dtype: torch.dtype) -> None:
    lengths = torch.tensor([3, 0, S, 1], dtype=dtype)
    expected = stacked(naive.padding_mask(length, S) for length in lengths.tolist())
    assert_close(lib.padding_mask(lengths, S), expected)


def test_combine_equals_its_loops() -> None:
    three = [mask(seed, T, S) for seed in range(3)]
    expected = torch.from_numpy(naive.combine(*(entry.numpy() for entry in three)))
    assert_close(lib.combine(*three), expected)
    assert_close(lib.combine(three[0]), torch.from_numpy(naive.combine(three[0].numpy())))


@given(queries=sizes, more=st.integers(0, 5))
def test_the_last_queries_of_a_sequence_read_what_they_read_in_it(queries: int, more: int) -> None:
    keys = queries + more
    for rows, whole in (
        (lib.causal_mask(queries, keys), lib.causal_mask(keys)),
        (lib.window_mask(queries, keys, 3), lib.window_mask(keys, keys, 3)),
    ):
        assert torch.equal(rows, whole[more:])


@given(queries=sizes, more=st.integers(0, 5), window=sizes)
def test_a_window_counts_the_query_itself(queries: int, more: int, window: int) -> None:
    keys = queries + more
    read = lib.window_mask(queries, keys, window).sum(-1)
    positions = torch.arange(more, keys)
    assert torch.equal(read, (positions + 1).clamp(max=window))
    causal = lib.causal_mask(queries, keys)
    assert torch.equal(lib.window_mask(queries, keys, keys), causal)
    narrow = lib.window_mask(queries, keys, window)
    assert torch.equal(lib.combine(narrow, causal), narrow)


@given(seed=seeds)
def test_combining_is_commutative_and_allows_what_all_allow(seed: int) -> None:
    one, other = mask(seed, T, S), mask(seed + 1, T, S)
    both = lib.combine(one, other)
    assert torch.equal(both, lib.combine(other, one))
    assert torch.equal(both, lib.combine(both, one))
    assert torch.equal(both, ~(~one | ~other))


def test_masks_broadcast_to_scores_with_and_without_heads() -> None:
    padding = lib.padding_mask(torch.tensor([0, S]), S)
    may_attend = lib.combine(lib.causal_mask(T, S), padding)
    assert may_attend.shape == (2, T, S)
    assert_close(may_attend[0], torch.zeros(T, S, dtype=torch.bool))
    assert_close(may_attend[1], lib.causal_mask(T, S))
    weights = masked_softmax(normal(0, 2, H, T, S), may_attend[:, None])
    assert_close(weights[0], torch.zeros(H, T, S, dtype=torch.float64))
    assert_close(weights[1].sum(-1), torch.ones(H, T, dtype=torch.float64))
    assert_close(masked_softmax(normal(0, 2, T, S), padding)[0], torch.zeros(T, S).double())


def test_results_are_new_tensors() -> None:
    one = mask(0, T, S)
    before = one.clone()
    lib.combine(one).fill_(False)
    assert torch.equal(one, before)


def test_device_is_the_inputs_or_the_one_asked_for() -> None:
    assert lib.distances(T, S, device="meta").device.type == "meta"
    assert lib.causal_mask(T, device="meta").device.type == "meta"
    assert lib.window_mask(T, S, 2, device="meta").device.type == "meta"
    assert lib.combine(lib.causal_mask(T, device="meta")).device.type == "meta"


def test_sizes_are_not_negative() -> None:
    message = "num_queries >= 0; num_queries is -1, with num_queries = -1 and num_keys = 4"
    with pytest.raises(ValueError, match=message):
        lib.distances(-1, 4)
    with pytest.raises(ValueError, match="num_queries >= 0; num_queries is -1"):
        lib.causal_mask(-1)
    with pytest.raises(ValueError, match="num_keys >= 0; num_keys is -2"):
        lib.causal_mask(3, -2)
    with pytest.raises(ValueError, match="num_keys >= 0; num_keys is -2"):
        lib.window_mask(3, -2, 1)
    with pytest.raises(ValueError, match="num_keys >= 0; num_keys is -2"):
        lib.padding_mask(torch.tensor([0]), -2)


@pytest.mark.parametrize("window", [0, -1])
def test_a_window_holds_the_query(window: int) -> None:
    message = rf"window is {window}, for num_queries = 3 and num_keys = 5"
    with pytest.raises(ValueError, match=message):
        lib.window_mask(3, 5, window)


@pytest.mark.parametrize("wrong", [6, -1])
def test_a_length_lies_within_the_keys(wrong: int) -> None:
    message = rf"num_keys = 5 positions; lengths has {wrong}; its shape is \(3,\)"
    with pytest.raises(ValueError, match=message):
        lib.padding_mask(torch.tensor([5, wrong, 0]), 5)


def test_masks_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one mask; 0 came"):
        lib.combine()
    message = r"2 masks came; shapes \(3, 5\), \(3, 4\)"
    with pytest.raises(ValueError, match=message):
        lib.combine(mask(0, 3, 5), mask(0, 3, 4))
