"""Blockwise attention: equal to its loops, to the plain form and its gradients, in less memory."""

import math
import re

import pytest
import torch
from allocations import Allocations
from hypothesis import given
from hypothesis import strategies as st
from strategies import DV, B, D, arrays, assert_equals_twin, normal, seeds, stacked
from torch import Tensor
from torch.testing import assert_close

from course_lib.attention.grouped import grouped_query_attention, grouped_scores
from course_lib.exact import blockwise as lib
from course_lib.exact import blockwise_forward as forward
from course_lib.exact.blockwise_backward import blockwise_backward
from course_lib.exact.reach import Reach
from course_lib.masks import causal_mask, window_mask
from course_lib.naive.exact import blockwise as naive
from course_lib.naive.exact import blockwise_forward as naive_forward
from course_lib.softmax import logsumexp

DTYPES = (torch.float32, torch.float64)
HEADS = [(4, 4), (4, 2), (6, 3), (4, 1)]
#: T, S, causal, window: more keys, more queries, as many; windows shorter and longer than all.
READINGS = [
    (7, 13, False, None),
    (13, 7, False, None),
    (7, 13, True, None),
    (13, 7, True, None),  # the first 6 queries have nothing to read
    (11, 11, True, None),
    (11, 11, True, 4),
    (7, 13, True, 1),
    (13, 7, True, 3),
    (11, 11, True, 99),
    (1, 13, True, 5),
]


def qkv(
    heads: tuple[int, int], T: int, S: int, seed: int = 0, dtype: torch.dtype = torch.float64
) -> tuple[Tensor, Tensor, Tensor]:
    return (
        normal(seed, B, heads[0], T, D, dtype=dtype),
        normal(seed + 1, B, heads[1], S, D, dtype=dtype),
        normal(seed + 2, B, heads[1], S, DV, dtype=dtype),
    )


def readable(T: int, S: int, causal: bool, window: int | None) -> Tensor:
    if not causal:
        return torch.ones(T, S).bool()
    return causal_mask(T, S) if window is None else window_mask(T, S, window)


def plain(query: Tensor, key: Tensor, value: Tensor, may_attend: Tensor) -> tuple[Tensor, Tensor]:
    """The form that holds all scores, and its log-sum-exp."""
    scores = grouped_scores(query, key) / math.sqrt(query.shape[-1])
    lse = logsumexp(scores.masked_fill(~may_attend, -torch.inf))
    return grouped_query_attention(query, key, value, may_attend), lse


# Equal to the twin


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("reading", READINGS)
def test_blockwise_attention_equals_its_loops(
    reading: tuple[int, int, bool, int | None], dtype: torch.dtype
) -> None:
    T, S, causal, window = reading
    tensors = qkv((4, 2), T, S, dtype=dtype)
    results = lib.blockwise_attention(*tensors, causal, window, 3)
    twins = [
        naive.blockwise_attention(*arrays(*(x[b] for x in tensors)), causal, window)
        for b in range(B)
    ]
    for result, expected in zip(results, zip(*twins, strict=True), strict=True):
        assert_equals_twin(result, stacked(expected), dtype)


@pytest.mark.parametrize("blocks", [(1, 1), (2, 3), (5, 4), (99, 99)])
@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("sizes", [(7, 13), (13, 7), (1, 5)])
def test_flash_forward_equals_its_loops(
    sizes: tuple[int, int], causal: bool, blocks: tuple[int, int]
) -> None:
    tensors = qkv((6, 3), *sizes)
    results = forward.flash_forward(*tensors, *blocks, causal)
    twins = [
        naive_forward.flash_forward(*arrays(*(x[b] for x in tensors)), *blocks, causal)
        for b in range(B)
    ]
    for result, expected in zip(results, zip(*twins, strict=True), strict=True):
        assert_equals_twin(result, stacked(expected), torch.float64)


# The ladder: at its limits it is what stands already


@pytest.mark.parametrize("heads", HEADS)
@pytest.mark.parametrize("reading", READINGS)
def test_it_is_grouped_attention_with_the_same_gradients(
    reading: tuple[int, int, bool, int | None], heads: tuple[int, int]
) -> None:
    T, S, causal, window = reading
    may_attend = readable(*reading)
    tensors = [x.requires_grad_() for x in qkv(heads, T, S)]
    expected = plain(*tensors, may_attend)
    results = lib.blockwise_attention(*tensors, causal, window, 4)
    assert_close(results, expected)
    gradients = [normal(7, *results[0].shape), normal(8, *results[1].shape)]
    gradients[1][..., ~may_attend.any(-1)] = 0.0  # minus infinity has no gradient
    actual = torch.autograd.grad(results, tensors, gradients)
    assert_close(actual, torch.autograd.grad(expected, tensors, gradients))


@given(seed=seeds, block=st.integers(1, 12), other=st.integers(1, 12))
def test_the_block_changes_nothing(seed: int, block: int, other: int) -> None:
    tensors = [x.requires_grad_() for x in qkv((4, 2), 9, 11, seed)]
    results = [lib.blockwise_attention(*tensors, True, 5, size) for size in (block, other)]
    assert_close(*results)
    gradients = [torch.autograd.grad(output.sum() + lse.sum(), tensors) for output, lse in results]
    assert_close(*gradients)


@given(seed=seeds)
def test_a_window_of_all_keys_is_none_and_one_of_one_reads_itself(seed: int) -> None:
    tensors = qkv((4, 2), 6, 9, seed)
    expected = lib.blockwise_attention(*tensors, True)
    assert_close(lib.blockwise_attention(*tensors, True, 9), expected)
    alone, lse = lib.blockwise_attention(*tensors, True, 1)
    assert_close(alone, tensors[2][:, :, 3:].repeat_interleave(2, dim=1))
    own_key = tensors[1][:, :, 3:].repeat_interleave(2, dim=1)
    assert_close(lse, (tensors[0] * own_key).sum(-1) / math.sqrt(D))


@given(seed=seeds)
def test_as_many_groups_as_heads_are_heads_alone(seed: int) -> None:
    query, key, value = qkv((4, 4), 6, 9, seed)
    together, _ = lib.blockwise_attention(query, key, value, True, None, 4)
    for h in range(4):
        one = (x[:, h : h + 1] for x in (query, key, value))
        assert_close(lib.blockwise_attention(*one, True, None, 4)[0], together[:, h : h + 1])


# Laws


@given(seed=seeds, shift=st.floats(-1e3, 1e3))
def test_shifting_all_scores_shifts_the_lse_alone(seed: int, shift: float) -> None:
    query, key, value = qkv((4, 2), 6, 9, seed)
    # One more entry, 1 in each query and √(D + 1) times the shift in each key.
    factor = math.sqrt((D + 1) / D)
    queries = torch.cat([query * factor, torch.ones_like(query[..., :1])], -1)
    keys = torch.cat([key, torch.full_like(key[..., :1], shift * math.sqrt(D + 1))], -1)
    output, lse = lib.blockwise_attention(query, key, value, False, None, 4)
    shifted, moved = lib.blockwise_attention(queries, keys, value, False, None, 4)
    assert_close((shifted, moved), (output, lse + shift), rtol=1e-7, atol=1e-9)  # of a sum of 1e3


@given(seed=seeds)
def test_permuting_keys_and_values_together_changes_nothing(seed: int) -> None:
    query, key, value = qkv((4, 2), 6, 9, seed)
    order = torch.randperm(9, generator=torch.Generator().manual_seed(seed))
    expected = lib.blockwise_attention(query, key, value, False, None, 4)
    permuted = lib.blockwise_attention(query, key[:, :, order], value[:, :, order], False, None, 4)
    assert_close(permuted, expected)


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_what_no_query_reads_has_no_influence(wrong: float) -> None:
    tensors = qkv((4, 2), 3, 11)
    expected = lib.blockwise_attention(*tensors, True, 4, 2)
    for x in tensors[1:]:
        x[:, :, :5] = wrong  # the window of the first query begins at key 5
    spoilt = [x.requires_grad_() for x in tensors]
    results = lib.blockwise_attention(*spoilt, True, 4, 2)
    assert_close(results, expected)
    gradients = torch.autograd.grad(results[0].sum() + results[1].sum(), spoilt)
    assert all(gradient.isfinite().all() for gradient in gradients)
    assert not gradients[1][:, :, :5].any()


def test_nan_that_is_read_is_seen_and_not_before() -> None:
    query, key, value = qkv((4, 2), 9, 9)
    key[0, 1, 6] = math.nan
    output, lse = lib.blockwise_attention(query, key, value, True, None, 3)
    assert output[0, 2:, 6:].isnan().all()
    assert lse[0, 2:, 6:].isnan().all()
    assert output[0, :2].isfinite().all()
    assert output[0, :, :6].isfinite().all()
    assert output[1].isfinite().all()


def test_nothing_to_read_gives_zeros_and_finite_gradients() -> None:
    tensors = [x.requires_grad_() for x in qkv((4, 2), 9, 4)]
    with torch.autograd.set_detect_anomaly(True):
        output, lse = lib.blockwise_attention(*tensors, True, None, 2)
        output.backward(normal(7, *output.shape), retain_graph=True)
    # A gradient that arrives at minus infinity is often NaN itself.
    lse.backward(torch.full_like(lse, math.nan).masked_fill(lse > -math.inf, 0.5))
    assert torch.equal(output[:, :, :5], torch.zeros(B, 4, 5, DV).double())
    assert torch.equal(lse[:, :, :5], torch.full((B, 4, 5), -math.inf).double())
    assert all(x.grad is not None and x.grad.isfinite().all() for x in tensors)
    assert not tensors[0].grad[:, :, :5].any()


@pytest.mark.parametrize("dtype", DTYPES)
def test_huge_scores_choose_one_key(dtype: torch.dtype) -> None:
    key = torch.eye(5, D, dtype=dtype).expand(B, 2, 5, D)
    query, value = 1e4 * key[:, :1, :3].expand(B, 4, 3, D), normal(2, B, 2, 5, DV, dtype=dtype)
    output, lse = lib.blockwise_attention(query, key, value, False, None, 2)
    assert_close(output, value[:, :, :3].repeat_interleave(2, dim=1))
    assert_close(lse, torch.full_like(lse, 1e4 / math.sqrt(D)))


# Precision


@pytest.mark.parametrize(("dtype", "unit"), [(torch.bfloat16, 2.0**-8), (torch.float16, 2.0**-11)])
def test_half_precision_is_rounded_once(dtype: torch.dtype, unit: float) -> None:
    tensors = [x.requires_grad_() for x in qkv((4, 2), 9, 200, dtype=dtype)]
    output, lse = lib.blockwise_attention(*tensors, True, None, 16)
    assert (output.dtype, lse.dtype) == (dtype, torch.float32)
    exact = [x.detach().double().requires_grad_() for x in tensors]
    expected, expected_lse = lib.blockwise_attention(*exact, True, None, 16)
    assert_close(output.double(), expected, rtol=unit, atol=1e-6)
    assert_close(lse.double(), expected_lse, rtol=1e-6, atol=1e-6)  # float32 throughout
    # δ comes from the rounded output: its error is one more rounding of the largest term.
    gradient = normal(7, *output.shape, dtype=dtype)
    for low, high in zip(
        torch.autograd.grad(output, tensors, gradient),
        torch.autograd.grad(expected, exact, gradient.double()),
        strict=True,
    ):
        assert low.dtype == dtype
        assert (low.double() - high).abs().max() < 2 * unit * high.abs().max()


def test_large_scores_do_not_overflow_in_float16() -> None:
    key = torch.full((1, 1, 2, 1), 300.0, dtype=torch.float16)  # 90,000 is no float16
    value = torch.tensor([1.0, 3.0], dtype=torch.float16)[None, None, :, None]
    output, lse = lib.blockwise_attention(key, key, value, False)
    assert_close(output, torch.full_like(output, 2.0))
    assert_close(lse, torch.full_like(lse, 90_000 + math.log(2)))


def test_autocast_does_not_round_the_products() -> None:
    tensors = [x.requires_grad_() for x in qkv((4, 2), 6, 9, dtype=torch.float32)]
    expected = lib.blockwise_attention(*tensors, True, None, 4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        results = lib.blockwise_attention(*tensors, True, None, 4)
        gradients = torch.autograd.grad(results[0].sum(), tensors)
    assert_close(results, expected)
    assert_close(gradients, torch.autograd.grad(expected[0].sum(), tensors))


# Gradients, memory, purity


@pytest.mark.parametrize("reading", [(3, 4, True, None), (4, 3, True, 2), (2, 3, False, None)])
def test_gradient(reading: tuple[int, int, bool, int | None]) -> None:
    T, S, causal, window = reading
    inputs = [
        x.requires_grad_()
        for x in (normal(0, 1, 2, T, 2), normal(1, 1, 1, S, 2), normal(2, 1, 1, S, 1))
    ]

    def function(*tensors: Tensor) -> tuple[Tensor, Tensor]:
        output, lse = lib.blockwise_attention(*tensors, causal, window, 2)
        return output, torch.where(lse > -math.inf, lse, 0.0)

    assert torch.autograd.gradcheck(function, inputs)


def test_a_gradient_of_the_gradient_is_refused() -> None:
    tensors = [x.requires_grad_() for x in qkv((2, 1), 3, 3)]
    output, _ = lib.blockwise_attention(*tensors, True)
    with pytest.raises(ValueError, match=r"with create_graph=True; grouped_query_attention"):
        torch.autograd.grad(output.sum(), tensors, create_graph=True)


def test_strides_that_are_not_contiguous_will_do() -> None:
    by_position = [x.transpose(1, 2).contiguous().requires_grad_() for x in qkv((4, 2), 6, 9)]
    strided = [x.transpose(1, 2) for x in by_position]
    output, lse = lib.blockwise_attention(*strided, True, None, 4)
    expected = lib.blockwise_attention(*(x.contiguous() for x in strided), True, None, 4)
    assert_close((output, lse), expected)
    # A sum hands back one number for all entries, of stride 0.
    actual = torch.autograd.grad(output.sum() + lse.sum(), by_position)
    assert_close(actual, torch.autograd.grad(expected[0].sum() + expected[1].sum(), by_position))


@pytest.mark.parametrize("window", [None, 40])
def test_no_tensor_is_larger_than_a_tile_or_an_argument(window: int | None) -> None:
    tensors = [normal(seed, 1, 1, 256, 4).requires_grad_() for seed in range(3)]
    with Allocations() as made:
        output, _ = lib.blockwise_attention(*tensors, True, window, 32)
        output.sum().backward()
    assert made.largest == 32 * 32  # a tile and an argument have as many entries
    assert made.largest_mask <= 32 * 32
    with Allocations() as dense:  # what the measurement would show
        grouped_query_attention(*tensors, causal_mask(256))
    assert dense.largest == 256 * 256


def test_tiles_that_nobody_reads_are_left_out() -> None:
    reach = Reach(num_queries=100, num_keys=100, causal=True, window=7)
    cpu = torch.device("cpu")
    tiles = [list(reach.tiles(first, first + 10, 10, cpu)) for first in range(0, 100, 10)]
    assert sum(stop - start for row in tiles for start, stop, _ in row) == 10 + 9 * 16
    causal = Reach(num_queries=100, num_keys=100, causal=True)
    masks = [hidden for _, _, hidden in causal.tiles(90, 100, 10, cpu)]
    assert [hidden is None for hidden in masks] == [True] * 9 + [False]
    for one in (reach, causal):
        seen = torch.zeros(100, 100).bool()
        for first in range(0, 100, 30):
            stop = min(first + 30, 100)
            for start, behind, hidden in one.tiles(first, stop, 7, cpu):
                seen[first:stop, start:behind] = True if hidden is None else ~hidden
        assert torch.equal(seen, readable(100, 100, True, one.window))


def test_no_input_is_modified() -> None:
    tensors = [x.requires_grad_() for x in qkv((4, 2), 6, 9)]
    before = [x.detach().clone() for x in tensors]
    output, lse = lib.blockwise_attention(*tensors, True, 4, 4)
    kept = output.clone(), lse.clone()
    (output.sum() + lse.sum()).backward()
    assert all(torch.equal(x, copy) for x, copy in zip(tensors, before, strict=True))
    assert_close((output, lse), kept, rtol=0, atol=0)


def test_the_way_back_takes_the_lse_of_more_keys() -> None:
    # The keys lie in two halves; each half's gradients need what both together gave.
    query, key, value = qkv((4, 2), 6, 10)
    whole = lib.blockwise_attention(query, key, value, False)
    gradient = normal(7, *whole[0].shape), normal(8, *whole[1].shape)
    reach = Reach(num_queries=6, num_keys=10, causal=False)
    expected = blockwise_backward((query, key, value), whole, gradient, reach, 4, 4)
    half = Reach(num_queries=6, num_keys=5, causal=False)
    parts = [
        blockwise_backward((query, key[:, :, s], value[:, :, s]), whole, gradient, half, 4, 4)
        for s in (slice(5), slice(5, 10))
    ]
    assert_close(parts[0][0] + parts[1][0], expected[0])
    for i in (1, 2):
        assert_close(torch.cat([part[i] for part in parts], 2), expected[i])


# Errors


@pytest.mark.usefixtures("without_annotations")
@pytest.mark.parametrize(
    ("shapes", "options", "message"),
    [
        (
            [(2, 6, 3, 7), (2, 4, 5, 7), (2, 4, 5, 6)],
            {},
            "query has H=6 and key G=4; shapes (2, 6, 3, 7) and (2, 4, 5, 7)",
        ),
        ([(2, 6, 3, 7), (2, 3, 5, 6), (2, 3, 5, 6)], {}, "queries have D=7 and the keys D=6"),
        (
            [(2, 6, 3, 7), (2, 3, 5, 7), (2, 3, 4, 6)],
            {},
            "key has (2, 3, 5) and value (2, 3, 4); shapes (2, 3, 5, 7) and (2, 3, 4, 6)",
        ),
        ([(2, 6, 3, 7), (2, 3, 0, 7), (2, 3, 0, 6)], {}, "there are S=0; shapes (2, 3, 0, 7)"),
        ([(6, 3, 7), (3, 5, 7), (3, 5, 6)], {}, "query has the axes B H T _, 4 in number; query"),
        (
            [(2, 6, 3, 7), (2, 3, 5, 7), (2, 3, 5, 6)],
            {"block": 0},
            "so block_q >= 1; block_q is 0; block_q = 0, block_k = 0",
        ),
        (
            [(2, 6, 3, 7), (2, 3, 5, 7), (2, 3, 5, 6)],
            {"window": 0},
            "so window >= 1; window is 0",
        ),
        (
            [(2, 6, 3, 7), (2, 3, 5, 7), (2, 3, 5, 6)],
            {"window": 2, "causal": False},
            "window is 2 and causal is False, for num_queries = 3 and num_keys = 5",
        ),
    ],
)
def test_refusals_name_both_sizes(
    shapes: list[tuple[int, ...]], options: dict[str, int], message: str
) -> None:
    call = {"causal": True} | options
    with pytest.raises(ValueError, match=re.escape(message)):
        lib.blockwise_attention(*(torch.zeros(shape) for shape in shapes), **call)
