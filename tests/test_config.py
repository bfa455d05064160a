"""Configurations: frozen, and what cannot be is refused with both sizes."""

from dataclasses import FrozenInstanceError, replace

import pytest

from course_lib.config import (
    AttentionConfig,
    DecoderConfig,
    EncoderDecoderConfig,
    GatedFeedForwardConfig,
    LayerConfig,
    PlainFeedForwardConfig,
    RMSNormConfig,
    RopeConfig,
)
from course_lib.layers.activations import relu, silu
from course_lib.zoo.llama import LLAMA3_8B
from course_lib.zoo.vaswani import TRANSFORMER_BASE, vaswani_config

HEADS = AttentionConfig(num_heads=6, num_kv_heads=2, head_dim=10)


def decoder(**changes: object) -> DecoderConfig:
    layer = LayerConfig(
        attention=HEADS,
        feed_forward=GatedFeedForwardConfig(d_ff=11, activation=silu),
        norm=RMSNormConfig(eps=1e-6),
    )
    sizes = {
        "vocab_size": 7,
        "d_model": 12,
        "context_length": 9,
        "layers": (layer,),
        "final_norm": layer.norm,
        "is_tied": True,
    }
    return DecoderConfig(**{**sizes, **changes})


def test_a_configuration_does_not_change() -> None:
    for config in (HEADS, decoder(), LLAMA3_8B, TRANSFORMER_BASE):
        with pytest.raises((FrozenInstanceError, AttributeError, TypeError)):
            config.vocab_size = 3  # type: ignore[misc]
    assert len({HEADS, replace(HEADS), replace(HEADS, window=3)}) == 2


def test_sizes_are_derived_and_not_stored() -> None:
    assert HEADS.num_shared == 3
    assert LLAMA3_8B.num_layers == 32
    assert LLAMA3_8B.layers[0].attention.num_shared == 4


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: replace(HEADS, num_kv_heads=4), "num_heads is 6 and num_kv_heads 4"),
        (lambda: replace(HEADS, num_heads=0), "num_heads is 0; num_heads = 0, num_kv_heads = 2"),
        (lambda: replace(HEADS, window=0), "window is 0"),
        (
            lambda: replace(HEADS, rope=RopeConfig(base=1e4, rotary_dim=12)),
            "rotary_dim is 12 and head_dim 10",
        ),
        (lambda: RopeConfig(base=1e4, rotary_dim=5), "rotary_dim is 5, with base = 10000"),
        (lambda: GatedFeedForwardConfig(d_ff=0, activation=silu), "d_ff is 0"),
        (
            lambda: PlainFeedForwardConfig(d_ff=-1, activation=relu, has_bias=True),
            "d_ff is -1",
        ),
        (lambda: decoder(layers=()), "num_layers is 0"),
        (lambda: decoder(vocab_size=0), "vocab_size is 0; vocab_size = 0, d_model = 12"),
        (lambda: decoder(logit_cap=0.0), r"logit_cap is 0\.0"),
        (lambda: decoder(logit_cap=float("inf")), "logit_cap is inf"),
        (lambda: vaswani_config(0, 8, 2, 4, 16, 10), "num_layers is 0"),
        (
            lambda: EncoderDecoderConfig(vocab_size=0, layers=TRANSFORMER_BASE.layers),
            "vocab_size is 0",
        ),
    ],
)
def test_what_cannot_be_is_refused(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
