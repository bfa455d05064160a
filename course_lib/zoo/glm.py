"""GLM-4.5 and MiniMax-M2: grouped heads, rotated in part, and experts chosen by affinities."""

from collections.abc import Sequence

from course_lib.config.attention import CausalAttentionConfig
from course_lib.config.attention_parts import Biases
from course_lib.config.decoder import DecoderConfig, LayerConfig, Unembedding
from course_lib.config.experts import AffinityMixtureConfig
from course_lib.config.feed_forward import FeedForwardConfig, GatedFeedForwardConfig
from course_lib.config.norms import HeadQKNorm, NoQKNorm, ProjectionQKNorm, RMSNormConfig
from course_lib.config.rope import RopeConfig
from course_lib.layers.activations import silu

__all__ = ["GLM45", "GLM45_AIR", "MINIMAX_M2"]


def _layers(
    attention: CausalAttentionConfig, norm: RMSNormConfig, networks: Sequence[FeedForwardConfig]
) -> tuple[LayerConfig, ...]:
    return tuple(
        LayerConfig(attention=attention, feed_forward=network, norm=norm) for network in networks
    )


def _glm45(
    num_layers: int, d_model: int, num_dense: int, d_ff: int, experts: AffinityMixtureConfig
) -> DecoderConfig:
    norm = RMSNormConfig(eps=1e-5)
    attention = CausalAttentionConfig(
        num_heads=96,
        num_kv_heads=8,
        head_dim=128,
        rope=RopeConfig(base=1_000_000.0, rotary_dim=64),
        # The larger one alone normalises queries and keys.
        qk_norm=HeadQKNorm(norm=norm) if d_model == 5120 else NoQKNorm(),
        biases=Biases.QUERY_KEY_VALUE,
    )
    dense = GatedFeedForwardConfig(d_ff=d_ff, activation=silu)
    networks = [dense] * num_dense + [experts] * (num_layers - num_dense)
    return DecoderConfig(
        vocab_size=151552,
        d_model=d_model,
        context_length=131072,
        layers=_layers(attention, norm, networks),
        final_norm=norm,
        unembedding=Unembedding.OWN,
    )


def _minimax_m2() -> DecoderConfig:
    norm = RMSNormConfig(eps=1e-6)
    attention = CausalAttentionConfig(
        num_heads=48,
        num_kv_heads=8,
        head_dim=128,
        rope=RopeConfig(base=5_000_000.0, rotary_dim=64),
        qk_norm=ProjectionQKNorm(norm=norm),
    )
    experts = AffinityMixtureConfig(num_experts=256, experts_per_token=8, d_ff=1536)
    return DecoderConfig(
        vocab_size=200064,
        d_model=3072,
        context_length=196608,
        layers=_layers(attention, norm, [experts] * 62),
        final_norm=norm,
        unembedding=Unembedding.OWN,
    )


_EXPERTS = AffinityMixtureConfig(
    num_experts=160, experts_per_token=8, d_ff=1536, num_shared=1, weight_factor=2.5
)
_AIR_EXPERTS = AffinityMixtureConfig(
    num_experts=128, experts_per_token=8, d_ff=1408, num_shared=1, weight_factor=1.0
)

#: GLM-4.5 (arXiv:2508.06471), table 1, without the layer that foretells a second token; the rest as
#: in copies of its ``config.json``: the files themselves were not seen.
GLM45 = _glm45(92, 5120, 3, 12288, _EXPERTS)
GLM45_AIR = _glm45(46, 4096, 1, 10944, _AIR_EXPERTS)
#: The defaults of transformers' class, whose parts and sizes are the release's.
MINIMAX_M2 = _minimax_m2()
