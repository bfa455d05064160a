"""What the tiny models have in common: sizes, and how theirs and ours are put together."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from torch import Tensor, nn

from course_lib.checkpoints.llama import from_llama
from course_lib.config.attention import CausalAttentionConfig
from course_lib.config.decoder import (
    DecoderConfig,
    LayerConfig,
    Unembedding,
)
from course_lib.config.feed_forward import (
    Activation,
    GatedFeedForwardConfig,
    PlainFeedForwardConfig,
)
from course_lib.config.norms import (
    HeadQKNorm,
    LayerNormConfig,
    RMSNormConfig,
)
from course_lib.config.rope import RopeConfig
from course_lib.layers.activations import gelu, silu

#: V, C, H, G, D, F, L: all different, H · D is not C, and L is past Gemma 3's first global layer.
V, C, H, G, D, F, L = 97, 48, 6, 2, 10, 72, 7
WINDOW, CONTEXT, EXPERTS = 5, 64, 9

Convert = Callable[[Mapping[str, Tensor], DecoderConfig], dict[str, Tensor]]


@dataclass(frozen=True)
class Architecture:
    """How to make one architecture, theirs and ours."""

    theirs: Callable[[], nn.Module]
    ours: DecoderConfig
    convert: Convert = from_llama


def rope_of(base: float, **scaling: object) -> dict[str, object]:
    """Name rotations as newer configurations do."""
    return {"rope_type": "default", "rope_theta": base, **scaling}


#: What transformers' configurations have in common, older ones too, and what newer ones have.
_ALL = {
    "vocab_size": V,
    "hidden_size": C,
    "num_hidden_layers": L,
    "num_attention_heads": H,
    "attn_implementation": "eager",
    "bos_token_id": None,
    "eos_token_id": None,
    "pad_token_id": None,
}
_NEWER = {
    **_ALL,
    "intermediate_size": F,
    "num_key_value_heads": G,
    "head_dim": D,
    "max_position_embeddings": CONTEXT,
    "rms_norm_eps": 1e-6,
}


def model_of(model: type[nn.Module], config: type, **changes: object) -> Callable[[], nn.Module]:
    """Name a model of theirs with the sizes that newer configurations have."""
    return lambda: model(config(**{**_NEWER, "rope_parameters": rope_of(1e4), **changes}))


def older_model_of(
    model: type[nn.Module], config: type, **changes: object
) -> Callable[[], nn.Module]:
    """Name a model of theirs with the few sizes that older configurations have."""
    return lambda: model(config(**{**_ALL, **changes}))


ROPE = RopeConfig(base=1e4, rotary_dim=D)
HEADS = CausalAttentionConfig(num_heads=H, num_kv_heads=G, head_dim=D, rope=ROPE)
RMS = RMSNormConfig(eps=1e-6)
#: Each head's queries and keys are normalised; or a part of each is rotated.
NORMED = replace(HEADS, qk_norm=HeadQKNorm(norm=RMS))
PARTLY = RopeConfig(base=1e4, rotary_dim=4)


def layer_of(attention: CausalAttentionConfig = HEADS, **changes: object) -> LayerConfig:
    """Put a block of Llama's kind together, with changes."""
    gated = GatedFeedForwardConfig(d_ff=F, activation=silu)
    return replace(LayerConfig(attention=attention, feed_forward=gated, norm=RMS), **changes)


def decoder_of(*layers: LayerConfig, **changes: object) -> DecoderConfig:
    """Put layers together, with changes."""
    plain = DecoderConfig(
        vocab_size=V,
        d_model=C,
        context_length=CONTEXT,
        layers=layers,
        final_norm=layers[0].norm,
        unembedding=Unembedding.OWN,
    )
    return replace(plain, **changes)


def alike(layer: LayerConfig, **changes: object) -> DecoderConfig:
    """Put L equal layers together."""
    return decoder_of(*[layer] * L, **changes)


#: Heads that fill C, with G groups or one for each; half of each is rotated.
SMALL = C // H
PARTIAL = RopeConfig(base=1e4, rotary_dim=SMALL // 2)
FILLING = CausalAttentionConfig(num_heads=H, num_kv_heads=G, head_dim=SMALL, rope=PARTIAL)
LAYER_NORM = LayerNormConfig(eps=1e-5)


def plain_network(
    activation: Activation = gelu, *, has_bias: bool = True
) -> PlainFeedForwardConfig:
    """Name a network of two matrices."""
    return PlainFeedForwardConfig(d_ff=F, activation=activation, has_bias=has_bias)
