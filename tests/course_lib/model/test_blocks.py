"""Blocks: each arrangement is its formula, and all differ; what is written goes around the half."""

import itertools

import pytest
import torch
from hypothesis import given
from strategies import normal, seeds
from torch import Tensor, nn
from torch.testing import assert_close

from course_lib.config.arrangement import (
    Arrangement,
    InnerNorm,
    Parallel,
    PostNorm,
    PreNorm,
    SandwichNorm,
)
from course_lib.config.attention import CausalAttentionConfig
from course_lib.config.decoder import LayerConfig
from course_lib.config.feed_forward import GatedFeedForwardConfig
from course_lib.config.norms import RMSNormConfig
from course_lib.layers.activations import silu
from course_lib.model.blocks import Block, block_module

B, T, C = 2, 5, 8
ARRANGEMENTS = [PreNorm(), PostNorm(), InnerNorm(), SandwichNorm(), Parallel()]
#: Names of the norms -> their order in a block.
NORMS = {
    PreNorm(): ["attention_norm", "feed_forward_norm"],
    PostNorm(): ["attention_norm", "feed_forward_norm"],
    InnerNorm(): ["attention_norm", "feed_forward_norm"],
    SandwichNorm(): [
        "attention_norm",
        "feed_forward_norm",
        "attention_out_norm",
        "feed_forward_out_norm",
    ],
    Parallel(): ["norm"],
}


def drawn(arrangement: Arrangement, seed: int = 0) -> Block:
    config = LayerConfig(
        attention=CausalAttentionConfig(num_heads=3, num_kv_heads=1, head_dim=4),
        feed_forward=GatedFeedForwardConfig(d_ff=7, activation=silu),
        norm=RMSNormConfig(eps=1e-6),
        arrangement=arrangement,
    )
    block = block_module(config, C).double()
    with torch.no_grad():
        for number, weight in enumerate(block.parameters()):
            weight.copy_(normal(seed + number, *weight.shape))
    return block


def by_hand(block: Block, arrangement: Arrangement, x: Tensor) -> Tensor:
    """The formula of the arrangement, one number of one norm after another."""

    def norm(name: str, v: Tensor) -> Tensor:
        gain = block.get_parameter(f"{name}.gain")
        return gain * v / (v.square().mean(-1, keepdim=True) + 1e-6).sqrt()

    def half(name: str, v: Tensor) -> Tensor:
        return block.get_submodule(name)(v)

    if arrangement == Parallel():
        shared = norm("norm", x)
        return x + half("attention", shared) + half("feed_forward", shared)
    for name in ("attention", "feed_forward"):
        reads = arrangement in (PreNorm(), SandwichNorm())
        written = half(name, norm(f"{name}_norm", x) if reads else x)
        if arrangement == InnerNorm():
            written = norm(f"{name}_norm", written)
        if arrangement == SandwichNorm():
            written = norm(f"{name}_out_norm", written)
        x = x + written
        if arrangement == PostNorm():
            x = norm(f"{name}_norm", x)
    return x


@pytest.mark.parametrize("arrangement", ARRANGEMENTS)
def test_an_arrangement_is_its_formula(arrangement: Arrangement) -> None:
    block, x = drawn(arrangement), normal(9, B, T, C)
    before = x.clone()
    assert_close(block(x), by_hand(block, arrangement, x), rtol=1e-12, atol=1e-13)
    assert torch.equal(x, before)


@pytest.mark.parametrize("arrangement", ARRANGEMENTS)
def test_each_norm_has_one_name_and_weights_of_its_own(arrangement: Arrangement) -> None:
    block = drawn(arrangement)
    names = [name for name, _ in block.named_children()]
    assert names == ["attention", "feed_forward", *NORMS[arrangement]]
    block(normal(9, B, T, C)).square().sum().backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in block.parameters())


def test_the_five_arrangements_are_five_functions() -> None:
    x = normal(9, B, T, C)
    results = [drawn(arrangement)(x) for arrangement in ARRANGEMENTS]
    for first, second in itertools.combinations(results, 2):
        assert (first - second).abs().max() > 0.1


class Silent(nn.Module):
    def forward(self, x: Tensor, *_: object) -> Tensor:
        return torch.zeros_like(x)


@pytest.mark.parametrize("arrangement", ARRANGEMENTS)
@given(seed=seeds)
def test_silent_halves_leave_the_stream_alone(arrangement: Arrangement, seed: int) -> None:
    block, x = drawn(arrangement), normal(seed, B, T, C).requires_grad_()
    block.attention = block.feed_forward = Silent()
    y = block(x)
    if arrangement == PostNorm():
        assert_close(y, by_hand(block, arrangement, x))  # each norm is still there
        return
    assert torch.equal(y, x)
    y.sum().backward()
    assert torch.equal(x.grad, torch.ones_like(x))  # the gradient's path around both


def test_a_block_without_an_arrangement_has_no_formula() -> None:
    with pytest.raises(NotImplementedError, match="arrange"):
        Block.forward(drawn(PreNorm()), normal(0, B, T, C))
