"""DeepSeek-V2 and V3 and Kimi K2: latent attention, and many small experts beside a shared one."""

from course_lib.config.decoder import DecoderConfig, LayerConfig, Unembedding
from course_lib.config.experts import AffinityMixtureConfig, ShareMixtureConfig
from course_lib.config.feed_forward import GatedFeedForwardConfig
from course_lib.config.latent import LatentAttentionConfig
from course_lib.config.norms import RMSNormConfig
from course_lib.config.rope import RopeConfig
from course_lib.layers.activations import silu

__all__ = ["DEEPSEEK_V2", "DEEPSEEK_V2_LITE", "DEEPSEEK_V3", "KIMI_K2"]

_NORM = RMSNormConfig(eps=1e-6)


def _latent(num_heads: int, query_latent_dim: int | None, base: float) -> LatentAttentionConfig:
    return LatentAttentionConfig(
        num_heads=num_heads,
        head_dim=128,
        value_dim=128,
        latent_dim=512,
        query_latent_dim=query_latent_dim,
        rope=RopeConfig(base=base, rotary_dim=64),
        norm=_NORM,
    )


def _deepseek(
    attention: LatentAttentionConfig,
    sizes: tuple[int, int, int],
    num_dense: int,
    experts: AffinityMixtureConfig | ShareMixtureConfig,
    vocab_size: int,
) -> DecoderConfig:
    num_layers, d_model, d_ff = sizes
    dense = GatedFeedForwardConfig(d_ff=d_ff, activation=silu)
    layers = [
        LayerConfig(attention=attention, feed_forward=network, norm=_NORM)
        for network in [dense] * num_dense + [experts] * (num_layers - num_dense)
    ]
    return DecoderConfig(
        vocab_size=vocab_size,
        d_model=d_model,
        context_length=4096,
        layers=tuple(layers),
        final_norm=_NORM,
        unembedding=Unembedding.OWN,
    )


_V2_LITE = ShareMixtureConfig(num_experts=64, experts_per_token=6, d_ff=1408, num_shared=2)
_V2 = ShareMixtureConfig(
    num_experts=160,
    experts_per_token=6,
    d_ff=1536,
    num_shared=2,
    weight_factor=16.0,
    num_groups=8,
    groups_kept=3,
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

#: DeepSeek-V2 (arXiv:2405.04434), sec. 3.1.2 and appendix B; factors and groups as in the
#: configurations of DeepSeek-V3's repository, which hold these two as well.
DEEPSEEK_V2_LITE = _deepseek(_latent(16, None, 1e4), (27, 2048, 10944), 1, _V2_LITE, 102400)
DEEPSEEK_V2 = _deepseek(_latent(128, 1536, 1e4), (60, 5120, 12288), 1, _V2, 102400)

#: DeepSeek-V3 (arXiv:2412.19437), sec. 4.2, and Kimi K2 (arXiv:2507.20534), table 2. All four have
#: the context of the pre-training. YaRN came afterwards, by 40 and in Kimi K2 by 32; their code
#: lets it change the scale of all scores, which these parts do not hold. Without the layer that
#: foretells a second token.
DEEPSEEK_V3 = _deepseek(_latent(128, 1536, 1e4), (61, 7168, 18432), 3, _V3, 129280)
KIMI_K2 = _deepseek(_latent(64, 1536, 5e4), (61, 7168, 18432), 1, _K2, 163840)
