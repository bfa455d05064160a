"""Falcon 7B: one key/value head, and both halves of a block side by side."""

from course_lib.config.arrangement import Parallel
from course_lib.config.attention import CausalAttentionConfig
from course_lib.config.decoder import DecoderConfig, LayerConfig, Unembedding
from course_lib.config.feed_forward import PlainFeedForwardConfig
from course_lib.config.norms import LayerNormConfig
from course_lib.config.rope import RopeConfig
from course_lib.layers.activations import gelu

__all__ = ["FALCON_7B"]

_LAYER = LayerConfig(
    attention=CausalAttentionConfig(
        num_heads=71,
        num_kv_heads=1,
        head_dim=64,
        rope=RopeConfig(base=10_000.0, rotary_dim=64),
    ),
    feed_forward=PlainFeedForwardConfig(d_ff=18176, activation=gelu, has_bias=False),
    norm=LayerNormConfig(eps=1e-5),
    arrangement=Parallel(),
)

#: Almazrouei et al. 2023 (arXiv:2311.16867); sizes as in litgpt. transformers ties the embedding.
FALCON_7B = DecoderConfig(
    vocab_size=65024,
    d_model=4544,
    context_length=2048,
    layers=(_LAYER,) * 32,
    final_norm=LayerNormConfig(eps=1e-5),
    unembedding=Unembedding.TIED,
)
