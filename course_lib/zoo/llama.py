"""Llama and its relatives: RMS norms before, RoPE, SwiGLU, no biases; Mistral, SmolLM3."""

from dataclasses import replace

from course_lib.config.attention import AttentionConfig, CausalAttentionConfig
from course_lib.config.attention_parts import Window
from course_lib.config.decoder import DecoderConfig, LayerConfig, Unembedding
from course_lib.config.feed_forward import GatedFeedForwardConfig
from course_lib.config.norms import RMSNormConfig
from course_lib.config.rope import Llama3Scaling, NoRope, RopeConfig
from course_lib.layers.activations import silu

__all__ = [
    "LLAMA2_7B",
    "LLAMA2_70B",
    "LLAMA3_8B",
    "LLAMA31_8B",
    "LLAMA31_70B",
    "LLAMA31_405B",
    "LLAMA32_1B",
    "MISTRAL_7B_V01",
    "MISTRAL_7B_V03",
    "SMOLLM3_3B",
    "llama_layer",
]


def llama_layer(attention: AttentionConfig, d_ff: int, eps: float = 1e-5) -> LayerConfig:
    """Put a block of Llama's kind together.

    Args:
        attention: the attention.
        d_ff: F, the width inside the gated network.
        eps: of the norms.

    Returns:
        The layer's configuration.

    Source: Touvron et al. 2023 (arXiv:2302.13971), sec. 2.2.
    """
    return LayerConfig(
        attention=attention,
        feed_forward=GatedFeedForwardConfig(d_ff=d_ff, activation=silu),
        norm=RMSNormConfig(eps=eps),
    )


def _heads(
    num_heads: int, num_kv_heads: int, head_dim: int, rope: RopeConfig
) -> CausalAttentionConfig:
    return CausalAttentionConfig(
        num_heads=num_heads, num_kv_heads=num_kv_heads, head_dim=head_dim, rope=rope
    )


def _llama(
    num_layers: int, d_model: int, layer: LayerConfig, vocab_size: int, context_length: int
) -> DecoderConfig:
    return DecoderConfig(
        vocab_size=vocab_size,
        d_model=d_model,
        context_length=context_length,
        layers=(layer,) * num_layers,
        final_norm=layer.norm,
        unembedding=Unembedding.OWN,
    )


_ROPE_2 = RopeConfig(base=10_000.0, rotary_dim=128)
_ROPE_3 = RopeConfig(base=500_000.0, rotary_dim=128)
_ROPE_31 = replace(
    _ROPE_3,
    scaling=Llama3Scaling(factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, context=8192),
)
_ROPE_32 = RopeConfig(
    base=500_000.0,
    rotary_dim=64,
    scaling=Llama3Scaling(factor=32.0, low_freq_factor=1.0, high_freq_factor=4.0, context=8192),
)

#: Touvron et al. 2023 (arXiv:2307.09288), table 1; the sizes inside as in litgpt.
LLAMA2_7B = _llama(32, 4096, llama_layer(_heads(32, 32, 128, _ROPE_2), 11008), 32000, 4096)
LLAMA2_70B = _llama(80, 8192, llama_layer(_heads(64, 8, 128, _ROPE_2), 28672), 32000, 4096)

#: Grattafiori et al. 2024 (arXiv:2407.21783), table 3; how the context was stretched, and all of
#: Llama 3.2, as in litgpt.
LLAMA3_8B = _llama(32, 4096, llama_layer(_heads(32, 8, 128, _ROPE_3), 14336), 128256, 8192)
LLAMA31_8B = _llama(32, 4096, llama_layer(_heads(32, 8, 128, _ROPE_31), 14336), 128256, 131072)
LLAMA31_70B = _llama(80, 8192, llama_layer(_heads(64, 8, 128, _ROPE_31), 28672), 128256, 131072)
LLAMA31_405B = _llama(126, 16384, llama_layer(_heads(128, 8, 128, _ROPE_31), 53248), 128256, 131072)
LLAMA32_1B = replace(
    _llama(16, 2048, llama_layer(_heads(32, 8, 64, _ROPE_32), 8192), 128256, 131072),
    unembedding=Unembedding.TIED,
)

#: Jiang et al. 2023 (arXiv:2310.06825), table 1: a window in every layer; v0.3 has none. The table
#: prints a context of 8,192 tokens; both released configurations say 32,768.
MISTRAL_7B_V01 = _llama(
    32,
    4096,
    llama_layer(replace(_heads(32, 8, 128, _ROPE_2), reach=Window(size=4096)), 14336),
    32000,
    32768,
)
MISTRAL_7B_V03 = _llama(
    32,
    4096,
    llama_layer(_heads(32, 8, 128, RopeConfig(base=1_000_000.0, rotary_dim=128)), 14336),
    32768,
    32768,
)

# The base of the last of two extensions, 4k -> 32k at 1.5 million and 32k -> 64k at 5 million.
# transformers' class defaults are neither: 2 million and 32,768 tokens.
_SMOLLM3_HEADS = _heads(16, 4, 128, RopeConfig(base=5_000_000.0, rotary_dim=128))
_SMOLLM3 = llama_layer(_SMOLLM3_HEADS, 11008, 1e-6)
_SMOLLM3_NOPE = llama_layer(replace(_SMOLLM3_HEADS, rope=NoRope()), 11008, 1e-6)

#: Hugging Face 2025, "SmolLM3: smol, multilingual, long-context reasoner" (huggingface/blog,
#: ``smollm3.md``): the table is tied, every fourth layer is without positions (arXiv:2501.18795),
#: and training ended at 65,536 tokens. ggml-org/llama.cpp's pull request 14581 prints the released
#: file's context, base and eps; sizes as in transformers.
SMOLLM3_3B = DecoderConfig(
    vocab_size=128256,
    d_model=2048,
    context_length=65536,
    layers=(_SMOLLM3, _SMOLLM3, _SMOLLM3, _SMOLLM3_NOPE) * 9,
    final_norm=RMSNormConfig(eps=1e-6),
    unembedding=Unembedding.TIED,
)
