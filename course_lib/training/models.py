"""Models small enough to be trained in a minute, with their first weights drawn."""

import torch
from torch import nn

from course_lib.config.attention import CausalAttentionConfig
from course_lib.config.attention_parts import Biases
from course_lib.config.decoder import (
    DecoderConfig,
    LayerConfig,
    LearnedPositions,
    Unembedding,
)
from course_lib.config.encoder import EncoderConfig, EncoderDecoderConfig
from course_lib.config.feed_forward import GatedFeedForwardConfig, PlainFeedForwardConfig
from course_lib.config.norms import LayerNormConfig, RMSNormConfig
from course_lib.config.rope import RopeConfig
from course_lib.layers.activations import gelu, relu, silu
from course_lib.model.decoder import Decoder
from course_lib.model.initialise import initialise
from course_lib.model.vaswani import EncoderDecoder
from course_lib.recurrence import seq2seq
from course_lib.sizes import require_positive

__all__ = [
    "draw_decoder",
    "draw_encoder_decoder",
    "draw_seq2seq",
    "small_encoder_decoder",
    "small_learned",
    "small_rotary",
]

#: No toy task has a longer sequence.
_CONTEXT = 64


def small_rotary(vocab_size: int, num_layers: int, d_model: int, num_heads: int) -> DecoderConfig:
    """Put a small decoder of Llama's kind together: positions turn queries and keys.

    Args:
        vocab_size: V words.
        num_layers: L blocks.
        d_model: C; F is 2 C.
        num_heads: H, which divides C; D = C / H is even.

    Returns:
        The configuration.

    Raises:
        ValueError: if a size is below 1, or no whole number.

    Source: Touvron et al. 2023 (arXiv:2302.13971), sec. 2.2, with a narrower network.
    """
    require_positive(num_layers=num_layers, d_model=d_model, num_heads=num_heads)
    head_dim = d_model // num_heads
    layer = LayerConfig(
        attention=CausalAttentionConfig(
            num_heads=num_heads,
            num_kv_heads=num_heads,
            head_dim=head_dim,
            rope=RopeConfig(base=10_000.0, rotary_dim=head_dim),
        ),
        feed_forward=GatedFeedForwardConfig(d_ff=2 * d_model, activation=silu),
        norm=RMSNormConfig(eps=1e-5),
    )
    return DecoderConfig(
        vocab_size=vocab_size,
        d_model=d_model,
        context_length=_CONTEXT,
        layers=(layer,) * num_layers,
        final_norm=layer.norm,
        unembedding=Unembedding.OWN,
    )


def small_learned(vocab_size: int, num_layers: int, d_model: int, num_heads: int) -> DecoderConfig:
    """Put a small decoder of GPT-2's kind together: a learned vector for each position.

    Args:
        vocab_size: V words.
        num_layers: L blocks.
        d_model: C; F is 4 C.
        num_heads: H, which divides C.

    Returns:
        The configuration.

    Raises:
        ValueError: if a size is below 1, or no whole number.

    Source: Radford et al. 2019 (GPT-2), sec. 2.3, without the tie.
    """
    require_positive(num_layers=num_layers, d_model=d_model, num_heads=num_heads)
    layer = LayerConfig(
        attention=CausalAttentionConfig(
            num_heads=num_heads,
            num_kv_heads=num_heads,
            head_dim=d_model // num_heads,
            biases=Biases.ALL,
        ),
        feed_forward=PlainFeedForwardConfig(d_ff=4 * d_model, activation=gelu, has_bias=True),
        norm=LayerNormConfig(),
    )
    return DecoderConfig(
        vocab_size=vocab_size,
        d_model=d_model,
        context_length=_CONTEXT,
        layers=(layer,) * num_layers,
        final_norm=layer.norm,
        unembedding=Unembedding.OWN,
        embedding_steps=(LearnedPositions(),),
    )


def small_encoder_decoder(
    vocab_size: int, num_layers: int, d_model: int, num_heads: int
) -> EncoderDecoderConfig:
    """Put a small Transformer of 2017 together.

    Args:
        vocab_size: V words.
        num_layers: L, of the encoder and of the decoder each.
        d_model: C; F is 2 C.
        num_heads: H, which divides C.

    Returns:
        The configuration.

    Raises:
        ValueError: if a size is below 1, or no whole number.

    Source: Vaswani et al. 2017 (arXiv:1706.03762), sec. 3.
    """
    require_positive(num_layers=num_layers, d_model=d_model, num_heads=num_heads)
    layers = EncoderConfig(
        d_model=d_model,
        num_heads=num_heads,
        head_dim=d_model // num_heads,
        num_layers=num_layers,
        feed_forward=PlainFeedForwardConfig(d_ff=2 * d_model, activation=relu, has_bias=True),
        norm=LayerNormConfig(),
        has_bias=False,
    )
    return EncoderDecoderConfig(vocab_size=vocab_size, layers=layers)


def draw_decoder(config: DecoderConfig, generator: torch.Generator) -> Decoder:
    """Make a decoder and draw its first weights.

    Args:
        config: its sizes and choices.
        generator: where the randomness comes from.

    Returns:
        The decoder; the deviation of its matrices is 1/√C, since 0.02 is meant for wider models.
    """
    model = Decoder(config)
    initialise(model, generator, std=config.d_model**-0.5)
    return model


def draw_encoder_decoder(
    config: EncoderDecoderConfig, generator: torch.Generator
) -> EncoderDecoder:
    """Make a Transformer of 2017 and draw its first weights.

    Args:
        config: its sizes.
        generator: where the randomness comes from.

    Returns:
        The model; the deviation of its matrices is 1/√C.
    """
    model = EncoderDecoder(config)
    initialise(model, generator, std=config.layers.d_model**-0.5)
    return model


def draw_seq2seq(
    kind: type[seq2seq.RecurrentEncoderDecoder],
    vocab_size: int,
    num_units: int,
    generator: torch.Generator,
) -> nn.Module:
    """Make a recurrent encoder-decoder and draw its first weights.

    Args:
        kind: the class, with attention or without.
        vocab_size: V words.
        num_units: N units.
        generator: where the randomness comes from.

    Returns:
        The model.
    """
    model = kind(vocab_size, num_units)
    seq2seq.draw(model, generator)
    return model
