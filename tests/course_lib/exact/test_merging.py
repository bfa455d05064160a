"""Parts that are merged: runs of a cache, shared beginnings, pages, sinks."""

import math
import re
from collections.abc import Callable

import numpy as np
import pytest
import torch
from allocations import Allocations
from hypothesis import given
from hypothesis import strategies as st
from strategies import DV, B, D, arrays, assert_equals_twin, normal, permutation, seeds, stacked
from torch import Tensor
from torch.testing import assert_close

from course_lib.attention.grouped import grouped_mix, grouped_scores
from course_lib.exact import merging as lib
from course_lib.exact import pages, splits
from course_lib.exact.blockwise import blockwise_attention
from course_lib.exact.cascade import cascade_attention
from course_lib.naive.exact import cascade as naive_cascade
from course_lib.naive.exact import merging as naive
from course_lib.naive.exact import pages as naive_pages
from course_lib.naive.exact import splits as naive_splits
from course_lib.softmax import softmax_with_sink

P, H, G, T, S = 5, 6, 3, 4, 11
EXACT = {"rtol": 1e-12, "atol": 1e-13}  # assert_close's 1e-7 cannot tell float32 apart


def results(seed: int, *rows: int) -> tuple[Tensor, Tensor]:
    """P outputs and log-sum-exps; the first row of each matrix has read nothing in any run."""
    outputs, lses = normal(seed, P, *rows, DV), 3 * normal(seed + 1, P, *rows)
    lses[0, ..., 1] = -math.inf
    outputs[0, ..., 1, :] = 0.0
    lses[..., 0], outputs[..., 0, :] = -math.inf, 0.0
    return outputs, lses


def qkv(seed: int) -> tuple[Tensor, Tensor, Tensor]:
    return normal(seed, B, H, T, D), normal(seed + 1, B, G, S, D), normal(seed + 2, B, G, S, DV)


def paged(seed: int, size: int = 3) -> tuple[Tensor, ...]:
    """A store of 9 pages, three sequences of 5, 9 and 0 tokens; two of them share a page."""
    table = torch.tensor([[4, 2, -1], [7, 0, 4], [-1, -1, -1]])
    store = normal(seed, 9, size, G, D), normal(seed + 1, 9, size, G, DV)
    return normal(seed + 2, 3, H, D), *store, table, torch.tensor([5, 9, 0])


# Equal to the twins


def test_merging_equals_its_loops() -> None:
    outputs, lses = results(0, T)
    for merged, expected in zip(
        lib.merge_splits(outputs, lses), naive.merge_splits(*arrays(outputs, lses)), strict=True
    ):
        assert_equals_twin(merged, torch.from_numpy(expected), torch.float64)
    two = (outputs[0], lses[0], outputs[1], lses[1])
    for merged, expected in zip(
        lib.merge_partials(*two), naive.merge_partials(*arrays(*two)), strict=True
    ):
        assert_equals_twin(merged, torch.from_numpy(expected), torch.float64)


def test_merge_sink_equals_its_loops() -> None:
    outputs, lses = results(0, H, T)
    sink = normal(3, H)
    sink[2] = -math.inf
    merged = lib.merge_sink(outputs[:B], lses[:B], sink)
    twins = [naive.merge_sink(*arrays(outputs[b], lses[b], sink)) for b in range(B)]
    for result, expected in zip(merged, zip(*twins, strict=True), strict=True):
        assert_equals_twin(result, stacked(expected), torch.float64)


@pytest.mark.parametrize("runs", [1, 2, 4, 7, 11, 13])
def test_split_kv_equals_its_loops(runs: int) -> None:
    tensors = qkv(0)
    parts = splits.split_kv(*tensors, runs)
    assert parts[0].shape == (runs, B, H, T, DV)
    twins = [naive_splits.split_kv(*arrays(*(x[b] for x in tensors)), runs) for b in range(B)]
    for result, expected in zip(parts, zip(*twins, strict=True), strict=True):
        assert_equals_twin(result, torch.from_numpy(np.stack(expected, 1)), torch.float64)


def test_shared_prefix_attention_equals_its_loops() -> None:
    query, key, value = qkv(0)
    prefix = normal(5, G, 7, D), normal(6, G, 7, DV)
    output = splits.shared_prefix_attention(query, prefix, key, value)
    expected = naive_splits.shared_prefix_attention(
        *arrays(query), tuple(arrays(*prefix)), *arrays(key, value)
    )
    assert_equals_twin(output, torch.from_numpy(expected), torch.float64)


def tree(seed: int, sequences: int = 6) -> tuple[Tensor, list[tuple[Tensor, Tensor]], list[Tensor]]:
    """Queries, three depths of 1, 2 and 6 pieces of 7, 5 and 2 keys, and what follows."""
    levels = [
        (normal(seed + 3 * n, n, G, length, D), normal(seed + 3 * n + 1, n, G, length, DV))
        for n, length in ((1, 7), (2, 5), (sequences, 2))
    ]
    own = [normal(seed + 30 + i, sequences, G, S, size) for i, size in enumerate((D, DV))]
    return normal(seed + 40, sequences, H, T, D), levels, own


@pytest.mark.parametrize("depth", [0, 1, 2, 3])
def test_cascade_attention_equals_its_loops(depth: int) -> None:
    query, levels, own = tree(0)
    output = cascade_attention(query, tuple(levels[:depth]), *own)
    pieces = [tuple(arrays(*level)) for level in levels[:depth]]
    expected = naive_cascade.cascade_attention(*arrays(query), pieces, *arrays(*own))
    assert_equals_twin(output, torch.from_numpy(expected), torch.float64)


@pytest.mark.parametrize("size", [3, 4])
def test_paged_attention_equals_its_loops(size: int) -> None:
    query, keys, values, table, lengths = paged(0, size)
    output = pages.paged_attention(query, keys, values, table, lengths)
    store = arrays(keys, values)
    expected = stacked(
        naive_pages.paged_attention(*arrays(query[b]), *store, table[b].numpy(), length)
        for b, length in enumerate(lengths.tolist())
    )
    assert_equals_twin(output, expected, torch.float64)


# Laws


@given(seed=seeds, runs=st.integers(1, 14))
def test_any_split_merges_into_the_whole(seed: int, runs: int) -> None:
    tensors = [x.requires_grad_() for x in qkv(seed)]
    whole = blockwise_attention(*tensors, False)
    merged = lib.merge_splits(*splits.split_kv(*tensors, runs))
    assert_close(merged, whole)
    gradients = normal(seed + 3, *whole[0].shape), normal(seed + 4, *whole[1].shape)
    actual = torch.autograd.grad(merged, tensors, gradients)
    assert_close(actual, torch.autograd.grad(whole, tensors, gradients))


@given(seed=seeds)
def test_the_order_of_the_runs_and_of_the_merging_changes_nothing(seed: int) -> None:
    outputs, lses = results(seed, T)
    expected = lib.merge_splits(outputs, lses)
    order = permutation(seed, P)
    assert_close(lib.merge_splits(outputs[order], lses[order]), expected)
    one_by_one = outputs[0], lses[0]
    for p in range(1, P):
        one_by_one = lib.merge_partials(*one_by_one, outputs[p], lses[p])
    assert_close(one_by_one, expected)


@given(seed=seeds)
def test_one_run_or_a_run_of_nothing_changes_nothing(seed: int) -> None:
    outputs, lses = results(seed, T)
    assert_close(lib.merge_splits(outputs[:1], lses[:1]), (outputs[0], lses[0]))
    nothing = torch.zeros_like(outputs[0]), torch.full_like(lses[0], -math.inf)
    assert_close(lib.merge_partials(outputs[0], lses[0], *nothing), (outputs[0], lses[0]))
    assert_close(lib.merge_partials(*nothing, outputs[0], lses[0]), (outputs[0], lses[0]))


@given(seed=seeds, shift=st.floats(-1e4, 1e4))
def test_shifting_every_lse_shifts_the_lse_alone(seed: int, shift: float) -> None:
    outputs, lses = results(seed, T)
    output, lse = lib.merge_splits(outputs, lses)
    assert_close(lib.merge_splits(outputs, lses + shift), (output, lse + shift))


@given(seed=seeds)
def test_a_sink_is_one_more_column_of_the_softmax(seed: int) -> None:
    query, key, value = qkv(seed)
    sink = normal(seed + 5, H)
    output, _ = lib.merge_sink(*blockwise_attention(query, key, value, False, None, 4), sink)
    weights = softmax_with_sink(grouped_scores(query, key) / math.sqrt(D), sink)
    assert_close(output, grouped_mix(weights, value))


@given(seed=seeds)
def test_a_sink_of_minus_infinity_is_none_and_a_huge_one_takes_all(seed: int) -> None:
    outputs, lses = results(seed, H, T)
    none = torch.full((H,), -math.inf).double()
    assert_close(lib.merge_sink(outputs, lses, none), (outputs, lses))
    output, lse = lib.merge_sink(outputs, lses, torch.full((H,), 1e4).double())
    assert not output.any()
    assert_close(lse, torch.full_like(lse, 1e4))


@given(seed=seeds)
def test_pages_may_lie_anywhere(seed: int) -> None:
    query, keys, values, table, lengths = paged(seed)
    expected = pages.paged_attention(query, keys, values, table, lengths)
    order = permutation(seed, 9)  # page p moves to the place order[p]
    moved = [torch.empty_like(store).index_copy_(0, order, store) for store in (keys, values)]
    elsewhere = torch.where(table < 0, table, order[table.clamp(min=0)])
    assert_close(pages.paged_attention(query, *moved, elsewhere, lengths), expected)


@pytest.mark.parametrize("unread", [math.nan, math.inf, 1e300])
def test_what_stands_in_no_sequence_has_no_influence(unread: float) -> None:
    query, keys, values, table, lengths = paged(0)
    expected = pages.paged_attention(query, keys, values, table, lengths)
    for store in (keys, values):
        store[[1, 3, 5, 6, 8]] = unread  # pages of nobody
        store[2, 2] = unread  # behind the 5 tokens of the first sequence
    table[0, 2], table[2] = 99, torch.tensor([-7, 55, 3])
    tensors = [x.requires_grad_() for x in (query, keys, values)]
    output = pages.paged_attention(*tensors, table, lengths)
    assert_close(output, expected)
    assert torch.equal(output[2], torch.zeros(H, DV).double())
    gradients = torch.autograd.grad(output.sum(), tensors)
    assert all(gradient.isfinite().all() for gradient in gradients)


def test_pages_are_read_one_at_a_time() -> None:
    store = normal(0, 64, 4, 1, 8), normal(1, 64, 4, 1, 8)
    table, lengths = torch.arange(64)[None], torch.tensor([256])
    with Allocations() as made:
        pages.paged_attention(normal(2, 1, 1, 8), *store, table, lengths)
    assert made.largest <= 64  # the mask of lengths; a page has 32 numbers, the cache 2,048


def test_the_prefix_is_not_copied_for_each_sequence() -> None:
    query, key, value = normal(0, 8, 2, 1, 4), normal(1, 8, 1, 2, 4), normal(2, 8, 1, 2, 4)
    prefix = normal(3, 1, 500, 4), normal(4, 1, 500, 4)
    with Allocations() as made:
        splits.shared_prefix_attention(query, prefix, key, value)
    assert made.largest < 8 * 500 * 4  # eight copies of the prefix's keys


@given(seed=seeds)
def test_the_order_of_the_depths_changes_nothing_and_none_is_causal_attention(seed: int) -> None:
    query, levels, own = tree(seed)
    expected = cascade_attention(query, tuple(levels), *own)
    assert_close(cascade_attention(query, tuple(levels[::-1]), *own), expected)
    alone, _ = blockwise_attention(query, *own, True)
    assert_close(cascade_attention(query, (), *own), alone)


def test_a_piece_reaches_its_own_sequences_alone() -> None:
    query, levels, own = tree(0)
    expected = cascade_attention(query, tuple(levels), *own)
    levels[1][1][1] = math.nan  # the second document, of the sequences 3, 4 and 5
    spoilt = cascade_attention(query, tuple(levels), *own)
    assert torch.equal(spoilt[:3], expected[:3])
    assert spoilt[3:].isnan().all()


def test_no_piece_is_copied_for_its_sequences() -> None:
    query, own = normal(0, 8, 2, 1, 4), [normal(i, 8, 1, 2, 4) for i in (1, 2)]
    levels = tuple((normal(n, n, 1, 500, 4), normal(n + 9, n, 1, 500, 4)) for n in (1, 2))
    with Allocations() as made:
        cascade_attention(query, levels, *own)
    assert made.largest < 8 * 500 * 4  # eight copies of a piece's keys


def test_half_precision_is_merged_in_float32() -> None:
    outputs, lses = torch.ones(300, 2, 1, dtype=torch.bfloat16), torch.zeros(300, 2)
    output, lse = lib.merge_splits(outputs, lses)
    assert (output.dtype, lse.dtype) == (torch.bfloat16, torch.float32)
    assert_close(output, torch.ones(2, 1, dtype=torch.bfloat16), rtol=0, atol=0)
    assert_close(lse, torch.full((2,), math.log(300)))


# Gradients and purity

SMALL = normal(0, 2, 3, 2), normal(1, 2, 3)
CASES: dict[str, tuple[Callable[..., object], tuple[Tensor, ...]]] = {
    "merge_splits": (lib.merge_splits, SMALL),
    "merge_partials": (lib.merge_partials, (SMALL[0][0], SMALL[1][0], SMALL[0][1], SMALL[1][1])),
    "merge_sink": (lib.merge_sink, (SMALL[0][:, None], SMALL[1][:, None], normal(2, 1))),
    "split_kv": (
        lambda q, k, v: splits.split_kv(q, k, v, 2),
        (normal(0, 1, 2, 2, 2), normal(1, 1, 1, 3, 2), normal(2, 1, 1, 3, 1)),
    ),
    "shared_prefix_attention": (
        lambda q, k, v, pk, pv: splits.shared_prefix_attention(q, (pk, pv), k, v),
        (
            normal(0, 2, 2, 2, 2), normal(1, 2, 1, 3, 2), normal(2, 2, 1, 3, 1),
            normal(3, 1, 2, 2), normal(4, 1, 2, 1),
        ),
    ),
    "cascade_attention": (
        lambda q, k, v, *pieces: cascade_attention(q, (pieces[:2], pieces[2:]), k, v),
        (
            normal(0, 2, 2, 2, 2), normal(1, 2, 1, 3, 2), normal(2, 2, 1, 3, 1),
            normal(3, 1, 1, 2, 2), normal(4, 1, 1, 2, 1),
            normal(5, 2, 1, 2, 2), normal(6, 2, 1, 2, 1),
        ),
    ),
    "paged_attention": (
        lambda q, k, v: pages.paged_attention(
            q, k, v, torch.tensor([[1, 0], [1, -1]]), torch.tensor([3, 1])
        ),
        (normal(0, 2, 2, 2), normal(1, 2, 2, 1, 2), normal(2, 2, 2, 1, 1)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_gradient_and_purity(name: str) -> None:
    function, tensors = CASES[name]
    inputs = tuple(x.clone().requires_grad_() for x in tensors)
    with torch.autograd.set_detect_anomaly(True):
        assert torch.autograd.gradcheck(function, inputs)
    assert all(torch.equal(x, y) for x, y in zip(inputs, tensors, strict=True))


def test_gradients_are_finite_where_nothing_was_read() -> None:
    tensors = [x.requires_grad_() for x in results(0, H, T)]
    with torch.autograd.set_detect_anomaly(True):
        output, lse = lib.merge_splits(*tensors)
        (output.sum() + lse[lse > -math.inf].sum()).backward()
        sink = torch.full((H,), -math.inf).double().requires_grad_()
        output, lse = lib.merge_sink(*tensors, sink)
        (output.sum() + lse[lse > -math.inf].sum()).backward()
    for x in (*tensors, sink):
        assert x.grad is not None
        assert x.grad.isfinite().all()


# Errors

ZEROS = torch.zeros(2, 3, 4, 5)
VALUES = normal(1, 1, G, 7, DV)


@pytest.mark.usefixtures("without_annotations")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: lib.merge_splits(ZEROS, torch.zeros(2, 3, 5)),
            "outputs has (2, 3, 4) and lses (2, 3, 5); shapes (2, 3, 4, 5) and (2, 3, 5)",
        ),
        (lambda: lib.merge_splits(ZEROS[:0], ZEROS[:0, ..., 0]), "axis 0 has size 0; shape (0, 3"),
        (lambda: lib.merge_splits(ZEROS.long(), ZEROS[..., 0]), "outputs is torch.int64; shape"),
        (
            lambda: lib.merge_partials(
                ZEROS[0], ZEROS[0, ..., 0], ZEROS[0, 1:], ZEROS[0, 1:, :, 0]
            ),
            "output_1 has (3, 4, 5) and output_2 (2, 4, 5), lse_1 has (3, 4) and lse_2 (2, 4)",
        ),
        (
            lambda: lib.merge_sink(ZEROS, ZEROS[..., 0], torch.zeros(2)),
            "H=3 and T=4; shapes (2, 3, 4, 5), (2, 3, 4) and (2,)",
        ),
        (lambda: splits.split_kv(*qkv(0), 0), "so splits >= 1; splits is 0"),
        (
            lambda: splits.shared_prefix_attention(
                qkv(0)[0], (normal(0, 2, 7, D), normal(0, 3, 7, DV)), *qkv(0)[1:]
            ),
            "they have 2 and 7, key has 3 and 7; shapes (2, 7, 7) and (2, 3, 11, 7)",
        ),
        (
            lambda: cascade_attention(qkv(0)[0], ((normal(0, 1, 2, 7, D), VALUES),), *qkv(0)[1:]),
            "those of level 0 have 2 and 7, key has 3 and 7; shapes (1, 2, 7, 7) and (2, 3, 11, 7)",
        ),
        (
            lambda: cascade_attention(
                qkv(0)[0], ((normal(0, 3, G, 7, D), normal(1, 3, G, 7, DV)),), *qkv(0)[1:]
            ),
            "N divides B; level 0 has 3 and 3 pieces and B is 2; shapes (3, 3, 7, 7)",
        ),
        (
            lambda: cascade_attention(qkv(0)[0], ((normal(0, 2, G, 7, D), VALUES),), *qkv(0)[1:]),
            "level 0 has 2 and 1 pieces and B is 2; shapes (2, 3, 7, 7), (1, 3, 7, 6)",
        ),
        (
            lambda: cascade_attention(qkv(0)[0], ((normal(0, 1, G, 5, D), VALUES),), *qkv(0)[1:]),
            "the keys have S=5 and the values S=7; shapes (1, 3, 5, 7) and (1, 3, 7, 6)",
        ),
    ],
)
def test_refusals_name_both_sizes(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        call()


@pytest.mark.usefixtures("without_annotations")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"lengths": torch.tensor([5, 10, 0])},
            "in 3 pages of 3 slots; lengths has 10; its shape is (3,)",
        ),
        ({"lengths": torch.tensor([5, -1, 0])}, "lengths has -1"),
        (
            {"lengths": torch.tensor([7, 9, 0])},
            "of 9 physical pages; sequence 0 has the length 7 and needs its page 2, which is -1",
        ),
        (
            {"table": torch.tensor([[4, 9, 1], [7, 0, 4], [1, 1, 1]])},
            "sequence 0 has the length 5 and needs its page 1, which is 9 in the table",
        ),
        ({"lengths": torch.tensor([5, 9])}, "there are 3 queries, 3 rows and 2 lengths"),
        ({"query": normal(0, 3, 4, D)}, "query has H=4 and D=7, key_pages G=3 and D=7"),
        ({"query": normal(0, 3, H, 5)}, "query has H=6 and D=5, key_pages G=3 and D=7"),
        ({"value_pages": normal(0, 9, 4, G, DV)}, "key_pages has (9, 3, 3) and value_pages (9, 4"),
        ({"lengths": torch.tensor([5.0, 9.0, 0.0])}, "lengths is torch.float32; shape (3,)"),
    ],
)
def test_pages_that_do_not_fit_are_refused(change: dict[str, Tensor], message: str) -> None:
    names = ("query", "key_pages", "value_pages", "table", "lengths")
    with pytest.raises(ValueError, match=re.escape(message)):
        pages.paged_attention(**(dict(zip(names, paged(0), strict=True)) | change))
