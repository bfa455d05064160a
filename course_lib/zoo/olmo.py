"""OLMo 2 and 3: norms on what each half writes, and on whole projections of queries and keys."""

from dataclasses import replace

from course_lib.config.arrangement import InnerNorm
from course_lib.config.attention import CausalAttentionConfig
from course_lib.config.attention_parts import Everything, Window
from course_lib.config.decoder import DecoderConfig, LayerConfig, Unembedding
from course_lib.config.feed_forward import GatedFeedForwardConfig
from course_lib.config.norms import ProjectionQKNorm, RMSNormConfig
from course_lib.config.rope import RopeConfig, YarnScaling
from course_lib.layers.activations import silu
from course_lib.sizes import require_positive

__all__ = ["OLMO2_7B", "OLMO2_13B", "OLMO3_7B", "OLMO3_32B", "olmo3_layers"]

_NORM = RMSNormConfig(eps=1e-6)


def _layer(attention: CausalAttentionConfig, d_ff: int) -> LayerConfig:
    return LayerConfig(
        attention=attention,
        feed_forward=GatedFeedForwardConfig(d_ff=d_ff, activation=silu),
        norm=_NORM,
        arrangement=InnerNorm(),
    )


def _heads(num_heads: int, num_kv_heads: int) -> CausalAttentionConfig:
    return CausalAttentionConfig(
        num_heads=num_heads,
        num_kv_heads=num_kv_heads,
        head_dim=128,
        rope=RopeConfig(base=500_000.0, rotary_dim=128),
        qk_norm=ProjectionQKNorm(norm=_NORM),
    )


def olmo3_layers(
    num_layers: int, attention: CausalAttentionConfig, global_rope: RopeConfig, d_ff: int
) -> tuple[LayerConfig, ...]:
    """Let every fourth layer read everything, with rotations that are stretched there alone.

    Args:
        num_layers: L blocks.
        attention: the attention of a layer with a window.
        global_rope: the rotations of the layers without one.
        d_ff: F, the width inside the feed-forward network.

    Returns:
        The layers.

    Raises:
        ValueError: if there is no layer.

    Source: Olmo 3 as in transformers' Olmo3 and in LLMs-from-scratch, ``ch05/13_olmo3``.
    """
    require_positive(num_layers=num_layers)
    local = _layer(attention, d_ff)
    everything = _layer(replace(attention, reach=Everything(), rope=global_rope), d_ff)
    return tuple(everything if layer % 4 == 3 else local for layer in range(num_layers))


def _olmo(
    vocab_size: int, d_model: int, context_length: int, layers: tuple[LayerConfig, ...]
) -> DecoderConfig:
    return DecoderConfig(
        vocab_size=vocab_size,
        d_model=d_model,
        context_length=context_length,
        layers=layers,
        final_norm=_NORM,
        unembedding=Unembedding.OWN,
    )


def _olmo3(num_layers: int, d_model: int, heads: CausalAttentionConfig, d_ff: int) -> DecoderConfig:
    yarn = YarnScaling(factor=8.0, context=8192, alpha=1.0, beta=32.0, is_truncated=True)
    stretched = RopeConfig(base=500_000.0, rotary_dim=128, scaling=yarn)
    local = replace(heads, reach=Window(size=4096))
    return _olmo(100278, d_model, 65536, olmo3_layers(num_layers, local, stretched, d_ff))


#: OLMo 2 (arXiv:2501.00656), table 3; sizes as in litgpt.
OLMO2_7B = _olmo(100352, 4096, 4096, (_layer(_heads(32, 32), 11008),) * 32)
OLMO2_13B = _olmo(100352, 5120, 4096, (_layer(_heads(40, 40), 13824),) * 40)

#: Sizes, windows and YaRN's factor and context as in LLMs-from-scratch, ``ch05/13_olmo3``; where
#: its ramp ends, and that its ends are whole pairs, as transformers has it where nothing is said.
OLMO3_7B = _olmo3(32, 4096, _heads(32, 32), 11008)
OLMO3_32B = _olmo3(64, 5120, _heads(40, 8), 27648)
