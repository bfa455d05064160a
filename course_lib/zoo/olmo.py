"""OLMo 2: norms on what each half writes, and on whole projections of queries and keys."""

from course_lib.config.arrangement import InnerNorm
from course_lib.config.attention import CausalAttentionConfig
from course_lib.config.decoder import DecoderConfig, LayerConfig, Unembedding
from course_lib.config.feed_forward import GatedFeedForwardConfig
from course_lib.config.norms import ProjectionQKNorm, RMSNormConfig
from course_lib.config.rope import RopeConfig
from course_lib.layers.activations import silu

__all__ = ["OLMO2_7B", "OLMO2_13B"]


def _olmo2(num_layers: int, d_model: int, num_heads: int, d_ff: int) -> DecoderConfig:
    norm = RMSNormConfig(eps=1e-6)
    layer = LayerConfig(
        attention=CausalAttentionConfig(
            num_heads=num_heads,
            num_kv_heads=num_heads,
            head_dim=d_model // num_heads,
            rope=RopeConfig(base=500_000.0, rotary_dim=d_model // num_heads),
            qk_norm=ProjectionQKNorm(norm=norm),
        ),
        feed_forward=GatedFeedForwardConfig(d_ff=d_ff, activation=silu),
        norm=norm,
        arrangement=InnerNorm(),
    )
    return DecoderConfig(
        vocab_size=100352,
        d_model=d_model,
        context_length=4096,
        layers=(layer,) * num_layers,
        final_norm=norm,
        unembedding=Unembedding.OWN,
    )


#: OLMo 2 (arXiv:2501.00656), table 3; sizes as in litgpt.
OLMO2_7B = _olmo2(32, 4096, 32, 11008)
OLMO2_13B = _olmo2(40, 5120, 40, 13824)
