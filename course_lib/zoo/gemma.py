"""Gemma 2 and 3: norms on both sides, a scaled embedding, a window in half the layers or more."""

import math
from dataclasses import replace

from course_lib.config.arrangement import SandwichNorm
from course_lib.config.attention import CausalAttentionConfig
from course_lib.config.attention_parts import Everything, QueryPreAttnScalar, SoftCap, Window
from course_lib.config.decoder import (
    DecoderConfig,
    EmbeddingScale,
    LayerConfig,
    LogitStep,
    Unembedding,
)
from course_lib.config.feed_forward import GatedFeedForwardConfig
from course_lib.config.norms import HeadQKNorm, UnitOffsetRMSNormConfig
from course_lib.config.rope import LinearScaling, RopeConfig
from course_lib.layers.activations import gelu_tanh
from course_lib.sizes import require_positive

__all__ = [
    "GEMMA2_2B",
    "GEMMA2_9B",
    "GEMMA2_27B",
    "GEMMA3_1B",
    "GEMMA3_4B",
    "GEMMA3_12B",
    "GEMMA3_27B",
    "GEMMA3_270M",
    "gemma2_layers",
    "gemma3_layers",
]


def _layer(attention: CausalAttentionConfig, d_ff: int) -> LayerConfig:
    return LayerConfig(
        attention=attention,
        feed_forward=GatedFeedForwardConfig(d_ff=d_ff, activation=gelu_tanh),
        norm=UnitOffsetRMSNormConfig(),
        arrangement=SandwichNorm(),
    )


def gemma2_layers(
    num_layers: int, attention: CausalAttentionConfig, d_ff: int
) -> tuple[LayerConfig, ...]:
    """Alternate layers with the window, which come first, and layers that read everything.

    Args:
        num_layers: L blocks.
        attention: the attention of a layer with a window.
        d_ff: F, the width inside the feed-forward network.

    Returns:
        The layers.

    Raises:
        ValueError: if there is no layer.

    Source: Gemma 2 (arXiv:2408.00118), sec. 2; google/gemma_pytorch ``config.py``.
    """
    require_positive(num_layers=num_layers)
    local = _layer(attention, d_ff)
    everything = _layer(replace(attention, reach=Everything()), d_ff)
    return tuple(everything if layer % 2 else local for layer in range(num_layers))


def gemma3_layers(
    num_layers: int, attention: CausalAttentionConfig, global_rope: RopeConfig, d_ff: int
) -> tuple[LayerConfig, ...]:
    """Let every sixth layer read everything, with slower rotations.

    Args:
        num_layers: L blocks.
        attention: the attention of a layer with a window.
        global_rope: the rotations of the layers without one.
        d_ff: F, the width inside the feed-forward network.

    Returns:
        The layers.

    Raises:
        ValueError: if there is no layer.

    Source: Gemma 3 (arXiv:2503.19786), sec. 2; google/gemma_pytorch ``config.py``.
    """
    require_positive(num_layers=num_layers)
    local = _layer(attention, d_ff)
    everything = _layer(replace(attention, reach=Everything(), rope=global_rope), d_ff)
    return tuple(everything if layer % 6 == 5 else local for layer in range(num_layers))


def _gemma(
    vocab_size: int,
    d_model: int,
    context_length: int,
    layers: tuple[LayerConfig, ...],
    *logit_steps: LogitStep,
) -> DecoderConfig:
    return DecoderConfig(
        vocab_size=vocab_size,
        d_model=d_model,
        context_length=context_length,
        embedding_steps=(EmbeddingScale(factor=math.sqrt(d_model)),),
        layers=layers,
        final_norm=UnitOffsetRMSNormConfig(),
        unembedding=Unembedding.TIED,
        logit_steps=logit_steps,
    )


def _gemma2(
    num_layers: int, d_model: int, heads: tuple[int, int, int], d_ff: int, scalar: float
) -> DecoderConfig:
    num_heads, num_kv_heads, head_dim = heads
    attention = CausalAttentionConfig(
        num_heads=num_heads,
        num_kv_heads=num_kv_heads,
        head_dim=head_dim,
        rope=RopeConfig(base=10_000.0, rotary_dim=head_dim),
        scale=QueryPreAttnScalar(scalar=scalar),
        score_steps=(SoftCap(cap=50.0),),
        reach=Window(size=4096),
    )
    layers = gemma2_layers(num_layers, attention, d_ff)
    return _gemma(256000, d_model, 8192, layers, SoftCap(cap=30.0))


def _gemma3(
    sizes: tuple[int, int, int],
    heads: tuple[int, int, int],
    window: int,
    scalar: float,
    context_length: int,
) -> DecoderConfig:
    num_layers, d_model, d_ff = sizes
    num_heads, num_kv_heads, head_dim = heads
    attention = CausalAttentionConfig(
        num_heads=num_heads,
        num_kv_heads=num_kv_heads,
        head_dim=head_dim,
        rope=RopeConfig(base=10_000.0, rotary_dim=head_dim),
        qk_norm=HeadQKNorm(norm=UnitOffsetRMSNormConfig()),
        scale=QueryPreAttnScalar(scalar=scalar),
        reach=Window(size=window),
    )
    # The sizes that read 131,072 tokens divide the frequencies of their global layers by 8.
    scaling = LinearScaling(factor=8.0) if context_length > 32768 else None
    global_rope = RopeConfig(base=1_000_000.0, rotary_dim=head_dim, scaling=scaling)
    layers = gemma3_layers(num_layers, attention, global_rope, d_ff)
    return _gemma(262144, d_model, context_length, layers)


#: Gemma 2 (arXiv:2408.00118), table 1; the scalars and caps: google/gemma_pytorch ``config.py``.
GEMMA2_2B = _gemma2(26, 2304, (8, 4, 256), 9216, 256)
GEMMA2_9B = _gemma2(42, 3584, (16, 8, 256), 14336, 256)
GEMMA2_27B = _gemma2(46, 4608, (32, 16, 128), 36864, 144)

#: Gemma 3 (arXiv:2503.19786) and google/gemma_pytorch; the text half, at a vocabulary of 262,144.
#: The 1B's context is 32,768 in google/gemma_pytorch; others print 131,072.
GEMMA3_270M = _gemma3((18, 640, 2048), (4, 1, 256), 512, 256, 32768)
GEMMA3_1B = _gemma3((26, 1152, 6912), (4, 1, 256), 512, 256, 32768)
GEMMA3_4B = _gemma3((34, 2560, 10240), (8, 4, 256), 1024, 256, 131072)
GEMMA3_12B = _gemma3((48, 3840, 15360), (16, 8, 256), 1024, 256, 131072)
GEMMA3_27B = _gemma3((62, 5376, 21504), (32, 16, 128), 1024, 168, 131072)
