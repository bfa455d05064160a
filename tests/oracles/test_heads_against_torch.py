"""Heads and groups against nn.MultiheadAttention, PyTorch's grouped kernel, pools and counters."""

import math

import pytest
import torch
from strategies import DV, B, C, D, H, S, T, mask, normal
from torch import Tensor, nn
from torch.nn import functional as F
from torch.testing import assert_close
from torch.utils.flop_counter import FlopCounterMode

from course_lib.attention.contributions import head_contribution
from course_lib.attention.dot_product import scaled_dot_product_attention
from course_lib.attention.grouped import (
    grouped_mix,
    grouped_query_attention,
    grouped_scores,
    mha_to_gqa,
)
from course_lib.attention.heads import (
    cross_attention,
    merge_heads,
    mha_flops,
    mha_param_count,
    multi_head_attention,
    split_heads,
)
from course_lib.attention.qk_norm import cosine_scores
from course_lib.attention.score_steps import mask_scores, soft_cap
from course_lib.masks import causal_mask

WIDTH = H * D


def layer_of_torch(dtype: torch.dtype, bias: bool = False) -> nn.MultiheadAttention:
    """PyTorch's layer; its weights are the transposes of ours."""
    layer = nn.MultiheadAttention(WIDTH, H, bias=bias, batch_first=True, dtype=dtype)
    with torch.no_grad():
        layer.in_proj_weight.copy_(normal(0, 3 * WIDTH, WIDTH) / WIDTH**0.5)
        layer.out_proj.weight.copy_(normal(1, WIDTH, WIDTH) / WIDTH**0.5)
    return layer


def converted(layer: nn.MultiheadAttention) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    w_q, w_k, w_v = (part.T for part in layer.in_proj_weight.detach().chunk(3))
    return w_q, w_k, w_v, layer.out_proj.weight.detach().T


# float32: measured 2.4e-7 on outputs of size 1.
@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 5e-7), (torch.float64, 1e-14)])
@pytest.mark.parametrize("masked", [True, False])
def test_multi_head_and_cross_attention(masked: bool, dtype: torch.dtype, bound: float) -> None:
    layer = layer_of_torch(dtype)
    w_q, w_k, w_v, w_o = converted(layer)
    x, context = normal(2, B, T, WIDTH, dtype=dtype), normal(3, B, S, WIDTH, dtype=dtype)
    for read in (x, context):
        keys = read.shape[1]
        may_attend = mask(4, B, T, keys)
        may_attend[..., 0, 0] = True  # an empty row is NaN there
        # True blocks there, and each head has a mask of its own.
        blocked = (~may_attend).repeat_interleave(H, dim=0) if masked else None
        expected, weights = layer(x, read, read, attn_mask=blocked, average_attn_weights=False)
        allowed = may_attend if masked else None
        output = cross_attention(x, read, w_q, w_k, w_v, w_o, H, allowed)
        if read is x:
            own = multi_head_attention(x, w_q, w_k, w_v, w_o, H, allowed)
            assert torch.equal(own, output)
        assert (output - expected).abs().max() < bound
        projected = (x @ w_q, read @ w_k, read @ w_v)
        query, key, value = (split_heads(part, H) for part in projected)
        by_head, ours = scaled_dot_product_attention(
            query, key, value, may_attend[:, None] if masked else None
        )
        assert (ours - weights).abs().max() < bound
        assert (merge_heads(by_head) @ w_o - expected).abs().max() < bound


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 5e-7), (torch.float64, 1e-14)])
def test_head_contribution_is_what_torchs_layer_keeps_of_one_head(
    dtype: torch.dtype, bound: float
) -> None:
    layer, x, b_o = layer_of_torch(dtype), normal(2, B, T, WIDTH, dtype=dtype), normal(5, WIDTH)
    matrices = [matrix.clone() for matrix in converted(layer)]
    for head in range(H):
        with torch.no_grad():
            layer.out_proj.weight.copy_(matrices[3].T)
            for other in set(range(H)) - {head}:
                layer.out_proj.weight[:, other * D : (other + 1) * D] = 0.0
            expected, _ = layer(x, x, x, need_weights=False)
        alone = head_contribution(x, *matrices, b_o.to(dtype), H, head)
        assert (alone - expected).abs().max() < bound


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("heads", "head_dim"), [(4, 7), (8, 64), (1, 5)])
def test_mha_param_count_is_the_layers(heads: int, head_dim: int, bias: bool) -> None:
    width = heads * head_dim
    with torch.device("meta"):
        layer = nn.MultiheadAttention(width, heads, bias=bias)
    count = sum(parameter.numel() for parameter in layer.parameters())
    assert mha_param_count(width, heads, head_dim, bias) == count


@pytest.mark.parametrize("keys", [T, S])
def test_mha_flops_are_those_that_torch_counts(keys: int) -> None:
    matrices = (*(normal(seed, C, WIDTH) for seed in range(3)), normal(3, WIDTH, C))
    with FlopCounterMode(display=False) as counter:
        cross_attention(normal(4, B, T, C), normal(5, B, keys, C), *matrices, H)
    assert mha_flops(B, T, keys, C, H, D) == counter.get_total_flops()


# float32: measured 4.8e-7.
@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 1e-6), (torch.float64, 1e-14)])
@pytest.mark.parametrize("shape", [None, (T, S), (B, 1, T, S), (B, 6, T, S)])
@pytest.mark.parametrize("groups", [6, 3, 2, 1])
def test_grouped_query_attention(
    groups: int, shape: tuple[int, ...] | None, dtype: torch.dtype, bound: float
) -> None:
    query = normal(0, B, 6, T, D, dtype=dtype)
    key, value = normal(1, B, groups, S, D, dtype=dtype), normal(2, B, groups, S, DV, dtype=dtype)
    may_attend = None if shape is None else mask(3, *shape)  # with an empty row
    output = grouped_query_attention(query, key, value, may_attend)
    expected = F.scaled_dot_product_attention(query, key, value, may_attend, enable_gqa=True)
    assert (output - expected).abs().max() < bound
    # The kernel keeps no weights; with the identity as values it hands them over.
    identity = torch.eye(S, dtype=dtype).expand(B, groups, S, S)
    weights = F.scaled_dot_product_attention(query, key, identity, enable_gqa=True)
    assert (grouped_mix(weights, identity) - weights).abs().max() == 0
    logits = grouped_scores(query, key) / math.sqrt(D)
    assert (logits.softmax(-1) - weights).abs().max() < bound


def test_gradients_are_the_kernels() -> None:
    tensors = [normal(0, B, 6, T, D), normal(1, B, 2, S, D), normal(2, B, 2, S, DV)]
    tensors = [tensor.requires_grad_() for tensor in tensors]
    may_attend = mask(3, T, S)
    output = grouped_query_attention(*tensors, may_attend)
    expected = F.scaled_dot_product_attention(*tensors, may_attend, enable_gqa=True)
    gradient = normal(4, *output.shape)
    actual = torch.autograd.grad(output, tensors, gradient)
    assert_close(actual, torch.autograd.grad(expected, tensors, gradient))


def test_mha_to_gqa_pools_the_heads() -> None:
    heads, groups = 6, 2
    w_k = normal(0, C, heads * D)
    by_entry = w_k.unflatten(-1, (heads, D)).mT  # C D H: a pool runs along the heads
    pooled = F.avg_pool1d(by_entry, kernel_size=heads // groups).mT.flatten(1)
    assert_close(mha_to_gqa(w_k, groups, heads), pooled)


# float32: measured 9.5e-7 on scores up to 10.
@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 2e-6), (torch.float64, 1e-14)])
def test_cosine_scores_are_torchs_cosine_similarity(dtype: torch.dtype, bound: float) -> None:
    query, key = normal(0, B, T, D, dtype=dtype), normal(1, B, S, D, dtype=dtype)
    expected = 10 * F.cosine_similarity(query[:, :, None], key[:, None], dim=-1)
    assert (cosine_scores(query, key, 10.0) - expected).abs().max() < bound


def test_mask_scores_is_what_the_kernel_makes_of_a_boolean_mask() -> None:
    scores, may_attend = normal(0, B, T, S), mask(1, T, S)
    bias = torch.zeros(T, S, dtype=torch.float64).masked_fill_(~may_attend, -math.inf)
    assert torch.equal(mask_scores(scores, may_attend), scores + bias)
    causal = nn.Transformer.generate_square_subsequent_mask(T, dtype=torch.float64)
    assert torch.equal(mask_scores(scores[..., :T], causal_mask(T)), scores[..., :T] + causal)


def test_soft_cap_has_the_slope_of_tanh() -> None:
    scores = (20 * normal(0, B, T, S)).requires_grad_()
    capped = soft_cap(scores, 50.0)
    (slope,) = torch.autograd.grad(capped.sum(), scores)
    assert_close(capped, 50 * nn.Tanh()(scores / 50))
    assert_close(slope, 1 - (capped / 50) ** 2)


def test_the_layer_agrees_at_a_real_size() -> None:
    # 8 heads of 64, 128 positions, float32, outputs of size 1: measured 3.6e-7.
    width = 512
    layer = nn.MultiheadAttention(width, 8, bias=False, batch_first=True)
    with torch.no_grad():
        layer.in_proj_weight.copy_(normal(0, 3 * width, width) / width**0.5)
        layer.out_proj.weight.copy_(normal(1, width, width) / width**0.5)
    x: Tensor = normal(2, 1, 128, width, dtype=torch.float32)
    causal = causal_mask(128)
    expected, _ = layer(x, x, x, attn_mask=~causal)
    output = multi_head_attention(x, *converted(layer), 8, causal)
    assert (output - expected).abs().max() < 1e-6
