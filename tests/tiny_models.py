"""Tiny random models of released architectures: transformers' and ours, with the same weights."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
import transformers as hf
from torch import Tensor, nn

from course_lib.checkpoints.falcon import from_falcon
from course_lib.checkpoints.gpt2 import from_gpt2
from course_lib.checkpoints.llama import from_llama
from course_lib.config.arrangement import InnerNorm, Parallel
from course_lib.config.attention import CausalAttentionConfig
from course_lib.config.attention_parts import QueryPreAttnScalar, SoftCap, Window
from course_lib.config.decoder import (
    DecoderConfig,
    EmbeddingScale,
    LayerConfig,
    Unembedding,
)
from course_lib.config.feed_forward import GatedFeedForwardConfig, PlainFeedForwardConfig
from course_lib.config.norms import (
    HeadQKNorm,
    LayerNormConfig,
    ProjectionQKNorm,
    RMSNormConfig,
    UnitOffsetRMSNormConfig,
)
from course_lib.config.rope import LinearScaling, Llama3Scaling, NoRope, RopeConfig, YarnScaling
from course_lib.layers.activations import gelu, silu
from course_lib.model.decoder import Decoder
from course_lib.zoo.gemma import gemma2_layers, gemma3_layers
from course_lib.zoo.gpt import gpt_config

#: V, C, H, G, D, F, L: all different, H · D is not C, and L is past Gemma 3's first global layer.
V, C, H, G, D, F, L = 97, 48, 6, 2, 10, 72, 7
WINDOW, CONTEXT = 5, 64

Convert = Callable[[Mapping[str, Tensor], DecoderConfig], dict[str, Tensor]]


@dataclass(frozen=True)
class Architecture:
    """How to make one architecture, theirs and ours."""

    theirs: Callable[[], nn.Module]
    ours: DecoderConfig
    convert: Convert = from_llama


def _sizes(**changes: object) -> dict[str, object]:
    sizes = {
        "vocab_size": V,
        "hidden_size": C,
        "intermediate_size": F,
        "num_hidden_layers": L,
        "num_attention_heads": H,
        "num_key_value_heads": G,
        "head_dim": D,
        "max_position_embeddings": CONTEXT,
        "rms_norm_eps": 1e-6,
        "attn_implementation": "eager",
        "bos_token_id": None,
        "eos_token_id": None,
        "pad_token_id": None,
    }
    return {**sizes, **changes}


def _rope(base: float, **scaling: object) -> dict[str, object]:
    return {"rope_type": "default", "rope_theta": base, **scaling}


ROPE = RopeConfig(base=1e4, rotary_dim=D)
HEADS = CausalAttentionConfig(num_heads=H, num_kv_heads=G, head_dim=D, rope=ROPE)
RMS = RMSNormConfig(eps=1e-6)


def _layer(attention: CausalAttentionConfig = HEADS, **changes: object) -> LayerConfig:
    gated = GatedFeedForwardConfig(d_ff=F, activation=silu)
    return replace(LayerConfig(attention=attention, feed_forward=gated, norm=RMS), **changes)


def _decoder(*layers: LayerConfig, **changes: object) -> DecoderConfig:
    plain = DecoderConfig(
        vocab_size=V,
        d_model=C,
        context_length=CONTEXT,
        layers=layers,
        final_norm=layers[0].norm,
        unembedding=Unembedding.OWN,
    )
    return replace(plain, **changes)


def _llama(**rope: object) -> Callable[[], nn.Module]:
    return lambda: hf.LlamaForCausalLM(hf.LlamaConfig(**_sizes(rope_parameters=_rope(1e4, **rope))))


def _scaled(scaling: object) -> DecoderConfig:
    return _decoder(*[_layer(replace(HEADS, rope=replace(ROPE, scaling=scaling)))] * L)


GEMMA = {
    "final_norm": UnitOffsetRMSNormConfig(),
    "unembedding": Unembedding.TIED,
    "embedding_steps": (EmbeddingScale(factor=C**0.5),),
}
LOCAL = replace(HEADS, reach=Window(size=WINDOW), scale=QueryPreAttnScalar(scalar=13))
UNIT_OFFSET = HeadQKNorm(norm=UnitOffsetRMSNormConfig())
GLOBAL_ROPE = RopeConfig(base=1e6, rotary_dim=D, scaling=LinearScaling(factor=8.0))

ARCHITECTURES: dict[str, Architecture] = {
    "GPT-2": Architecture(
        theirs=lambda: hf.GPT2LMHeadModel(
            hf.GPT2Config(
                vocab_size=V,
                n_embd=C,
                n_layer=L,
                n_head=H,
                n_positions=CONTEXT,
                attn_implementation="eager",
                bos_token_id=None,
                eos_token_id=None,
            )
        ),
        ours=gpt_config(L, H, C, V, CONTEXT),
        convert=from_gpt2,
    ),
    "Llama 2": Architecture(
        theirs=lambda: hf.LlamaForCausalLM(
            hf.LlamaConfig(**_sizes(num_key_value_heads=H, rope_parameters=_rope(1e4)))
        ),
        ours=_decoder(*[_layer(replace(HEADS, num_kv_heads=H))] * L),
    ),
    "Llama 3": Architecture(theirs=_llama(), ours=_decoder(*[_layer()] * L)),
    "Llama 3.1": Architecture(
        theirs=_llama(
            rope_type="llama3",
            factor=8.0,
            low_freq_factor=1.0,
            high_freq_factor=4.0,
            original_max_position_embeddings=16,
        ),
        ours=_scaled(
            Llama3Scaling(factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, context=16)
        ),
    ),
    "Llama with YaRN": Architecture(
        theirs=_llama(
            rope_type="yarn",
            factor=4.0,
            beta_fast=32.0,
            beta_slow=1.0,
            original_max_position_embeddings=16,
        ),
        ours=_scaled(YarnScaling(factor=4.0, context=16, alpha=1.0, beta=32.0, is_truncated=True)),
    ),
    "Mistral": Architecture(
        theirs=lambda: hf.MistralForCausalLM(
            hf.MistralConfig(**_sizes(sliding_window=WINDOW, rope_parameters=_rope(1e4)))
        ),
        ours=_decoder(*[_layer(replace(HEADS, reach=Window(size=WINDOW)))] * L),
    ),
    "Qwen3": Architecture(
        theirs=lambda: hf.Qwen3ForCausalLM(hf.Qwen3Config(**_sizes(rope_parameters=_rope(1e4)))),
        ours=_decoder(*[_layer(replace(HEADS, qk_norm=HeadQKNorm(norm=RMS)))] * L),
    ),
    "OLMo 2": Architecture(
        theirs=lambda: hf.Olmo2ForCausalLM(hf.Olmo2Config(**_sizes(rope_parameters=_rope(1e4)))),
        ours=_decoder(
            *[
                _layer(
                    replace(HEADS, qk_norm=ProjectionQKNorm(norm=RMS)),
                    arrangement=InnerNorm(),
                )
            ]
            * L
        ),
    ),
    "SmolLM3": Architecture(
        theirs=lambda: hf.SmolLM3ForCausalLM(
            hf.SmolLM3Config(
                **_sizes(rope_parameters=_rope(1e4), tie_word_embeddings=True, sliding_window=None)
            )
        ),
        ours=_decoder(
            *[
                _layer(replace(HEADS, rope=NoRope() if number % 4 == 3 else ROPE))
                for number in range(L)
            ],
            unembedding=Unembedding.TIED,
        ),
    ),
    "Gemma 2": Architecture(
        theirs=lambda: hf.Gemma2ForCausalLM(
            hf.Gemma2Config(
                **_sizes(
                    rope_parameters=_rope(1e4),
                    sliding_window=WINDOW,
                    query_pre_attn_scalar=13,
                    attn_logit_softcapping=2.0,
                    final_logit_softcapping=1.5,
                )
            )
        ),
        ours=_decoder(
            *gemma2_layers(L, replace(LOCAL, score_steps=(SoftCap(cap=2.0),)), F),
            **GEMMA,
            logit_steps=(SoftCap(cap=1.5),),
        ),
    ),
    "Gemma 3": Architecture(
        theirs=lambda: hf.Gemma3ForCausalLM(
            hf.Gemma3TextConfig(
                **_sizes(
                    rope_parameters={
                        "sliding_attention": _rope(1e4),
                        "full_attention": _rope(1e6, rope_type="linear", factor=8.0),
                    },
                    sliding_window=WINDOW,
                    query_pre_attn_scalar=13,
                )
            )
        ),
        ours=_decoder(
            *gemma3_layers(L, replace(LOCAL, qk_norm=UNIT_OFFSET), GLOBAL_ROPE, F), **GEMMA
        ),
    ),
    "Falcon": Architecture(
        theirs=lambda: hf.FalconForCausalLM(
            hf.FalconConfig(
                vocab_size=V,
                hidden_size=C,
                num_hidden_layers=L,
                num_attention_heads=H,
                ffn_hidden_size=F,
                max_position_embeddings=CONTEXT,
                rope_parameters=_rope(1e4),
                attn_implementation="eager",
                bos_token_id=None,
                eos_token_id=None,
            )
        ),
        ours=_decoder(
            *[
                LayerConfig(
                    attention=CausalAttentionConfig(
                        num_heads=H,
                        num_kv_heads=1,
                        head_dim=C // H,
                        rope=RopeConfig(base=1e4, rotary_dim=C // H),
                    ),
                    feed_forward=PlainFeedForwardConfig(d_ff=F, activation=gelu, has_bias=False),
                    norm=LayerNormConfig(eps=1e-5),
                    arrangement=Parallel(),
                )
            ]
            * L,
            unembedding=Unembedding.TIED,
        ),
        convert=from_falcon,
    ),
}


def draw_all(model: nn.Module, seed: int) -> None:
    """Draw every parameter, gains, shifts and biases too: none of them is at its neutral value."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            spread = 0.3 if parameter.ndim == 1 else 0.7 * parameter.shape[-1] ** -0.5
            parameter.add_(spread * torch.randn(parameter.shape, generator=generator))


def make_pair(name: str, seed: int = 0) -> tuple[nn.Module, Decoder]:
    """Draw one model of transformers and load its weights into ours."""
    architecture = ARCHITECTURES[name]
    torch.manual_seed(seed)
    theirs = architecture.theirs().eval()
    draw_all(theirs, seed)
    ours = Decoder(architecture.ours)
    converted = architecture.convert(theirs.state_dict(), architecture.ours)
    ours.load_state_dict(converted)
    return theirs, ours.eval()
