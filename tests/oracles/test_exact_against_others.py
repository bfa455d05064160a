"""Blockwise attention and what is merged, against PyTorch's fused kernels and gpt-oss's sinks."""

import math
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from ranks_of_a_ring import against_the_fused_kernel, arriving
from ranks_of_a_ring import qkv as ring_qkv
from strategies import DV, B, C, D, normal, seeds
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.attention.bias import causal_lower_right
from torch.testing import assert_close
from transformers.models.gpt_oss.modeling_gpt_oss import eager_attention_forward

from course_lib.exact.blockwise import blockwise_attention
from course_lib.exact.blockwise_backward import blockwise_backward
from course_lib.exact.blockwise_forward import blockwise_forward, flash_forward
from course_lib.exact.cascade import cascade_attention
from course_lib.exact.feed_forward import blockwise_feed_forward
from course_lib.exact.fused import attend_then_feed
from course_lib.exact.merging import merge_partials, merge_sink, merge_splits
from course_lib.exact.pages import paged_attention
from course_lib.exact.reach import Reach
from course_lib.exact.shards import Zigzag, unshard
from course_lib.exact.splits import shared_prefix_attention, split_kv
from course_lib.processes.launch import run_ranks

H, G = 6, 3
FUSED = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
FUSED_BACKWARD = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward


def qkv(seed: int, T: int, S: int, groups: int = H, value_dim: int = D) -> list[Tensor]:
    shapes = ((B, H, T, D), (B, groups, S, D), (B, groups, S, value_dim))
    return [normal(seed + i, *shape) for i, shape in enumerate(shapes)]


# The kernel hands out what we do: output and log-sum-exp. It aligns at the top left: T = S.


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("blocks", [(2, 3), (4, 4), (99, 99)])
def test_forward_and_backward_are_the_fused_kernels(blocks: tuple[int, int], causal: bool) -> None:
    query, key, value = qkv(0, 9, 9)
    expected = FUSED(query, key, value, 0.0, causal)
    assert_close(flash_forward(query, key, value, *blocks, causal), tuple(expected))
    reach = Reach(num_queries=9, num_keys=9, causal=causal)
    result = blockwise_forward(query, key, value, reach, *blocks)
    assert_close(result, tuple(expected))
    gradient = normal(5, B, H, 9, D)
    arrived = gradient, torch.zeros(B, H, 9).double()
    actual = blockwise_backward((query, key, value), result, arrived, reach, *blocks)
    theirs = FUSED_BACKWARD(gradient, query, key, value, *expected, 0.0, causal)
    assert_close(actual, tuple(theirs))


def test_ranks_of_a_ring_together_are_the_fused_kernel() -> None:
    ranks = run_ranks(against_the_fused_kernel, 2)
    tensors = [x[..., :D] for x in ring_qkv((4, 4))]
    whole = [unshard([of_rank[part] for of_rank in ranks], Zigzag()) for part in range(5)]
    # The kernel wants values as wide as keys; those of the ring are one narrower: a zero.
    query, key, value = *tensors[:2], nn.functional.pad(tensors[2], (0, D - DV))
    expected = FUSED(query, key, value, 0.0, True)
    assert_close(whole[0], expected[0][..., :DV])
    assert_close(whole[1].squeeze(-1), expected[1])
    gradient = nn.functional.pad(arriving((4, 4))[0], (0, D - DV))
    theirs = FUSED_BACKWARD(gradient, query, key, value, *expected, 0.0, True)
    assert_close(whole[2:4], list(theirs[:2]))
    assert_close(whole[4], theirs[2][..., :DV])


@given(seed=seeds)
def test_blockwise_attention_with_shared_keys_and_a_longer_cache(seed: int) -> None:
    tensors = [x.requires_grad_() for x in qkv(seed, 4, 11, G, DV)]
    output, _ = blockwise_attention(*tensors, True, None, 3)
    # PyTorch's own bias for the bottom right.
    bias = causal_lower_right(4, 11)
    expected = F.scaled_dot_product_attention(
        *tensors, attn_mask=bias._materialize(), enable_gqa=True
    )
    assert_close(output, expected)
    gradient = normal(seed + 3, *output.shape)
    actual = torch.autograd.grad(output, tensors, gradient)
    assert_close(actual, torch.autograd.grad(expected, tensors, gradient))


def test_the_log_sum_exp_has_the_gradient_of_torchs() -> None:
    query, key, value = (x.requires_grad_() for x in qkv(0, 5, 8))
    _, lse = blockwise_attention(query, key, value, False, None, 3)
    expected = (query @ key.mT / math.sqrt(D)).logsumexp(-1)
    assert_close(lse, expected)
    gradient = normal(5, *lse.shape)
    actual = torch.autograd.grad(lse, (query, key), gradient)
    assert_close(actual, torch.autograd.grad(expected, (query, key), gradient))


@pytest.mark.parametrize("window", [None, 4])
def test_sinks_are_gpt_oss(window: int | None) -> None:
    query, key, value = (x.requires_grad_() for x in qkv(0, 6, 9, G))
    sink = normal(4, H).requires_grad_()
    output, _ = merge_sink(*blockwise_attention(query, key, value, True, window, 4), sink)
    layer = SimpleNamespace(num_key_value_groups=H // G, sinks=sink, training=False)
    distance = torch.arange(6)[:, None] + 3 - torch.arange(9)
    readable = (distance >= 0) & (distance < (window or 99))
    bias = torch.zeros(6, 9).double().masked_fill(~readable, -math.inf)
    scaling = 1 / math.sqrt(D)
    expected, _ = eager_attention_forward(layer, query, key, value, bias[None, None], scaling)
    assert_close(output, expected.transpose(1, 2))
    gradient = normal(5, *output.shape)
    leaves = (query, key, value, sink)
    actual = torch.autograd.grad(output, leaves, gradient)
    assert_close(actual, torch.autograd.grad(expected.transpose(1, 2), leaves, gradient))


# Merging: each run by PyTorch's kernel


@given(seed=seeds)
def test_runs_of_the_fused_kernel_merge_into_the_whole(seed: int) -> None:
    query, key, value = qkv(seed, 5, 11)
    runs = [slice(0, 2), slice(2, 3), slice(3, 11)]
    parts = [FUSED(query, key[:, :, run], value[:, :, run], 0.0, False) for run in runs]
    expected = tuple(FUSED(query, key, value, 0.0, False))
    outputs, lses = (torch.stack(x) for x in zip(*parts, strict=True))
    assert_close(merge_splits(outputs, lses), expected)
    first = merge_partials(*parts[0], *parts[1])
    assert_close(merge_partials(*first, *parts[2]), expected)
    split_outputs, split_lses = split_kv(query, key, value, 3)
    for p, run in enumerate((slice(0, 4), slice(4, 8), slice(8, 11))):
        part = FUSED(query, key[:, :, run], value[:, :, run], 0.0, False)
        assert_close((split_outputs[p], split_lses[p]), tuple(part))


def test_a_shared_prefix_is_a_prefix_for_each() -> None:
    query, key, value = qkv(0, 4, 6, G, DV)
    prefix = normal(5, G, 7, D), normal(6, G, 7, DV)
    keys, values = (
        torch.cat([part.expand(B, -1, -1, -1), own], 2)
        for part, own in zip(prefix, (key, value), strict=True)
    )
    may_attend = torch.ones(4, 13).bool().tril(9)
    expected = F.scaled_dot_product_attention(query, keys, values, may_attend, enable_gqa=True)
    assert_close(shared_prefix_attention(query, prefix, key, value), expected)


def test_a_tree_of_prefixes_is_a_prefix_for_each_with_its_gradients() -> None:
    query, key, value = (x.repeat(2, 1, 1, 1).requires_grad_() for x in qkv(0, 4, 6, G, DV))
    pieces = [normal(5 + i, n, G, 7 - n, size) for i, (n, size) in enumerate(
        ((1, D), (1, DV), (2, D), (2, DV))
    )]  # fmt: skip
    leaves = [query, key, value, *(x.requires_grad_() for x in pieces)]
    output = cascade_attention(query, (tuple(leaves[3:5]), tuple(leaves[5:])), key, value)
    keys, values = (
        torch.cat([root.expand(2 * B, -1, -1, -1), branch.repeat_interleave(B, 0), own], 2)
        for root, branch, own in ((*pieces[0::2], key), (*pieces[1::2], value))
    )
    may_attend = torch.ones(4, 17).bool().tril(13)
    expected = F.scaled_dot_product_attention(query, keys, values, may_attend, enable_gqa=True)
    assert_close(output, expected)
    gradient = normal(9, *output.shape)
    actual = torch.autograd.grad(output, leaves, gradient)
    assert_close(actual, torch.autograd.grad(expected, leaves, gradient))


def test_pages_laid_side_by_side_are_a_cache() -> None:
    store = normal(0, 9, 3, G, D), normal(1, 9, 3, G, DV)
    query, table = normal(2, 2, H, D), torch.tensor([[4, 2, -1], [7, 0, 4]])
    lengths = torch.tensor([5, 8])
    output = paged_attention(query, *store, table, lengths)
    for b, length in enumerate(lengths.tolist()):
        keys, values = (x[table[b]].flatten(0, 1)[:length].transpose(0, 1)[None] for x in store)
        one = query[b][None, :, None]
        expected = F.scaled_dot_product_attention(one, keys, values, enable_gqa=True)
        assert_close(output[b], expected[0, :, 0])


def test_the_feed_forward_network_is_two_linear_layers() -> None:
    width = 13
    layers = nn.Sequential(
        nn.Linear(C, width, bias=False), nn.ReLU(), nn.Linear(width, C, bias=False)
    ).double()
    x = normal(0, B, 7, C).requires_grad_()
    w_in, w_out = (layers[i].weight.detach().mT.clone().requires_grad_() for i in (0, 2))
    output = blockwise_feed_forward(x, w_in, w_out, 3)
    expected = layers(x)
    assert_close(output, expected)
    gradient = normal(1, *output.shape)
    actual = torch.autograd.grad(output, (x, w_in, w_out), gradient)
    theirs = torch.autograd.grad(expected, (x, layers[0].weight, layers[2].weight), gradient)
    assert_close(actual, (theirs[0], theirs[1].mT, theirs[2].mT))


@pytest.mark.parametrize("causal", [True, False])
def test_a_layer_in_blocks_is_torchs_attention_and_two_linear_layers(causal: bool) -> None:
    query, key, value = (x.requires_grad_() for x in qkv(0, 9, 9, G))
    layers = nn.Sequential(nn.Linear(H * D, 13), nn.GELU(), nn.Linear(13, C)).double()
    output = attend_then_feed(query, key, value, causal, layers, 4)
    read = F.scaled_dot_product_attention(query, key, value, is_causal=causal, enable_gqa=True)
    expected = layers(read.transpose(1, 2).flatten(2))
    assert_close(output, expected)
    leaves = (query, key, value, *layers.parameters())
    gradient = normal(5, *output.shape)
    actual = torch.autograd.grad(output, leaves, gradient)
    assert_close(actual, torch.autograd.grad(expected, leaves, gradient))
