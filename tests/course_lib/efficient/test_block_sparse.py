"""Blocks of queries with the keys that they read: equal to the mask, and no other score is made."""

import pytest
import torch
from allocations import Allocations
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import (
    DV,
    B,
    D,
    arrays,
    assert_equals_twin,
    mask,
    normal,
    permutation,
    seeds,
    stacked,
)
from torch import Tensor
from torch.testing import assert_close

from course_lib.attention.grouped import grouped_query_attention
from course_lib.efficient.block_sparse import block_sparse_attention, permuted_block_attention
from course_lib.efficient.sparse_masks import PATTERNS, blockwise_mask, random_mask
from course_lib.naive.efficient import block_sparse as naive

DTYPES = (torch.float32, torch.float64)
T, S = 8, 11


def qkv(
    T: int,
    S: int,
    seed: int = 0,
    dtype: torch.dtype = torch.float64,
    heads: tuple[int, int] = (6, 2),
) -> tuple[Tensor, ...]:
    return (
        normal(seed, B, heads[0], T, D, dtype=dtype),
        normal(seed + 1, B, heads[1], S, D, dtype=dtype),
        normal(seed + 2, B, heads[1], S, DV, dtype=dtype),
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("block", [1, 3, 4, 8, 20])
def test_attention_under_a_mask_equals_its_loops(block: int, dtype: torch.dtype) -> None:
    tensors, may_attend = qkv(T, S, dtype=dtype), mask(3, T, S)
    may_attend[3:6] = False  # a whole block with nothing to read
    expected = stacked(
        naive.block_sparse_attention(
            *arrays(*(tensor[b] for tensor in tensors)), may_attend.numpy(), block
        )
        for b in range(B)
    )
    assert_equals_twin(block_sparse_attention(*tensors, may_attend, block), expected, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("size", "block"), [(8, 2), (8, 3), (7, 3), (7, 7), (7, 9), (5, 1)])
def test_permuted_blocks_equal_their_loops(size: int, block: int, dtype: torch.dtype) -> None:
    tensors, order = qkv(size, size, dtype=dtype), permutation(4, -(-size // block))
    expected = stacked(
        naive.permuted_block_attention(
            *arrays(*(tensor[b] for tensor in tensors)), order.numpy(), block
        )
        for b in range(B)
    )
    assert_equals_twin(permuted_block_attention(*tensors, order, block), expected, dtype)


# Laws


@settings(max_examples=30)
@given(seed=seeds, T=st.integers(0, 12), S=st.integers(1, 12), block=st.integers(1, 14))
def test_the_block_changes_nothing(seed: int, T: int, S: int, block: int) -> None:
    tensors = qkv(T, S, seed)
    may_attend = torch.rand(T, S, generator=torch.Generator().manual_seed(seed)) < 0.3
    expected = grouped_query_attention(*tensors, may_attend)
    assert_close(block_sparse_attention(*tensors, may_attend, block), expected)


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("size", [12, 13])
def test_patterns_computed_in_blocks_are_the_patterns(pattern: str, size: int) -> None:
    tensors, may_attend = qkv(size, size), PATTERNS[pattern](size, 4)
    expected = grouped_query_attention(*tensors, may_attend)
    assert_close(block_sparse_attention(*tensors, may_attend, 4), expected)


@settings(max_examples=30)
@given(seed=seeds, size=st.integers(1, 14), block=st.integers(1, 6))
def test_shifted_blocks_are_the_blockwise_mask(seed: int, size: int, block: int) -> None:
    tensors = qkv(size, size, seed)
    order = (torch.arange(-(-size // block)) + 1) % -(-size // block)
    expected = grouped_query_attention(*tensors, blockwise_mask(size, block))
    assert_close(permuted_block_attention(*tensors, order, block), expected)


@settings(max_examples=30)
@given(seed=seeds, size=st.integers(1, 9), beyond=st.integers(0, 3))
def test_one_block_is_attention_to_all(seed: int, size: int, beyond: int) -> None:
    tensors = qkv(size, size, seed)
    expected = grouped_query_attention(*tensors)
    only = torch.zeros(1, dtype=torch.int64)
    assert_close(permuted_block_attention(*tensors, only, size + beyond), expected)


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_what_is_not_read_has_no_influence(wrong: float) -> None:
    query, key, value = qkv(T, S)
    may_attend = mask(1, T, S)
    may_attend[:, 4] = False
    may_attend[4:, 2] = False
    clean = block_sparse_attention(query, key, value, may_attend, 4)
    key[:, :, 4], value[:, :, 4] = wrong, wrong
    assert torch.equal(block_sparse_attention(query, key, value, may_attend, 4), clean)
    value[:, :, 2] = wrong  # read in the first block of queries alone
    assert torch.equal(
        block_sparse_attention(query, key, value, may_attend, 4)[..., 4:, :], clean[..., 4:, :]
    )


# Cost


def test_no_score_is_made_for_what_no_query_of_a_block_reads() -> None:
    size, block = 512, 16
    tensors = [normal(seed, 1, 1, size, 4) for seed in range(3)]
    random = random_mask(size, block, 3, torch.Generator().manual_seed(0))
    with Allocations() as made:
        block_sparse_attention(*tensors, random, block)
    assert made.largest == 4 * size  # the output; the scores are 16 x 48
    with Allocations() as made:
        permuted_block_attention(*tensors, torch.arange(32).flip(0), block)
    assert made.largest == 4 * size
    first_reads_all = PATTERNS["global"](size, block)
    with Allocations() as made:
        block_sparse_attention(*tensors, first_reads_all, block)
    assert made.largest == block * size  # the first block reads all
    with Allocations() as dense:
        grouped_query_attention(*tensors, random)
    assert dense.largest == size * size


# Gradients, purity, refusals


def test_gradients_and_purity() -> None:
    tensors = [normal(seed, 1, 1, 3, 1).requires_grad_() for seed in range(3)]
    before = [tensor.detach().clone() for tensor in tensors]
    may_attend, order = mask(0, 3, 3), torch.tensor([1, 0])
    with torch.autograd.set_detect_anomaly(True):
        assert torch.autograd.gradcheck(
            lambda *all_: block_sparse_attention(*all_, may_attend, 2), tensors
        )
        assert torch.autograd.gradcheck(
            lambda *all_: permuted_block_attention(*all_, order, 2), tensors
        )
    for tensor, copy in zip(tensors, before, strict=True):
        assert torch.equal(tensor, copy)
    assert torch.equal(may_attend, mask(0, 3, 3))


@pytest.mark.usefixtures("without_annotations")
def test_refusals_name_the_sizes() -> None:
    tensors, may_attend = qkv(T, T), mask(0, T, T)
    for call in (
        lambda block: block_sparse_attention(*tensors, may_attend, block),
        lambda block: permuted_block_attention(*tensors, torch.arange(4), block),
    ):
        with pytest.raises(ValueError, match="block >= 1; block is 0"):
            call(0)
    with pytest.raises(ValueError, match=r"T=8, S=8; shapes \(8, 7\) and \(8, 8\)"):
        block_sparse_attention(*tensors, may_attend[:, :7], 2)
    with pytest.raises(ValueError, match=r"axes T S, 2 in number; may_attend has 4"):
        block_sparse_attention(*tensors, may_attend[None, None], 2)
    with pytest.raises(TypeError, match=r"it is torch\.int64"):
        block_sparse_attention(*tensors, may_attend.long(), 2)
    message = "there are 4 blocks of 2 positions and order is"
    for wrong in ([0, 1, 2], [0, 1, 2, 2], [1, 2, 3, 4], [0, 1, 2, 3, 4], [-1, 0, 1, 2]):
        with pytest.raises(ValueError, match=message):
            permuted_block_attention(*tensors, torch.tensor(wrong), 2)
    with pytest.raises(ValueError, match="order counts, so it holds integers"):
        permuted_block_attention(*tensors, torch.arange(4.0), 2)
    with pytest.raises(ValueError, match=r"query has T=8 and key S=11"):
        permuted_block_attention(*qkv(8, 11), torch.arange(4), 2)
    with pytest.raises(ValueError, match=r"query has H=6 and key G=4"):
        permuted_block_attention(*qkv(T, T, heads=(6, 4)), torch.arange(4), 2)
    with pytest.raises(ValueError, match=r"key has \(2, 2, 8\) and value \(2, 2, 7\)"):
        block_sparse_attention(tensors[0], tensors[1], tensors[2][..., :7, :], may_attend, 2)
    with pytest.raises(ValueError, match=r"queries have D=7 and the keys D=6"):
        block_sparse_attention(tensors[0], tensors[1][..., :6], tensors[2], may_attend, 2)
