"""The first weights: their spread, what stays as it was, and the seed."""

import math

import pytest
import torch
from tiny_models import ARCHITECTURES
from torch import nn

from course_lib.config.feed_forward import GatedFeedForwardConfig
from course_lib.layers.activations import silu
from course_lib.model.decoder import Decoder
from course_lib.model.feed_forward_modules import GatedFeedForward
from course_lib.model.initialise import ResidualWriter, initialise, num_parameters
from course_lib.model.vaswani import EncoderDecoder
from course_lib.zoo.gpt import gpt_config
from course_lib.zoo.vaswani import vaswani_config

L = 3


def decoder(seed: int = 0, std: float = 0.02) -> Decoder:
    model = Decoder(gpt_config(L, 4, 64, 500, 300))
    initialise(model, torch.Generator().manual_seed(seed), std)
    return model


def assert_spread(model: nn.Module, std: float, num_writers: int) -> None:
    """Compare each matrix with std, those that write into the stream with std / √num_writers."""
    found = 0
    for name, weight in model.named_parameters():
        if weight.ndim > 1:
            writes = name.split(".")[-1] in ("w_o", "w_out", "w_down")
            found += writes
            expected = std / math.sqrt(num_writers) if writes else std
            # The standard error of a standard deviation is about σ / √(2n); five of them.
            assert abs(weight.std().item() / expected - 1) < 5 / math.sqrt(2 * weight.numel()), name
            assert abs(weight.mean().item()) < 5 * expected / math.sqrt(weight.numel()), name
    assert found == num_writers


@pytest.mark.parametrize("std", [0.02, 0.5])
def test_the_spread_is_as_asked_and_smaller_where_it_is_written(std: float) -> None:
    assert_spread(decoder(std=std), std, 2 * L)


# GPT's is plain; these are gated, before, inside and on both sides of a norm, and side by side.
@pytest.mark.parametrize("name", ["Llama 3", "OLMo 2", "Gemma 3", "Falcon"])
def test_the_spread_of_other_blocks(name: str) -> None:
    model = Decoder(ARCHITECTURES[name].ours)
    initialise(model, torch.Generator().manual_seed(0), std=0.1)
    assert_spread(model, 0.1, 2 * 7)


class Experts(nn.Module):
    """Several networks whose results are summed: many matrices, and one write."""

    def __init__(self, num_experts: int, d_model: int) -> None:
        super().__init__()
        config = GatedFeedForwardConfig(d_ff=31, activation=silu)
        self.experts = nn.ModuleList(GatedFeedForward(config, d_model) for _ in range(num_experts))

    def residual_writers(self) -> tuple[nn.Parameter, ...]:
        return tuple(expert.w_down for expert in self.experts)


def test_experts_that_write_together_are_one_write() -> None:
    config = ARCHITECTURES["Llama 3"].ours
    model, plain = Decoder(config), Decoder(config)
    model.blocks[2].feed_forward = Experts(32, config.d_model)
    for made in (model, plain):
        initialise(made, torch.Generator().manual_seed(0), std=0.1)
    # The others' scales are those of a model without experts: 14 writes of seven layers.
    assert torch.equal(model.blocks[0].attention.w_o, plain.blocks[0].attention.w_o)
    for expert in model.blocks[2].feed_forward.experts:
        spread = expert.w_down.std().item() * math.sqrt(2 * 7) / 0.1
        assert abs(spread - 1) < 5 / math.sqrt(2 * expert.w_down.numel())
        spread = expert.w_up.std().item() / 0.1
        assert abs(spread - 1) < 5 / math.sqrt(2 * expert.w_up.numel())


def test_a_name_alone_does_not_make_a_writer() -> None:
    model = nn.Module()
    model.w_out = nn.Parameter(torch.zeros(64, 64))
    model.half = Experts(1, 64)
    initialise(model, torch.Generator().manual_seed(0), std=0.1)
    assert abs(model.w_out.std().item() / 0.1 - 1) < 5 / math.sqrt(2 * 64 * 64)


def test_every_half_of_a_block_declares_its_write() -> None:
    for name, architecture in ARCHITECTURES.items():
        for block in Decoder(architecture.ours).blocks:
            halves = block.attention, block.feed_forward
            assert all(isinstance(half, ResidualWriter) for half in halves), name
            # Shared experts beside the chosen ones: one write, in two tensors.
            shares = getattr(block.feed_forward, "w_shared_down", None) is not None
            assert [len(half.residual_writers()) for half in halves] == [1, 1 + shares]


def test_the_spread_of_an_encoder_decoder() -> None:
    model = EncoderDecoder(vaswani_config(L, 48, 4, 10, 72, 97))
    initialise(model, torch.Generator().manual_seed(0), std=0.1)
    assert_spread(model, 0.1, 5 * L)


def test_gains_start_at_one_and_all_else_at_zero() -> None:
    for name, weight in decoder().named_parameters():
        if weight.ndim == 1:
            assert torch.equal(weight, torch.full_like(weight, float(name.endswith("gain")))), name
    gemma = Decoder(ARCHITECTURES["Gemma 2"].ours)
    assert torch.equal(gemma.final_norm.gain, torch.zeros(gemma.config.d_model))


def test_the_seed_decides() -> None:
    same, other = (dict(decoder(seed).named_parameters()) for seed in (0, 1))
    again = dict(decoder(0).named_parameters())
    assert all(torch.equal(same[name], again[name]) for name in same)
    assert not torch.equal(same["embedding"], other["embedding"])


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_every_matrix_is_drawn(name: str) -> None:
    model = Decoder(ARCHITECTURES[name].ours)
    biases = [weight for name, weight in model.named_parameters() if "feed_forward.b_" in name]
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:
                weight.fill_(torch.nan)
        for bias in biases:
            bias.fill_(3.0)
    initialise(model, torch.Generator().manual_seed(0))
    assert all(weight.isfinite().all() for weight in model.parameters())
    assert all((bias == 3.0).all() for bias in biases)  # those of experts are tables


def test_the_loss_starts_near_the_logarithm_of_the_vocabulary() -> None:
    model = decoder()
    ids = torch.randint(0, 500, (4, 50), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        log_weights = model(ids).log_softmax(-1)
    loss = -log_weights[:, :-1].gather(-1, ids[:, 1:, None]).mean().item()
    assert abs(loss - math.log(500)) < 0.05


def test_parameters_are_counted_once() -> None:
    model = decoder()
    assert num_parameters(model) == sum(weight.numel() for weight in model.state_dict().values())
