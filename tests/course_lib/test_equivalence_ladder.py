"""The ladder: at its limit each function of another cost is the exact one, gradients included.

A rung is a limit: a window of all, one block, as many groups as heads, one expert, no sink, no
mixing, one bucket, one run. A ring of one rank and experts on one rank are rungs too; they need a
process, and stand in `exact/test_ring.py` and `experts/test_parallel.py`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from hypothesis import given, settings
from strategies import normal, seeds
from torch import Tensor
from torch.testing import assert_close

from course_lib.attention.dot_product import scaled_dot_product_attention
from course_lib.attention.grouped import grouped_query_attention, grouped_scores
from course_lib.efficient import block_sparse, kernel_attention, learnt_index, sparse_masks
from course_lib.efficient.chunked_feed_forward import chunked_feed_forward
from course_lib.efficient.delta_rule import (
    delta_rule,
    gated_delta_rule,
    gated_delta_rule_in_chunks,
)
from course_lib.efficient.linear_attention import linear_attention
from course_lib.efficient.low_rank import linformer
from course_lib.efficient.lsh import lsh_attention, multi_round_lsh_attention
from course_lib.efficient.sliding import sliding_attention
from course_lib.efficient.streaming import streaming_mask, streaming_step
from course_lib.exact.blockwise import blockwise_attention
from course_lib.exact.feed_forward import blockwise_feed_forward
from course_lib.exact.fused import attend_then_feed
from course_lib.exact.merging import merge_partials, merge_sink, merge_splits
from course_lib.exact.pages import paged_attention
from course_lib.exact.splits import shared_prefix_attention, split_kv
from course_lib.experts import expert_choice, mixture
from course_lib.experts.router import grouped_sigmoid_router, sigmoid_router, topk_router
from course_lib.layers.activations import relu, silu
from course_lib.layers.feed_forward import feed_forward, swiglu
from course_lib.masks import causal_mask, window_mask
from course_lib.positions.rope import rope

B, H, G, T, S, D, DV, C, F = 2, 4, 2, 7, 9, 6, 5, 3, 4
Form = Callable[..., Tensor | tuple[Tensor, ...]]
SHARED = (B, H, T, D), (B, G, S, D), (B, G, S, DV)
SQUARE = (B, H, T, D), (B, G, T, D), (B, G, T, DV)
ALONE = (B, H, T, D), (B, H, T, D), (B, H, T, DV)
LONGER = (B, H, T, D), (B, H, S, D), (B, H, S, DV)


@dataclass(frozen=True, kw_only=True)
class Rung:
    """Two forms that are one function.

    Attributes:
        at_the_limit: the form of another cost, at its limit.
        exact: what it then is.
        shapes: the tensors that both take.
    """

    at_the_limit: Form
    exact: Form
    shapes: tuple[tuple[int, ...], ...]


def causal(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    may_attend = causal_mask(query.shape[-2], key.shape[-2])
    return grouped_query_attention(query, key, value, may_attend)


def by_heads(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Each head with its own keys, by the form that knows no groups."""
    return scaled_dot_product_attention(query, key, value, causal_mask(*scores_of(query, key)))[0]


def scores_of(query: Tensor, key: Tensor) -> tuple[int, int]:
    return query.shape[-2], key.shape[-2]


def with_lse(query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    scores = grouped_scores(query, key) / math.sqrt(D)
    hidden = ~causal_mask(*scores_of(query, key))
    lse = scores.masked_fill(hidden, -math.inf).logsumexp(-1)
    return causal(query, key, value), lse


def shared_queries(qk: Tensor, value: Tensor) -> Tensor:
    """Causal attention whose keys are the queries' directions; the first reads itself."""
    may_attend = causal_mask(T) & ~torch.eye(T).bool()
    may_attend[0, 0] = True
    key = qk / qk.norm(dim=-1, keepdim=True)
    return scaled_dot_product_attention(qk, key, value, may_attend)[0]


def in_one_bucket(qk: Tensor, value: Tensor) -> Tensor:
    return lsh_attention(qk, value, torch.zeros(B, H, T).long(), T, True)[0]


def in_one_round(qk: Tensor, value: Tensor) -> Tensor:
    return multi_round_lsh_attention(qk, value, torch.zeros(1, B, H, T).long(), T, True)


def newest(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """The last query with RoPE at the positions of the text."""
    last = rope(query[:, :, -1:], torch.tensor([S - 1]), 10.0)
    return grouped_query_attention(last, rope(key, torch.arange(S), 10.0), value)


def pages_of_all(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Each sequence's whole cache is one page."""
    stores = (x.transpose(1, 2) for x in (key, value))
    table = torch.arange(B)[:, None]
    return paged_attention(query[:, :, -1], *stores, table, torch.full((B,), S))


ONE = torch.zeros(B, T, 1).long(), torch.ones(B, T, 1).double()
EYE = torch.eye(S).double()
GATES = normal(20, B, H, T).sigmoid(), normal(21, B, H, T).sigmoid()
NOBODY = torch.full((H,), -math.inf).double()

LADDER = {
    "window of all: sliding": Rung(
        at_the_limit=lambda *qkv: sliding_attention(*qkv, S), exact=causal, shapes=SHARED
    ),
    "window of all: blockwise": Rung(
        at_the_limit=lambda *qkv: blockwise_attention(*qkv, True, S, 4),
        exact=with_lse, shapes=SHARED,
    ),
    "window of all: streaming": Rung(
        at_the_limit=lambda q, k, v: streaming_step(q[:, :, -1:], k, v, 2, S, 10.0),
        exact=newest, shapes=SHARED,
    ),
    "as many sinks as keys: streaming": Rung(
        at_the_limit=lambda q, k, v: streaming_step(q[:, :, -1:], k, v, S, 1, 10.0),
        exact=newest, shapes=SHARED,
    ),
    "as many chosen as keys: a learnt index": Rung(
        at_the_limit=lambda *qkv: learnt_index.top_k_attention(*qkv, normal(9, B, T, S), S),
        exact=causal, shapes=SHARED,
    ),
    "one block: blockwise": Rung(
        at_the_limit=lambda *qkv: blockwise_attention(*qkv, True, None, S),
        exact=with_lse, shapes=SHARED,
    ),
    "one block: under a mask": Rung(
        at_the_limit=lambda *qkv: block_sparse.block_sparse_attention(*qkv, causal_mask(T, S), T),
        exact=causal, shapes=SHARED,
    ),
    "one block: block to block": Rung(
        at_the_limit=lambda *qkv: block_sparse.permuted_block_attention(
            *qkv, torch.zeros(1).long(), T
        ),
        exact=grouped_query_attention, shapes=SQUARE,
    ),
    "one chunk: kernel attention": Rung(
        at_the_limit=lambda q, k, v: kernel_attention.causal_kernel_attention(
            q.exp(), k.exp(), v, T
        ),
        exact=lambda q, k, v: kernel_attention.kernel_attention_by_scores(
            q.exp(), k.exp(), v, causal_mask(T)
        ),
        shapes=ALONE,
    ),
    "one chunk: linear attention": Rung(
        at_the_limit=lambda *qkv: linear_attention(*qkv, True),
        exact=lambda q, k, v: kernel_attention.kernel_attention_by_scores(
            kernel_attention.elu_features(q), kernel_attention.elu_features(k), v, causal_mask(T)
        ),
        shapes=ALONE,
    ),
    "one chunk: the gated delta rule": Rung(
        at_the_limit=lambda *parts: gated_delta_rule_in_chunks(*parts, *GATES),
        exact=lambda *parts: gated_delta_rule(*parts, *GATES), shapes=ALONE,
    ),
    "nothing is forgotten: the gated delta rule": Rung(
        at_the_limit=lambda *parts: gated_delta_rule_in_chunks(
            *parts, torch.ones(B, H, T).double(), GATES[1]
        ),
        exact=lambda *parts: delta_rule(*parts, GATES[1]), shapes=ALONE,
    ),
    "one chunk: feed-forward": Rung(
        at_the_limit=lambda x: chunked_feed_forward(x, torch.tanh, T),
        exact=torch.tanh, shapes=((B, T, C),),
    ),
    "one block: feed-forward": Rung(
        at_the_limit=lambda *parts: blockwise_feed_forward(*parts, T),
        exact=lambda x, w_in, w_out: feed_forward(x, w_in, None, w_out, None, relu),
        shapes=((B, T, C), (C, F), (F, C)),
    ),
    "one block: a whole layer": Rung(
        at_the_limit=lambda *qkv: attend_then_feed(*qkv, True, torch.tanh, T),
        exact=lambda *qkv: causal(*qkv).transpose(1, 2).flatten(2).tanh(), shapes=SHARED,
    ),
    "one run: a split cache": Rung(
        at_the_limit=lambda *qkv: merge_splits(*split_kv(*qkv, 1))[0],
        exact=grouped_query_attention, shapes=SHARED,
    ),
    "as many runs as keys: a split cache": Rung(
        at_the_limit=lambda *qkv: merge_splits(*split_kv(*qkv, S))[0],
        exact=grouped_query_attention, shapes=SHARED,
    ),
    "nothing beside it: merging": Rung(
        at_the_limit=lambda o, lse: merge_partials(
            o, lse, torch.zeros_like(o), torch.full_like(lse, -math.inf)
        ),
        exact=lambda o, lse: (o, lse), shapes=((B, T, DV), (B, T)),
    ),
    "one page": Rung(
        at_the_limit=pages_of_all,
        exact=lambda q, k, v: grouped_query_attention(q[:, :, -1:], k, v).squeeze(2),
        shapes=SHARED,
    ),
    "one sequence: a shared prefix": Rung(
        at_the_limit=lambda q, k, v: shared_prefix_attention(
            q[:1], (k[0, :, :2], v[0, :, :2]), k[:1, :, 2:], v[:1, :, 2:]
        ),
        exact=lambda q, k, v: causal(q[:1], k[:1], v[:1]), shapes=SHARED,
    ),
    "no sink": Rung(
        at_the_limit=lambda o, lse: merge_sink(o, lse, NOBODY),
        exact=lambda o, lse: (o, lse), shapes=((B, H, T, DV), (B, H, T)),
    ),
    "nothing is mixed: Linformer": Rung(
        at_the_limit=lambda *qkv: linformer(*qkv, EYE, EYE),
        exact=lambda *qkv: scaled_dot_product_attention(*qkv)[0], shapes=LONGER,
    ),
    "one bucket, one chunk: Reformer": Rung(
        at_the_limit=in_one_bucket, exact=shared_queries, shapes=((B, H, T, D), (B, H, T, DV))
    ),
    "one bucket, one round: Reformer": Rung(
        at_the_limit=in_one_round, exact=shared_queries, shapes=((B, H, T, D), (B, H, T, DV))
    ),
    "one expert": Rung(
        at_the_limit=lambda x, *w: mixture.moe_forward(x, *ONE, *(part[None] for part in w)),
        exact=lambda x, w_in, w_out: feed_forward(x, w_in, None, w_out, None, silu),
        shapes=((B, T, C), (C, F), (F, C)),
    ),
    "one expert, gated": Rung(
        at_the_limit=lambda x, *w: mixture.gated_moe_forward(x, *ONE, *(part[None] for part in w)),
        exact=swiglu, shapes=((B, T, C), (C, F), (C, F), (F, C)),
    ),
    "one expert, shared": Rung(
        at_the_limit=lambda x, *w: mixture.shared_experts(x, *(part[None] for part in w)),
        exact=swiglu, shapes=((B, T, C), (C, F), (C, F), (F, C)),
    ),
    "one expert that chooses all": Rung(
        at_the_limit=lambda x, gate, *w: expert_choice.expert_choice_forward(
            x, *expert_choice.expert_choice(x, gate, T), *(part[None] for part in w)
        ),
        exact=lambda x, gate, *w: feed_forward(x, w[0], None, w[1], None, silu) + 0 * gate.sum(),
        shapes=((T, C), (C, 1), (C, F), (F, C)),
    ),
    "all groups are kept: routing": Rung(
        at_the_limit=lambda x, gate, bias: grouped_sigmoid_router(x, gate, 2, bias, 3, 3)[1],
        exact=lambda x, gate, bias: sigmoid_router(x, gate, 2, bias)[1] + 0 * bias.sum(),
        shapes=((B, T, C), (C, 6), (6,)),
    ),
    "all experts are chosen: routing": Rung(
        at_the_limit=lambda x, gate: topk_router(x, gate, 4)[1],
        exact=lambda x, gate: (x @ gate).softmax(-1).sort(-1, descending=True).values,
        shapes=((B, T, C), (C, 4)),
    ),
}  # fmt: skip
#: Forms that share keys among heads: with as many groups as heads no head shares.
GROUPED = {
    "blockwise": lambda *qkv: blockwise_attention(*qkv, True, None, 4)[0],
    "sliding": lambda *qkv: sliding_attention(*qkv, S),
    "under a mask": lambda *qkv: block_sparse.block_sparse_attention(*qkv, causal_mask(T, S), 3),
    "a learnt index": lambda *qkv: learnt_index.top_k_attention(*qkv, normal(9, B, T, S), S),
    "grouped": causal,
}


def assert_one_function(rung: Rung, seed: int) -> None:
    found = []
    for form in (rung.at_the_limit, rung.exact):
        leaves = [normal(seed + i, *shape).requires_grad_() for i, shape in enumerate(rung.shapes)]
        results = form(*leaves)
        results = results if isinstance(results, tuple) else (results,)
        arriving = [normal(seed + 9 + i, *x.shape) for i, x in enumerate(results)]
        gradients = torch.autograd.grad(results, leaves, arriving, materialize_grads=True)
        found.append((results, gradients))
    assert_close(*found, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("name", LADDER)
@settings(max_examples=5)
@given(seed=seeds)
def test_a_rung_is_the_exact_function_with_its_gradients(name: str, seed: int) -> None:
    assert_one_function(LADDER[name], seed)


@pytest.mark.parametrize("name", GROUPED)
@settings(max_examples=5)
@given(seed=seeds)
def test_as_many_groups_as_heads_is_a_head_alone(name: str, seed: int) -> None:
    assert_one_function(Rung(at_the_limit=GROUPED[name], exact=by_heads, shapes=LONGER), seed)


@settings(max_examples=10)
@given(seed=seeds)
def test_a_sink_that_sinks_ends_as_no_sink(seed: int) -> None:
    """Along the way every output grows: a sink takes, and hands nothing over."""
    output, lse = normal(seed, B, H, T, DV), normal(seed + 1, B, H, T)
    sizes = []
    for height in (0.0, -5.0, -10.0, -40.0):
        merged, _ = merge_sink(output, lse, torch.full((H,), height).double())
        sizes.append(merged.abs().sum().item())
    assert sizes == sorted(sizes)
    assert_close(merged, output, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("size", [1, 4, 11])
def test_masks_of_one_block_or_of_a_window_of_all_allow_what_they_may(size: int) -> None:
    everything, before = torch.ones(size, size).bool(), causal_mask(size)
    for pattern in (
        sparse_masks.global_mask,
        sparse_masks.bigbird_mask,
        sparse_masks.blockwise_mask,
    ):
        assert torch.equal(pattern(size, size), everything)
    for pattern in (sparse_masks.strided_mask, sparse_masks.fixed_mask):
        assert torch.equal(pattern(size, size), before)
    assert torch.equal(window_mask(size, size, size), before)
    assert torch.equal(streaming_mask(size, size, 0, size), before)
    assert torch.equal(streaming_mask(size, size, size, 1), before)
    drawn = sparse_masks.random_mask(size, size, 1, torch.Generator().manual_seed(0))
    assert torch.equal(drawn, everything)
    chosen = learnt_index.top_k_mask(normal(0, size, size), size)
    assert torch.equal(chosen, before)
