"""Llama 4: chunks with rotations, whole sequences without, and one expert of many."""

from collections.abc import Sequence

from course_lib.config.attention import CausalAttentionConfig
from course_lib.config.attention_parts import Chunk, GrowingScale
from course_lib.config.decoder import DecoderConfig, LayerConfig, Unembedding
from course_lib.config.experts import InputWeightedMixtureConfig
from course_lib.config.feed_forward import FeedForwardConfig, GatedFeedForwardConfig
from course_lib.config.norms import HeadQKNorm, NoQKNorm, RMSNormConfig, RMSNormWithoutGainConfig
from course_lib.config.rope import RopeConfig
from course_lib.layers.activations import silu

__all__ = ["LLAMA4_MAVERICK", "LLAMA4_SCOUT", "llama4_layers"]

_NORM = RMSNormConfig(eps=1e-5)


def llama4_layers(
    local: CausalAttentionConfig,
    everything: CausalAttentionConfig,
    networks: Sequence[FeedForwardConfig],
) -> tuple[LayerConfig, ...]:
    """Let every fourth layer read everything, and the others their own chunk.

    Args:
        local: the attention of a layer with chunks, which rotates.
        everything: the attention of a layer without, which does not.
        networks: the feed-forward network of each layer.

    Returns:
        The layers.

    Source: Llama 4 as in transformers' Llama4.
    """
    return tuple(
        LayerConfig(
            attention=everything if layer % 4 == 3 else local, feed_forward=network, norm=_NORM
        )
        for layer, network in enumerate(networks)
    )


def _llama4(
    context_length: int,
    qk_norm: HeadQKNorm | NoQKNorm,
    rope: RopeConfig,
    networks: Sequence[FeedForwardConfig],
) -> DecoderConfig:
    local = CausalAttentionConfig(
        num_heads=40,
        num_kv_heads=8,
        head_dim=128,
        rope=rope,
        qk_norm=qk_norm,
        reach=Chunk(size=8192),
    )
    everything = CausalAttentionConfig(
        num_heads=40, num_kv_heads=8, head_dim=128, scale=GrowingScale(floor=8192, factor=0.1)
    )
    return DecoderConfig(
        vocab_size=202048,
        d_model=5120,
        context_length=context_length,
        layers=llama4_layers(local, everything, networks),
        final_norm=_NORM,
        unembedding=Unembedding.OWN,
    )


def _experts(num_experts: int) -> InputWeightedMixtureConfig:
    return InputWeightedMixtureConfig(
        num_experts=num_experts, experts_per_token=1, d_ff=8192, num_shared=1
    )


_DENSE = GatedFeedForwardConfig(d_ff=16384, activation=silu)
_ROPE = RopeConfig(base=500_000.0, rotary_dim=128)

#: Meta 2025, llama-models' card of Llama 4, and transformers' class, whose defaults are Scout's
#: sizes; the text half of each. Maverick has experts in every second layer, and no norm on queries
#: and keys. Scout's released files stretch its rotations, by how much was not seen: it is left out.
LLAMA4_SCOUT = _llama4(
    10_485_760, HeadQKNorm(norm=RMSNormWithoutGainConfig(eps=1e-5)), _ROPE, [_experts(16)] * 48
)
LLAMA4_MAVERICK = _llama4(1_048_576, NoQKNorm(), _ROPE, [_DENSE, _experts(128)] * 24)
