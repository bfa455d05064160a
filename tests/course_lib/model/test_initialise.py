"""The first weights: their spread, what stays as it was, and the seed."""

import math

import pytest
import torch
from tiny_models import ARCHITECTURES
from torch import nn

from course_lib.model.decoder import Decoder
from course_lib.model.initialise import initialise, num_parameters
from course_lib.model.vaswani import EncoderDecoder
from course_lib.zoo.gpt import gpt_config
from course_lib.zoo.vaswani import vaswani_config

L = 3


def decoder(seed: int = 0, std: float = 0.02) -> Decoder:
    model = Decoder(gpt_config(L, 4, 64, 500, 300))
    initialise(model, torch.Generator().manual_seed(seed), std)
    return model


def compare_spread(model: nn.Module, std: float, num_writers: int) -> None:
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
    compare_spread(decoder(std=std), std, 2 * L)


# GPT's is plain; these are gated, before, inside and on both sides of a norm, and side by side.
@pytest.mark.parametrize("name", ["Llama 3", "OLMo 2", "Gemma 3", "Falcon"])
def test_the_spread_of_other_blocks(name: str) -> None:
    model = Decoder(ARCHITECTURES[name].ours)
    initialise(model, torch.Generator().manual_seed(0), std=0.1)
    compare_spread(model, 0.1, 2 * 7)


def test_the_spread_of_an_encoder_decoder() -> None:
    model = EncoderDecoder(vaswani_config(L, 48, 4, 10, 72, 97))
    initialise(model, torch.Generator().manual_seed(0), std=0.1)
    compare_spread(model, 0.1, 5 * L)


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
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:
                weight.fill_(torch.nan)
    initialise(model, torch.Generator().manual_seed(0))
    assert all(weight.isfinite().all() for weight in model.parameters())


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
