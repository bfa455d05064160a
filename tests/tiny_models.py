"""Tiny random models of released architectures: transformers' and ours, with the same weights."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
import transformers as hf
from torch import Tensor, nn

from course_lib.checkpoints.bloom import from_bloom
from course_lib.checkpoints.deepseek import from_deepseek
from course_lib.checkpoints.falcon import from_falcon
from course_lib.checkpoints.gpt2 import from_gpt2
from course_lib.checkpoints.gpt_neox import from_gpt_neox
from course_lib.checkpoints.interleaved import from_cohere, from_gptj
from course_lib.checkpoints.llama import from_llama
from course_lib.checkpoints.mpt import from_mpt
from course_lib.checkpoints.phi import from_phi
from course_lib.config.arrangement import (
    Arrangement,
    InnerNorm,
    Parallel,
    ParallelTwoNorms,
    ScaledPreNorm,
)
from course_lib.config.attention import AlibiAttentionConfig, CausalAttentionConfig
from course_lib.config.attention_parts import (
    Biases,
    QueryPreAttnScalar,
    ScoreFactor,
    SoftCap,
    Softmax,
    Window,
)
from course_lib.config.decoder import (
    DecoderConfig,
    EmbeddingNorm,
    EmbeddingScale,
    LayerConfig,
    LogitBias,
    LogitFactor,
    Unembedding,
)
from course_lib.config.experts import (
    AffinityMixtureConfig,
    ClampedMixtureConfig,
    GatedMixtureConfig,
)
from course_lib.config.feed_forward import (
    Activation,
    GatedFeedForwardConfig,
    PlainFeedForwardConfig,
)
from course_lib.config.latent import LatentAttentionConfig
from course_lib.config.norms import (
    HeadQKNorm,
    LayerNormConfig,
    LayerNormWithoutShiftConfig,
    ProjectionQKNorm,
    RMSNormConfig,
    UnitOffsetRMSNormConfig,
)
from course_lib.config.rope import LinearScaling, Llama3Scaling, NoRope, RopeConfig, YarnScaling
from course_lib.layers.activations import gelu, gelu_tanh, silu
from course_lib.model.decoder import Decoder
from course_lib.zoo.gemma import gemma2_layers, gemma3_layers
from course_lib.zoo.gpt import gpt_config
from course_lib.zoo.gpt_oss import gpt_oss_layers

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
#: Heads that fill C, with G groups or one for each; half of each is rotated.
SMALL = C // H
PARTIAL = RopeConfig(base=1e4, rotary_dim=SMALL // 2)
FILLING = CausalAttentionConfig(num_heads=H, num_kv_heads=G, head_dim=SMALL, rope=PARTIAL)
LAYER_NORM = LayerNormConfig(eps=1e-5)


def _plain(activation: Activation = gelu, *, has_bias: bool = True) -> PlainFeedForwardConfig:
    return PlainFeedForwardConfig(d_ff=F, activation=activation, has_bias=has_bias)


def _tokens(**changes: object) -> dict[str, object]:
    """What transformers' older configurations have in common."""
    sizes = {
        "vocab_size": V,
        "hidden_size": C,
        "num_hidden_layers": L,
        "num_attention_heads": H,
        "attn_implementation": "eager",
        "bos_token_id": None,
        "eos_token_id": None,
        "pad_token_id": None,
    }
    return {**sizes, **changes}


def _falcon(**changes: object) -> Callable[[], nn.Module]:
    return lambda: hf.FalconForCausalLM(
        hf.FalconConfig(
            **_tokens(
                ffn_hidden_size=F,
                max_position_embeddings=CONTEXT,
                rope_parameters=_rope(1e4),
                **changes,
            )
        )
    )


def _falcon_layer(num_kv_heads: int, arrangement: Arrangement) -> LayerConfig:
    whole = RopeConfig(base=1e4, rotary_dim=SMALL)
    return LayerConfig(
        attention=replace(FILLING, num_kv_heads=num_kv_heads, rope=whole),
        feed_forward=_plain(has_bias=False),
        norm=LAYER_NORM,
        arrangement=arrangement,
    )


GLOBAL_ROPE = RopeConfig(base=1e6, rotary_dim=D, scaling=LinearScaling(factor=8.0))

#: Not rotated, of a value, of the latent vector, rotated.
DEEPSEEK_D, DEEPSEEK_DV, DEEPSEEK_DC, DEEPSEEK_DR = 10, 14, 20, 8


def _deepseek(model: type[nn.Module], config: type, **changes: object) -> Callable[[], nn.Module]:
    """Without experts, unless asked for: every layer is dense, as the first of V2-Lite is."""
    sizes = _sizes(
        num_key_value_heads=H,
        head_dim=DEEPSEEK_DR,
        first_k_dense_replace=L,
        kv_lora_rank=DEEPSEEK_DC,
        q_lora_rank=None,
        qk_nope_head_dim=DEEPSEEK_D,
        qk_rope_head_dim=DEEPSEEK_DR,
        v_head_dim=DEEPSEEK_DV,
        rope_parameters=_rope(1e4),
        tie_word_embeddings=False,
    )
    return lambda: model(config(**{**sizes, **changes}))


DEEPSEEK = _decoder(
    *[
        _layer(
            LatentAttentionConfig(
                num_heads=H,
                head_dim=DEEPSEEK_D,
                value_dim=DEEPSEEK_DV,
                latent_dim=DEEPSEEK_DC,
                rope=RopeConfig(base=1e4, rotary_dim=DEEPSEEK_DR),
            )
        )
    ]
    * L
)


DEEPSEEK_DCQ = 26
DEEPSEEK_EXPERTS = AffinityMixtureConfig(
    num_experts=EXPERTS,
    experts_per_token=3,
    d_ff=20,
    num_shared=1,
    weight_factor=2.5,
    num_groups=3,
    groups_kept=2,
)


def _mpt(num_heads: int) -> Architecture:
    layer = LayerConfig(
        attention=AlibiAttentionConfig(
            num_heads=num_heads, num_kv_heads=num_heads, head_dim=C // num_heads
        ),
        feed_forward=PlainFeedForwardConfig(d_ff=4 * C, activation=gelu, has_bias=False),
        norm=LayerNormWithoutShiftConfig(eps=1e-5),
    )
    return Architecture(
        theirs=lambda: hf.MptForCausalLM(
            hf.MptConfig(
                d_model=C,
                n_heads=num_heads,
                n_layers=L,
                max_seq_len=CONTEXT,
                vocab_size=V,
                attn_implementation="eager",
                bos_token_id=None,
                eos_token_id=None,
            )
        ),
        ours=_decoder(*[layer] * L, unembedding=Unembedding.TIED),
        convert=from_mpt,
    )


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
    "Qwen3 MoE": Architecture(
        theirs=lambda: hf.Qwen3MoeForCausalLM(
            hf.Qwen3MoeConfig(
                **_sizes(
                    rope_parameters=_rope(1e4),
                    num_experts=EXPERTS,
                    num_experts_per_tok=3,
                    moe_intermediate_size=20,
                    norm_topk_prob=True,
                    experts_implementation="eager",
                )
            )
        ),
        ours=_decoder(
            *[
                _layer(
                    replace(HEADS, qk_norm=HeadQKNorm(norm=RMS)),
                    feed_forward=GatedMixtureConfig(
                        num_experts=EXPERTS, experts_per_token=3, d_ff=20
                    ),
                )
            ]
            * L
        ),
    ),
    "Mixtral": Architecture(
        theirs=lambda: hf.MixtralForCausalLM(
            hf.MixtralConfig(
                **_sizes(
                    rope_parameters=_rope(1e4),
                    sliding_window=None,
                    num_local_experts=EXPERTS,
                    num_experts_per_tok=2,
                    experts_implementation="eager",
                )
            )
        ),
        ours=_decoder(
            *[
                _layer(
                    feed_forward=GatedMixtureConfig(
                        num_experts=EXPERTS, experts_per_token=2, d_ff=F
                    )
                )
            ]
            * L
        ),
    ),
    "GLM-4.5": Architecture(
        theirs=lambda: hf.Glm4MoeForCausalLM(
            hf.Glm4MoeConfig(
                **_sizes(
                    rope_parameters=_rope(1e4, partial_rotary_factor=0.4),
                    attention_bias=True,
                    use_qk_norm=True,
                    first_k_dense_replace=2,
                    n_routed_experts=EXPERTS,
                    num_experts_per_tok=3,
                    n_group=3,
                    topk_group=2,
                    n_shared_experts=2,
                    moe_intermediate_size=20,
                    norm_topk_prob=True,
                    routed_scaling_factor=2.5,
                    experts_implementation="eager",
                )
            )
        ),
        ours=_decoder(
            *[
                _layer(
                    replace(
                        HEADS,
                        rope=RopeConfig(base=1e4, rotary_dim=4),
                        qk_norm=HeadQKNorm(norm=RMS),
                        biases=Biases.QUERY_KEY_VALUE,
                    ),
                    **(
                        {}
                        if number < 2
                        else {
                            "feed_forward": AffinityMixtureConfig(
                                num_experts=EXPERTS,
                                experts_per_token=3,
                                d_ff=20,
                                num_shared=2,
                                weight_factor=2.5,
                                num_groups=3,
                                groups_kept=2,
                            )
                        }
                    ),
                )
                for number in range(L)
            ]
        ),
    ),
    "MiniMax-M2": Architecture(
        theirs=lambda: hf.MiniMaxM2ForCausalLM(
            hf.MiniMaxM2Config(
                **_sizes(
                    rope_parameters=_rope(1e4, partial_rotary_factor=0.4),
                    num_local_experts=EXPERTS,
                    num_experts_per_tok=4,
                    experts_implementation="eager",
                )
            )
        ),
        ours=_decoder(
            *[
                _layer(
                    replace(
                        HEADS,
                        rope=RopeConfig(base=1e4, rotary_dim=4),
                        qk_norm=ProjectionQKNorm(norm=RMS),
                    ),
                    feed_forward=AffinityMixtureConfig(
                        num_experts=EXPERTS, experts_per_token=4, d_ff=F
                    ),
                )
            ]
            * L
        ),
    ),
    "gpt-oss": Architecture(
        theirs=lambda: hf.GptOssForCausalLM(
            hf.GptOssConfig(
                **_sizes(
                    rms_norm_eps=1e-5,
                    rope_parameters=_rope(
                        15e4,
                        rope_type="yarn",
                        factor=4.0,
                        beta_fast=32.0,
                        beta_slow=1.0,
                        truncate=False,
                        original_max_position_embeddings=CONTEXT // 4,
                    ),
                    sliding_window=WINDOW,
                    layer_types=["sliding_attention", "full_attention"] * 4,
                    num_local_experts=EXPERTS,
                    num_experts_per_tok=4,
                    experts_implementation="eager",
                    num_hidden_layers=8,
                )
            )
        ),
        ours=_decoder(
            *gpt_oss_layers(
                8,
                replace(
                    HEADS,
                    biases=Biases.ALL,
                    softmax=Softmax.WITH_SINKS,
                    rope=RopeConfig(
                        base=15e4,
                        rotary_dim=D,
                        scaling=YarnScaling(
                            factor=4.0,
                            context=CONTEXT // 4,
                            alpha=1.0,
                            beta=32.0,
                            is_truncated=False,
                        ),
                    ),
                ),
                ClampedMixtureConfig(num_experts=EXPERTS, experts_per_token=4, d_ff=F),
                WINDOW,
            )
        ),
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
    "DeepSeek-V2": Architecture(
        theirs=_deepseek(hf.DeepseekV2ForCausalLM, hf.DeepseekV2Config),
        ours=DEEPSEEK,
        convert=from_deepseek,
    ),
    "DeepSeek-V3": Architecture(
        theirs=_deepseek(hf.DeepseekV3ForCausalLM, hf.DeepseekV3Config),
        ours=DEEPSEEK,
        convert=from_deepseek,
    ),
    "DeepSeek-V3 with experts": Architecture(
        theirs=_deepseek(
            hf.DeepseekV3ForCausalLM,
            hf.DeepseekV3Config,
            first_k_dense_replace=3,
            q_lora_rank=DEEPSEEK_DCQ,
            n_routed_experts=EXPERTS,
            num_experts_per_tok=3,
            n_group=3,
            topk_group=2,
            n_shared_experts=1,
            moe_intermediate_size=20,
            norm_topk_prob=True,
            routed_scaling_factor=2.5,
            experts_implementation="eager",
        ),
        ours=_decoder(
            *[
                replace(
                    layer,
                    attention=replace(layer.attention, query_latent_dim=DEEPSEEK_DCQ),
                    feed_forward=layer.feed_forward if number < 3 else DEEPSEEK_EXPERTS,
                )
                for number, layer in enumerate(DEEPSEEK.layers)
            ]
        ),
        convert=from_deepseek,
    ),
    # Eight heads are a power of two, six are not: ALiBi takes other slopes.
    "MPT with 8 heads": _mpt(8),
    "MPT with 6 heads": _mpt(6),
    "Falcon": Architecture(
        theirs=_falcon(),
        ours=_decoder(*[_falcon_layer(1, Parallel())] * L, unembedding=Unembedding.TIED),
        convert=from_falcon,
    ),
    "Falcon 40B": Architecture(
        theirs=_falcon(num_kv_heads=G, new_decoder_architecture=True),
        ours=_decoder(*[_falcon_layer(G, ParallelTwoNorms())] * L, unembedding=Unembedding.TIED),
        convert=from_falcon,
    ),
    "Falcon 2": Architecture(
        theirs=_falcon(num_kv_heads=G, new_decoder_architecture=True, num_ln_in_parallel_attn=1),
        ours=_decoder(*[_falcon_layer(G, Parallel())] * L, unembedding=Unembedding.TIED),
        convert=from_falcon,
    ),
    "Falcon without groups": Architecture(
        theirs=_falcon(multi_query=False),
        ours=_decoder(*[_falcon_layer(H, Parallel())] * L, unembedding=Unembedding.TIED),
        convert=from_falcon,
    ),
    "Qwen2": Architecture(
        theirs=lambda: hf.Qwen2ForCausalLM(
            hf.Qwen2Config(**_sizes(rope_parameters=_rope(1e4), use_sliding_window=False))
        ),
        ours=_decoder(*[_layer(replace(HEADS, biases=Biases.QUERY_KEY_VALUE))] * L),
    ),
    "StableLM": Architecture(
        theirs=lambda: hf.StableLmForCausalLM(
            hf.StableLmConfig(
                **_tokens(
                    intermediate_size=F,
                    num_key_value_heads=G,
                    use_qkv_bias=True,
                    rope_parameters=_rope(1e4, partial_rotary_factor=0.5),
                )
            )
        ),
        ours=_decoder(
            *[_layer(replace(FILLING, biases=Biases.QUERY_KEY_VALUE), norm=LAYER_NORM)] * L
        ),
    ),
    "GPT-NeoX": Architecture(
        theirs=lambda: hf.GPTNeoXForCausalLM(
            hf.GPTNeoXConfig(
                **_tokens(
                    intermediate_size=F,
                    max_position_embeddings=CONTEXT,
                    rope_parameters=_rope(1e4, partial_rotary_factor=0.5),
                )
            )
        ),
        ours=_decoder(
            *[
                _layer(
                    replace(FILLING, num_kv_heads=H, biases=Biases.ALL),
                    feed_forward=_plain(),
                    norm=LAYER_NORM,
                    arrangement=ParallelTwoNorms(),
                )
            ]
            * L
        ),
        convert=from_gpt_neox,
    ),
    "Granite": Architecture(
        theirs=lambda: hf.GraniteForCausalLM(
            hf.GraniteConfig(
                **_sizes(
                    rope_parameters=_rope(1e4),
                    tie_word_embeddings=True,
                    embedding_multiplier=3.0,
                    attention_multiplier=0.4,
                    residual_multiplier=0.7,
                    logits_scaling=0.3,
                )
            )
        ),
        ours=_decoder(
            *[
                _layer(
                    replace(HEADS, scale=ScoreFactor(factor=0.4)),
                    arrangement=ScaledPreNorm(factor=0.7),
                )
            ]
            * L,
            unembedding=Unembedding.TIED,
            embedding_steps=(EmbeddingScale(factor=3.0),),
            logit_steps=(LogitFactor(factor=1 / 0.3),),
        ),
    ),
    "Cohere": Architecture(
        theirs=lambda: hf.CohereForCausalLM(
            hf.CohereConfig(
                **_tokens(
                    intermediate_size=F,
                    num_key_value_heads=G,
                    logit_scale=0.6,
                    rope_parameters=_rope(1e4),
                )
            )
        ),
        ours=_decoder(
            *[
                _layer(
                    replace(FILLING, rope=RopeConfig(base=1e4, rotary_dim=SMALL)),
                    norm=LayerNormWithoutShiftConfig(eps=1e-5),
                    arrangement=Parallel(),
                )
            ]
            * L,
            unembedding=Unembedding.TIED,
            logit_steps=(LogitFactor(factor=0.6),),
        ),
        convert=from_cohere,
    ),
    "BLOOM": Architecture(
        theirs=lambda: hf.BloomForCausalLM(hf.BloomConfig(**_tokens())),
        ours=_decoder(
            *[
                LayerConfig(
                    attention=AlibiAttentionConfig(
                        num_heads=H, num_kv_heads=H, head_dim=SMALL, biases=Biases.ALL
                    ),
                    feed_forward=replace(_plain(gelu_tanh), d_ff=4 * C),
                    norm=LAYER_NORM,
                )
            ]
            * L,
            unembedding=Unembedding.TIED,
            embedding_steps=(EmbeddingNorm(norm=LAYER_NORM),),
        ),
        convert=from_bloom,
    ),
    "GPT-J": Architecture(
        theirs=lambda: hf.GPTJForCausalLM(
            hf.GPTJConfig(**_tokens(n_inner=F, rotary_dim=SMALL // 2, n_positions=CONTEXT))
        ),
        ours=_decoder(
            *[
                _layer(
                    replace(FILLING, num_kv_heads=H),
                    feed_forward=_plain(gelu_tanh),
                    norm=LAYER_NORM,
                    arrangement=Parallel(),
                )
            ]
            * L,
            logit_steps=(LogitBias(),),
        ),
        convert=from_gptj,
    ),
    "Phi": Architecture(
        theirs=lambda: hf.PhiForCausalLM(
            hf.PhiConfig(
                **_tokens(
                    intermediate_size=F,
                    num_key_value_heads=G,
                    rope_parameters=_rope(1e4, partial_rotary_factor=0.5),
                )
            )
        ),
        ours=_decoder(
            *[
                _layer(
                    replace(FILLING, biases=Biases.ALL),
                    feed_forward=_plain(gelu_tanh),
                    norm=LAYER_NORM,
                    arrangement=Parallel(),
                )
            ]
            * L,
            logit_steps=(LogitBias(),),
        ),
        convert=from_phi,
    ),
}


def draw_all(model: nn.Module, seed: int) -> None:
    """Draw every parameter, gains, shifts and biases too: none of them is at its neutral value."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            spread = 0.3 if parameter.ndim == 1 else 0.7 * parameter.shape[-1] ** -0.5
            parameter.add_(spread * torch.randn(parameter.shape, generator=generator))
        for name, buffer in model.named_buffers():
            if "correction_bias" in name:  # what balances loads is no parameter
                buffer.add_(0.3 * torch.randn(buffer.shape, generator=generator))


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
