"""Configurations: frozen, and what cannot be is refused with both sizes."""

import math
from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace

import pytest

from course_lib.config.arrangement import ScaledPreNorm
from course_lib.config.attention import CausalAttentionConfig
from course_lib.config.attention_parts import QueryPreAttnScalar, ScoreFactor, SoftCap, Window
from course_lib.config.decoder import (
    DecoderConfig,
    EmbeddingNorm,
    EmbeddingScale,
    LayerConfig,
    LearnedPositions,
    LogitBias,
    LogitFactor,
    Unembedding,
)
from course_lib.config.encoder import EncoderDecoderConfig
from course_lib.config.feed_forward import GatedFeedForwardConfig, PlainFeedForwardConfig
from course_lib.config.norms import (
    LayerNormConfig,
    LayerNormWithoutShiftConfig,
    RMSNormConfig,
    UnitOffsetRMSNormConfig,
)
from course_lib.config.rope import LinearScaling, Llama3Scaling, NtkScaling, RopeConfig, YarnScaling
from course_lib.layers.activations import relu, silu
from course_lib.zoo.llama import LLAMA3_8B
from course_lib.zoo.vaswani import TRANSFORMER_BASE, vaswani_config

HEADS = CausalAttentionConfig(num_heads=6, num_kv_heads=2, head_dim=10)
ROPE = RopeConfig(base=1e4, rotary_dim=10)
LLAMA3 = Llama3Scaling(factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, context=16)
YARN = YarnScaling(factor=4.0, context=16, alpha=1.0, beta=32.0, is_truncated=False)


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
        "unembedding": Unembedding.TIED,
    }
    return DecoderConfig(**{**sizes, **changes})


def test_a_configuration_does_not_change() -> None:
    for config in (HEADS, decoder(), LLAMA3_8B, TRANSFORMER_BASE):
        with pytest.raises((FrozenInstanceError, AttributeError, TypeError)):
            config.vocab_size = 3  # type: ignore[misc]
    assert len({HEADS, replace(HEADS), replace(HEADS, reach=Window(size=3))}) == 2


def test_steps_of_different_kinds_may_follow_one_another() -> None:
    norm = EmbeddingNorm(norm=LayerNormConfig())
    both = decoder(embedding_steps=(norm, EmbeddingScale(factor=2.0)))
    assert len(both.embedding_steps) == 2


def test_sizes_are_derived_and_not_stored() -> None:
    assert HEADS.num_shared == 3
    assert LLAMA3_8B.num_layers == 32
    assert LLAMA3_8B.layers[0].attention.num_shared == 4


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: replace(HEADS, num_kv_heads=4), "num_heads is 6 and num_kv_heads 4"),
        (lambda: replace(HEADS, num_heads=0), "num_heads is 0; num_heads = 0, num_kv_heads = 2"),
        (lambda: Window(size=0), "window is 0"),
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
        (
            lambda: decoder(embedding_steps=(LearnedPositions(), LearnedPositions())),
            "LearnedPositions is there 2 times among 2 embedding steps",
        ),
        (
            lambda: decoder(
                logit_steps=(LogitFactor(factor=2.0), LogitBias(), LogitFactor(factor=3.0))
            ),
            "LogitFactor is there 2 times among 3 logit steps",
        ),
        (lambda: decoder(vocab_size=0), "vocab_size is 0; vocab_size = 0, d_model = 12"),
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


#: What is multiplied with, or divided by: its name in the message -> how to give it.
ABOVE_ZERO = {
    "base": lambda number: replace(ROPE, base=number),
    "soft_cap": lambda number: SoftCap(cap=number),
    "query_pre_attn_scalar": lambda number: QueryPreAttnScalar(scalar=number),
    "embedding_scale": lambda number: EmbeddingScale(factor=number),
    "score_factor": lambda number: ScoreFactor(factor=number),
    "residual_factor": lambda number: ScaledPreNorm(factor=number),
    "logit_factor": lambda number: LogitFactor(factor=number),
}


@pytest.mark.parametrize("number", [0.0, -1.0, math.nan, math.inf])
@pytest.mark.parametrize("name", ABOVE_ZERO)
def test_a_number_that_is_not_above_zero_is_refused(name: str, number: float) -> None:
    with pytest.raises(ValueError, match=f"positive and finite; {name} is {number}$"):
        ABOVE_ZERO[name](number)
    ABOVE_ZERO[name](1e-3)


@pytest.mark.parametrize(
    "norm",
    [LayerNormConfig, LayerNormWithoutShiftConfig, RMSNormConfig, UnitOffsetRMSNormConfig],
)
def test_an_eps_below_zero_is_refused(norm: Callable[..., object]) -> None:
    for eps in (-1e-9, math.nan, math.inf):
        with pytest.raises(ValueError, match=f"at least 0 and finite; eps is {eps}$"):
            norm(eps=eps)
    norm(eps=0.0)


@pytest.mark.parametrize("factor", [0.0, 0.99, -2.0, math.nan, math.inf])
@pytest.mark.parametrize(
    "stretch",
    [
        lambda factor: LinearScaling(factor=factor),
        lambda factor: NtkScaling(factor=factor),
        lambda factor: replace(LLAMA3, factor=factor),
        lambda factor: replace(YARN, factor=factor),
    ],
    ids=["linear", "ntk", "llama3", "yarn"],
)
def test_a_factor_that_does_not_stretch_is_refused(
    stretch: Callable[[float], object], factor: float
) -> None:
    with pytest.raises(ValueError, match=f"1 <= factor < infinity; factor is {factor}$"):
        stretch(factor)
    stretch(1.0)


@pytest.mark.parametrize(
    "ends", [(4.0, 4.0), (5.0, 4.0), (0.0, 4.0), (math.nan, 4.0), (1.0, math.nan), (1.0, math.inf)]
)
def test_a_ramp_that_does_not_rise_is_refused(ends: tuple[float, float]) -> None:
    low, high = ends
    with pytest.raises(ValueError, match=f"low_freq_factor is {low} and high_freq_factor {high}$"):
        replace(LLAMA3, low_freq_factor=low, high_freq_factor=high)
    with pytest.raises(ValueError, match=f"alpha is {low} and beta {high}$"):
        replace(YARN, alpha=low, beta=high)


@pytest.mark.parametrize("scaling", [LLAMA3, YARN])
def test_pre_training_had_a_context(scaling: Llama3Scaling | YarnScaling) -> None:
    with pytest.raises(ValueError, match="context is 0; context = 0"):
        replace(scaling, context=0)


def test_a_scaling_fits_its_base_and_its_pairs() -> None:
    with pytest.raises(ValueError, match=r"base > 1; base is 1\.0, with rotary_dim = 10"):
        replace(ROPE, base=1.0, scaling=YARN)
    with pytest.raises(ValueError, match=r"rotary_dim is 2, with base = 10000\.0"):
        replace(ROPE, rotary_dim=2, scaling=NtkScaling(factor=2.0))
    replace(ROPE, base=1.0, scaling=LLAMA3)
    replace(ROPE, rotary_dim=2, scaling=YARN)
