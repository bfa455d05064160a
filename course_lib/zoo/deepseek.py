"""DeepSeek-V3 and Kimi K2: latent attention, and many small experts beside a shared one."""

from course_lib.config.decoder import DecoderConfig, LayerConfig, Unembedding
from course_lib.config.experts import AffinityMixtureConfig
from course_lib.config.feed_forward import GatedFeedForwardConfig
from course_lib.config.latent import LatentAttentionConfig
from course_lib.config.norms import RMSNormConfig
from course_lib.config.rope import RopeConfig
from course_lib.layers.activations import silu

__all__ = ["DEEPSEEK_V3", "KIMI_K2"]


def _deepseek(
    num_heads: int, num_dense: int, experts: AffinityMixtureConfig, vocab_size: int, base: float
) -> DecoderConfig:
    norm = RMSNormConfig(eps=1e-6)
    attention = LatentAttentionConfig(
        num_heads=num_heads,
        head_dim=128,
        value_dim=128,
        latent_dim=512,
        query_latent_dim=1536,
        rope=RopeConfig(base=base, rotary_dim=64),
        norm=norm,
    )
    dense = GatedFeedForwardConfig(d_ff=18432, activation=silu)
    layers = [
        LayerConfig(attention=attention, feed_forward=network, norm=norm)
        for network in [dense] * num_dense + [experts] * (61 - num_dense)
    ]
    return DecoderConfig(
        vocab_size=vocab_size,
        d_model=7168,
        context_length=4096,
        layers=tuple(layers),
        final_norm=norm,
        unembedding=Unembedding.OWN,
    )


_V3 = AffinityMixtureConfig(
    num_experts=256,
    experts_per_token=8,
    d_ff=2048,
    num_shared=1,
    weight_factor=2.5,
    num_groups=8,
    groups_kept=4,
)
_K2 = AffinityMixtureConfig(
    num_experts=384, experts_per_token=8, d_ff=2048, num_shared=1, weight_factor=2.827
)

#: DeepSeek-V3 (arXiv:2412.19437), sec. 4.2, and Kimi K2 (arXiv:2507.20534), table 2, with the
#: context of the pre-training. YaRN came afterwards, by 40 and by 32; their code lets it change the
#: scale of all scores and not the rotations, which these parts do not hold. Without the layer that
#: foretells a second token.
DEEPSEEK_V3 = _deepseek(128, 3, _V3, 129280, 10_000.0)
KIMI_K2 = _deepseek(64, 1, _K2, 163840, 50_000.0)
