"""Sparse attention against PyTorch's kernel, transformers' masks, and its BigBird."""

from collections.abc import Callable

import pytest
import torch
from strategies import DV, B, H, normal
from torch import Tensor
from torch.nn import functional as F
from torch.nn.attention.flex_attention import create_mask, or_masks
from torch.testing import assert_close
from transformers import BigBirdConfig
from transformers.masking_utils import (
    chunked_causal_mask_function,
    sdpa_mask,
    sliding_window_causal_mask_function,
)
from transformers.models.big_bird.modeling_big_bird import BigBirdBlockSparseAttention
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

from course_lib.efficient.block_sparse import block_sparse_attention, permuted_block_attention
from course_lib.efficient.reach import density, reach
from course_lib.efficient.sliding import sliding_attention
from course_lib.efficient.sparse_masks import (
    bigbird_mask,
    block_sparse_mask,
    blockwise_mask,
    fixed_mask,
    global_mask,
    strided_mask,
)
from course_lib.efficient.streaming import streaming_keep, streaming_mask, streaming_step

D = 8
LENGTHS = [(12, 3), (13, 3), (13, 4), (5, 9)]


def qkv(T: int, S: int, seed: int = 0) -> tuple[Tensor, ...]:
    return normal(seed, B, H, T, D), normal(seed + 1, B, 2, S, D), normal(seed + 2, B, 2, S, DV)


def theirs(query: Tensor, key: Tensor, value: Tensor, may_attend: Tensor | None = None) -> Tensor:
    return F.scaled_dot_product_attention(query, key, value, may_attend, enable_gqa=True)


def made_by(rule: Callable[..., Tensor], size: int) -> Tensor:
    return create_mask(rule, B=None, H=None, Q_LEN=size, KV_LEN=size, device="cpu")[0, 0]


@pytest.mark.parametrize("window", [1, 4, 18])
@pytest.mark.parametrize(("T", "S"), [(33, 33), (3, 20)])
def test_a_sliding_window_and_its_gradients(T: int, S: int, window: int) -> None:
    tensors = [tensor.requires_grad_() for tensor in qkv(T, S)]
    may_attend = sdpa_mask(
        1, T, S, q_offset=S - T, mask_function=sliding_window_causal_mask_function(window),
        local_size=window, allow_is_causal_skip=False,
    )  # fmt: skip
    output, expected = sliding_attention(*tensors, window), theirs(*tensors, may_attend)
    assert_close(output, expected)
    gradient = normal(5, *output.shape)
    found = torch.autograd.grad(output, tensors, gradient)
    assert_close(found, torch.autograd.grad(expected, tensors, gradient))


@pytest.mark.parametrize(("size", "block"), LENGTHS)
def test_causal_patterns_are_rules_of_transformers_and_strides(size: int, block: int) -> None:
    def summary(b: Tensor, h: Tensor, t: Tensor, s: Tensor) -> Tensor:
        return (s <= t) & ((s + 1) % block == 0)

    def stride(b: Tensor, h: Tensor, t: Tensor, s: Tensor) -> Tensor:
        return (s <= t) & ((t - s) // block * block == t - s)

    chunks = chunked_causal_mask_function(block, torch.zeros(1, dtype=torch.int64))
    assert_close(fixed_mask(size, block), made_by(or_masks(chunks, summary), size))
    window = sliding_window_causal_mask_function(block)
    assert_close(strided_mask(size, block), made_by(or_masks(window, stride), size))


@pytest.mark.parametrize(("size", "block"), LENGTHS)
def test_patterns_of_blocks_are_matrices_of_blocks(size: int, block: int) -> None:
    count = -(-size // block)
    ones = torch.ones(block, block)

    def large(small: Tensor) -> Tensor:
        return torch.kron(small, ones)[:size, :size].bool()

    shifted = torch.roll(torch.eye(count), 1, dims=1)
    assert_close(blockwise_mask(size, block), large(shifted))
    near = torch.tril(torch.triu(torch.ones(count, count), -1), 1)
    near[0] = near[:, 0] = 1
    assert_close(global_mask(size, block), large(near))
    far = torch.roll(torch.eye(count), count // 2, dims=1)
    assert_close(bigbird_mask(size, block), large(torch.maximum(near, far)))
    assert block_sparse_mask(size, block, "global")[1] == large(near).double().mean().item()


def test_reach_is_a_power_and_density_a_mean() -> None:
    may_attend = normal(0, 9, 9) > 0.8
    for layers in range(5):
        counted = torch.linalg.matrix_power(torch.eye(9) + may_attend, layers)
        assert_close(reach(may_attend, layers), counted > 0)
    assert density(may_attend) == may_attend.double().mean().item()


def test_bigbird_of_transformers() -> None:
    """Two global blocks, a window of three, and one that it draws: read off its own weights."""
    block, size = 2, 20
    config = BigBirdConfig(
        hidden_size=D, num_attention_heads=1, block_size=block, num_random_blocks=1,
        max_position_embeddings=64,
    )  # fmt: skip
    layer = BigBirdBlockSparseAttention(config, seed=0).double().train()
    x, ones = normal(3, 1, size, D), torch.ones(1, size).double()
    with torch.no_grad():
        tokens = ones.view(1, size // block, block)
        band = torch.ones(1, 1, size // block - 4, block, 3 * block).double()
        output, weights = layer(
            x, band, ones[:, None, :, None], ones[:, None, None], tokens, tokens
        )
        query, key, value = (part(x)[:, None] for part in (layer.query, layer.key, layer.value))
    may_attend = weights[0, 0] > 0
    last_too = torch.flip(global_mask(size, block), (0, 1))
    known = global_mask(size, block) | last_too
    assert (may_attend | ~known).all()
    assert (may_attend & ~known)[block:-block].sum(-1).tolist() == [block] * (size - 2 * block)
    assert_close(block_sparse_attention(query, key, value, may_attend, block)[:, 0], output)


def test_attention_in_blocks_is_the_kernels() -> None:
    tensors = [tensor.requires_grad_() for tensor in qkv(13, 13)]
    shifted = torch.kron(torch.roll(torch.eye(5), 1, dims=1), torch.ones(3, 3))[:13, :13].bool()
    expected = theirs(*tensors, shifted)
    order = torch.tensor([1, 2, 3, 4, 0])
    gradient = normal(5, *expected.shape)
    wanted = torch.autograd.grad(expected, tensors, gradient, retain_graph=True)
    for output in (
        permuted_block_attention(*tensors, order, 3),
        block_sparse_attention(*tensors, shifted, 4),
    ):
        assert_close(output, expected)
        assert_close(torch.autograd.grad(output, tensors, gradient), wanted)


def test_a_streaming_step_is_llamas_rotation_and_the_kernel() -> None:
    sinks, window, size = 2, 3, 9
    query, key, value = qkv(1, size)
    kept, positions = streaming_keep(size, sinks, window)
    places = torch.tensor([0, 1, 6, 7, 8])
    assert_close(kept, places)
    assert_close(positions, torch.arange(5))
    angles = torch.outer(torch.arange(5.0).double(), 100.0 ** -(torch.arange(0, D, 2) / D).double())
    cos, sin = (torch.cat([part, part], -1)[None] for part in (angles.cos(), angles.sin()))
    last, _ = apply_rotary_pos_emb(query, query, cos[:, -1:], sin[:, -1:])
    _, keys = apply_rotary_pos_emb(key[:, :, places], key[:, :, places], cos, sin)
    expected = theirs(last, keys, value[:, :, places])
    assert_close(streaming_step(query, key, value, sinks, window, 100.0), expected)

    def is_sink(b: Tensor, h: Tensor, t: Tensor, s: Tensor) -> Tensor:
        return (s < sinks) & (s <= t)

    rule = or_masks(sliding_window_causal_mask_function(window), is_sink)
    assert_close(streaming_mask(size, size, sinks, window), made_by(rule, size))
