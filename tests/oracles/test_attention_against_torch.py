"""Attention against PyTorch's kernel, nn.MultiheadAttention and a recurrent cell's tanh layer."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import DV, B, C, D, H, S, T, mask, normal, seeds
from torch import Tensor, nn
from torch.nn import functional as F
from torch.testing import assert_close

from course_lib.attention.additive import additive_scores
from course_lib.attention.dot_product import (
    attention_scores,
    project_qkv,
    scaled_dot_product_attention,
)
from course_lib.masks import causal_mask, padding_mask
from course_lib.patterns import PATTERNS, make_qk_for


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [None, (T, S), (B, 1, T, S), (B, H, T, S), (B, 1, 1, S)])
def test_scaled_dot_product_attention(shape: tuple[int, ...] | None, dtype: torch.dtype) -> None:
    query = normal(0, B, H, T, D, dtype=dtype)
    key, value = normal(1, B, H, S, D, dtype=dtype), normal(2, B, H, S, DV, dtype=dtype)
    may_attend = None if shape is None else mask(3, *shape)
    output, weights = scaled_dot_product_attention(query, key, value, may_attend)
    expected = F.scaled_dot_product_attention(query, key, value, may_attend)
    assert_close(output, expected)
    # The kernel keeps no weights; with the identity as values it hands them over.
    identity = torch.eye(S, dtype=dtype).expand(B, H, S, S)
    assert_close(weights, F.scaled_dot_product_attention(query, key, identity, may_attend))


@given(seed=seeds, causal=st.booleans())
def test_gradients_are_the_kernels(seed: int, causal: bool) -> None:
    tensors = [normal(seed + i, 1, 1, T, D).requires_grad_() for i in range(3)]
    may_attend = causal_mask(T) if causal else mask(seed, T, T)  # the latter has an empty row
    output, _ = scaled_dot_product_attention(*tensors, may_attend)
    expected = F.scaled_dot_product_attention(*tensors, may_attend)
    gradient = normal(seed + 3, *output.shape)
    actual = torch.autograd.grad(output, tensors, gradient)
    assert_close(actual, torch.autograd.grad(expected, tensors, gradient))


def test_causal_attention_of_as_many_queries_as_keys() -> None:
    tensors = [normal(seed, B, H, T, D) for seed in range(3)]
    output, _ = scaled_dot_product_attention(*tensors, causal_mask(T))
    assert_close(output, F.scaled_dot_product_attention(*tensors, is_causal=True))


def test_attention_scores_are_torchs_batched_product() -> None:
    query, key = normal(0, B, T, D), normal(1, B, S, D)
    assert_close(attention_scores(query, key), torch.bmm(query, key.mT))
    squared = torch.cdist(query, key) ** 2  # |q - k|² = |q|² + |k|² - 2 q · k
    norms = (query**2).sum(-1)[:, :, None] + (key**2).sum(-1)[:, None, :]
    assert_close(attention_scores(query, key), (norms - squared) / 2)


def one_head(seed: int) -> nn.MultiheadAttention:
    """PyTorch's layer with one head and no biases; its weights are the transposes of ours."""
    layer = nn.MultiheadAttention(D, 1, bias=False, batch_first=True, dtype=torch.float64)
    with torch.no_grad():
        layer.in_proj_weight.copy_(normal(seed, 3 * D, D))
        layer.out_proj.weight.copy_(normal(seed + 1, D, D))
    return layer


@pytest.mark.parametrize("cross", [True, False])
def test_project_qkv_and_attention_are_a_layer_of_one_head(cross: bool) -> None:
    layer, x = one_head(4), normal(0, B, T, D)
    context = normal(1, B, S, D) if cross else x
    keys = context.shape[1]
    may_attend = padding_mask(torch.tensor([keys - 1, keys]), keys)
    w_q, w_k, w_v = (part.T for part in layer.in_proj_weight.detach().chunk(3))
    query, key, value = project_qkv(x, w_q, w_k, w_v, context if cross else None)
    output, weights = scaled_dot_product_attention(query, key, value, may_attend)
    # True blocks a key there.
    expected = layer(x, context, context, key_padding_mask=~may_attend[:, 0])
    assert_close((output @ layer.out_proj.weight.T, weights), expected)


def test_project_qkv_is_three_linear_layers() -> None:
    x, context = normal(0, B, T, C), normal(1, B, S, C)
    matrices = [normal(seed, C, size) for seed, size in ((2, D), (3, D), (4, DV))]
    sources = (x, context, context)
    expected = tuple(
        F.linear(source, matrix.T) for source, matrix in zip(sources, matrices, strict=True)
    )
    assert_close(project_qkv(x, *matrices, context), expected)


def test_additive_scores_use_the_tanh_layer_of_a_recurrent_cell() -> None:
    # tanh(W_ih x + W_hh h) is one step of an RNN whose input is the query and whose state the key.
    cell = nn.RNNCell(C, D, bias=False, dtype=torch.float64)
    query, key, v = normal(0, B, T, C), normal(1, B, S, D), normal(2, D)
    expected = torch.zeros(B, T, S, dtype=torch.float64)
    for t in range(T):
        for s in range(S):
            expected[:, t, s] = cell(query[:, t], key[:, s]).detach() @ v
    w_q, w_k = cell.weight_ih.detach().T, cell.weight_hh.detach().T
    assert_close(additive_scores(query, key, w_q, w_k, v), expected)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_make_qk_for_steers_torchs_kernel_too(pattern: str) -> None:
    T = 9
    query, key = make_qk_for(pattern, T)
    read: Tensor = F.scaled_dot_product_attention(query[None], key[None], torch.eye(T)[None])[0]
    position = torch.arange(T)
    wanted = {
        "identity": torch.eye(T),
        "previous token": torch.eye(T)[(position - 1).clamp(min=0)],
        "first token": torch.eye(T)[0 * position],
        "average": torch.full((T, T), 1 / T),
    }[pattern]
    # A wanted key gets at least 1/(1 + e^-8) of the weight.
    assert (read - wanted).abs().max() <= 1 - 1 / (1 + math.exp(-8)) + 1e-6
