"""The block whose stations are drawn is the library's block, wherever the norms stand."""

import json
import re

import pytest
import torch
from torch.testing import assert_close

from course_lib.config.arrangement import (
    Arrangement,
    InnerNorm,
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
from course_lib.plotting.block_flow import MATRICES, PLACES, STATIONS, block_flow, flow

T, C, H, D, F = 5, 6, 3, 2, 7
ARRANGEMENTS: dict[str, Arrangement] = {
    "pre-norm": PreNorm(),
    "post-norm": PostNorm(),
    "inner norm": InnerNorm(),
    "sandwich": SandwichNorm(),
}


def drawn(*size: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*size, generator=generator, dtype=torch.float64)


SHAPES = [(C, H * D)] * 3 + [(H * D, C)] + [(C, F)] * 2 + [(F, C)]
GIVEN = {
    name: drawn(*shape, seed=n)
    for n, (name, shape) in enumerate(zip(MATRICES, SHAPES, strict=True))
}
X = drawn(T, C, seed=20)


def module(place: str) -> Block:
    """Return the library's block with these matrices, and gains of 1."""
    block = block_module(
        LayerConfig(
            attention=CausalAttentionConfig(num_heads=H, num_kv_heads=H, head_dim=D),
            feed_forward=GatedFeedForwardConfig(d_ff=F, activation=silu),
            norm=RMSNormConfig(eps=1e-6),
            arrangement=ARRANGEMENTS[place],
        ),
        C,
    ).double()
    with torch.no_grad():
        for name, parameter in block.named_parameters():
            last = name.rsplit(".", 1)[-1]
            if last in GIVEN:
                parameter.copy_(GIVEN[last])
    return block


@pytest.mark.parametrize("place", PLACES)
def test_the_last_station_is_what_the_block_returns(place: str) -> None:
    found = flow(X, GIVEN, H, place)
    assert tuple(found) == STATIONS
    with torch.no_grad():
        assert_close(found["y"], module(place)(X[None])[0])


@pytest.mark.parametrize("place", PLACES)
def test_what_each_half_writes_is_what_the_module_writes(place: str) -> None:
    block = module(place)
    seen: dict[str, torch.Tensor] = {}
    for name in ("attention", "feed_forward"):
        getattr(block, name).register_forward_hook(
            lambda _, __, output, name=name: seen.setdefault(name, output[0].detach())
        )
    block(X[None])
    found = flow(X, GIVEN, H, place)
    assert_close(found["writes"], seen["attention"])
    assert_close(found["writes again"], seen["feed_forward"])


def test_weights_of_all_heads_stand_side_by_side_and_sum_to_one() -> None:
    weights = flow(X, GIVEN, H, "pre-norm")["weights"]
    assert weights.shape == (T, H * T)
    assert_close(weights.view(T, H, T).sum(-1), torch.ones(T, H).double())


def test_the_figure_holds_a_bar_for_each_number_and_its_size() -> None:
    tokens = ["a", "b", "c", "d", "e"]
    figure = block_flow(tokens, X, GIVEN, H=H, start=3)
    row = {name: rows[3] for name, rows in flow(X, GIVEN, H, "pre-norm").items()}
    for drawing in (figure.wide, figure.narrow):
        bars = [one for one in drawing if 'data-part="bar"' in one]
        assert len(bars) == sum(len(one) for one in row.values())
        sizes = [one for one in drawing if 'data-part="size"' in one]
        told = [float(re.findall(r">(-?[\d.]+)<", one)[0]) for one in sizes]
        expected = [row[n].square().mean().sqrt().item() for n in STATIONS if n != "weights"]
        assert told == pytest.approx(expected, abs=0.0051)
    assert "b, c" not in figure.alt_text
    assert "the vector of d" in figure.alt_text
    assert json.loads(json.dumps(figure.data))["order"] == list(PLACES)


@pytest.mark.usefixtures("without_annotations")
def test_too_few_words_and_missing_matrices_are_refused() -> None:
    with pytest.raises(ValueError, match="2 tokens and 5 rows"):
        block_flow(["a", "b"], X, GIVEN, H=H, start=0)
    few = {name: GIVEN[name] for name in MATRICES[:6]}
    with pytest.raises(ValueError, match=r"seven matrices; 5 tokens and 5 rows; .*'w_gate'"):
        block_flow(list("abcde"), X, few, H=H, start=0)
