"""GPT-2 and GPT-3: norms before, biases, learned positions, GELU."""

from course_lib.config.attention import CausalAttentionConfig
from course_lib.config.attention_parts import Biases
from course_lib.config.decoder import (
    DecoderConfig,
    LayerConfig,
    LearnedPositions,
    Unembedding,
)
from course_lib.config.feed_forward import PlainFeedForwardConfig
from course_lib.config.norms import LayerNormConfig
from course_lib.layers.activations import gelu_tanh
from course_lib.sizes import require_positive

__all__ = ["GPT2_L", "GPT2_M", "GPT2_S", "GPT2_XL", "GPT3_175B", "gpt_config"]


def gpt_config(
    num_layers: int, num_heads: int, d_model: int, vocab_size: int, context_length: int
) -> DecoderConfig:
    """Put a model of GPT-2's kind together.

    Args:
        num_layers: L blocks.
        num_heads: H; D is d_model / H.
        d_model: C; F is 4 C.
        vocab_size: V words.
        context_length: tokens, the rows of the table of positions.

    Returns:
        The configuration.

    Raises:
        ValueError: if a size is below 1, or num_heads does not divide d_model.

    Source: Radford et al. 2019 (GPT-2), sec. 2.3; openai/gpt-2 ``src/model.py``.
    """
    require_positive(num_layers=num_layers, num_heads=num_heads, d_model=d_model)
    if d_model % num_heads:
        raise ValueError(
            "GPT-2 cuts d_model into heads of equal size, so num_heads divides it; "
            f"d_model is {d_model} and num_heads {num_heads}"
        )
    layer = LayerConfig(
        attention=CausalAttentionConfig(
            num_heads=num_heads,
            num_kv_heads=num_heads,
            head_dim=d_model // num_heads,
            biases=Biases.ALL,
        ),
        feed_forward=PlainFeedForwardConfig(d_ff=4 * d_model, activation=gelu_tanh, has_bias=True),
        norm=LayerNormConfig(eps=1e-5),
    )
    return DecoderConfig(
        vocab_size=vocab_size,
        d_model=d_model,
        context_length=context_length,
        embedding_steps=(LearnedPositions(),),
        layers=(layer,) * num_layers,
        final_norm=LayerNormConfig(eps=1e-5),
        unembedding=Unembedding.TIED,
    )


#: Radford et al. 2019 (GPT-2), table 2.
GPT2_S = gpt_config(12, 12, 768, 50257, 1024)
GPT2_M = gpt_config(24, 16, 1024, 50257, 1024)
GPT2_L = gpt_config(36, 20, 1280, 50257, 1024)
GPT2_XL = gpt_config(48, 25, 1600, 50257, 1024)

#: Brown et al. 2020 (arXiv:2005.14165), table 2.1. Its alternating banded layers are left out: the
#: width of the band is not published; they change neither a weight nor a count.
GPT3_175B = gpt_config(96, 96, 12288, 50257, 2048)
