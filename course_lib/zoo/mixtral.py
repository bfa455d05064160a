"""Mixtral: Mistral's block with a mixture of experts, and without the window."""

from course_lib.config.attention import CausalAttentionConfig
from course_lib.config.decoder import DecoderConfig, LayerConfig, Unembedding
from course_lib.config.experts import GatedMixtureConfig
from course_lib.config.norms import RMSNormConfig
from course_lib.config.rope import RopeConfig

__all__ = ["MIXTRAL_8X7B", "MIXTRAL_8X22B"]


def _mixtral(
    num_layers: int, d_model: int, num_heads: int, d_ff: int, vocab_size: int, context_length: int
) -> DecoderConfig:
    norm = RMSNormConfig(eps=1e-5)
    layer = LayerConfig(
        attention=CausalAttentionConfig(
            num_heads=num_heads,
            num_kv_heads=8,
            head_dim=128,
            rope=RopeConfig(base=1_000_000.0, rotary_dim=128),
        ),
        feed_forward=GatedMixtureConfig(num_experts=8, experts_per_token=2, d_ff=d_ff),
        norm=norm,
    )
    return DecoderConfig(
        vocab_size=vocab_size,
        d_model=d_model,
        context_length=context_length,
        layers=(layer,) * num_layers,
        final_norm=norm,
        unembedding=Unembedding.OWN,
    )


#: Jiang et al. 2024 (arXiv:2401.04088), table 1; the 8x22B and both contexts as in litgpt.
MIXTRAL_8X7B = _mixtral(32, 4096, 32, 14336, 32000, 32768)
MIXTRAL_8X22B = _mixtral(56, 6144, 48, 16384, 32768, 65536)
