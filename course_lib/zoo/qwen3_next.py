"""Qwen3-Next and Qwen3.5: three layers that keep a state, then one with keys; small experts."""

from course_lib.config.attention import CausalAttentionConfig
from course_lib.config.attention_parts import OutputGate
from course_lib.config.decoder import DecoderConfig, LayerConfig, Unembedding
from course_lib.config.delta_rule import GatedDeltaRuleConfig
from course_lib.config.experts import GatedSharedMixtureConfig
from course_lib.config.feed_forward import FeedForwardConfig
from course_lib.config.norms import HeadQKNorm, RMSNormConfig, UnitOffsetRMSNormConfig
from course_lib.config.rope import RopeConfig
from course_lib.sizes import require_positive

__all__ = ["QWEN3_NEXT_80B_A3B", "QWEN35_35B_A3B", "qwen3_next_layers"]

_EPS = 1e-6


def qwen3_next_layers(
    num_layers: int,
    delta_rule: GatedDeltaRuleConfig,
    attention: CausalAttentionConfig,
    feed_forward: FeedForwardConfig,
) -> tuple[LayerConfig, ...]:
    """Let every fourth layer keep keys and values, and the others a state.

    Args:
        num_layers: L blocks.
        delta_rule: the sizes of a layer that keeps a state.
        attention: the attention of every fourth layer.
        feed_forward: the feed-forward network of each layer.

    Returns:
        The layers.

    Raises:
        ValueError: if there is no layer.

    Source: the defaults of transformers' Qwen3NextConfig, whose kinds of layers these are.
    """
    require_positive(num_layers=num_layers)
    return tuple(
        LayerConfig(
            attention=attention if number % 4 == 3 else delta_rule,
            feed_forward=feed_forward,
            norm=UnitOffsetRMSNormConfig(eps=_EPS),
        )
        for number in range(num_layers)
    )


def _qwen3_next(num_layers: int, experts: tuple[int, int], vocab_size: int) -> DecoderConfig:
    states = GatedDeltaRuleConfig(
        num_heads=32,
        num_key_heads=16,
        head_dim=128,
        value_dim=128,
        window=4,
        norm=RMSNormConfig(eps=_EPS),
    )
    attention = CausalAttentionConfig(
        num_heads=16,
        num_kv_heads=2,
        head_dim=256,
        rope=RopeConfig(base=10_000_000.0, rotary_dim=64),
        qk_norm=HeadQKNorm(norm=UnitOffsetRMSNormConfig(eps=_EPS)),
        output_gate=OutputGate.PER_ENTRY,
    )
    mixture = GatedSharedMixtureConfig(
        num_experts=experts[0], experts_per_token=experts[1], d_ff=512
    )
    return DecoderConfig(
        vocab_size=vocab_size,
        d_model=2048,
        context_length=262144,
        layers=qwen3_next_layers(num_layers, states, attention, mixture),
        final_norm=UnitOffsetRMSNormConfig(eps=_EPS),
        unembedding=Unembedding.OWN,
    )


#: The defaults of transformers' two classes, whose parts and sizes are the releases'; base and
#: context as in programs that train and serve them: their configurations were not seen. Without the
#: layer that foretells a second token; of Qwen3.5 the part that reads text.
QWEN3_NEXT_80B_A3B = _qwen3_next(48, (512, 10), 151936)
QWEN35_35B_A3B = _qwen3_next(40, (256, 8), 248320)
