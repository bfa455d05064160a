"""Tiny architectures without experts, theirs and ours."""

from collections.abc import Callable
from dataclasses import replace

import transformers as hf
from tiny_parts import (
    CONTEXT,
    FILLING,
    HEADS,
    LAYER_NORM,
    NORMED,
    RMS,
    ROPE,
    SMALL,
    WINDOW,
    Architecture,
    C,
    D,
    F,
    G,
    H,
    L,
    V,
    alike,
    decoder_of,
    layer_of,
    model_of,
    older_model_of,
    plain_network,
    rope_of,
)
from torch import nn

from course_lib.checkpoints.bloom import from_bloom
from course_lib.checkpoints.falcon import from_falcon
from course_lib.checkpoints.gpt2 import from_gpt2
from course_lib.checkpoints.gpt_neox import from_gpt_neox
from course_lib.checkpoints.interleaved import from_cohere, from_gptj
from course_lib.checkpoints.mpt import from_mpt
from course_lib.checkpoints.phi import from_phi
from course_lib.config.arrangement import (
    Arrangement,
    InnerNorm,
    Parallel,
    ParallelTwoNorms,
    ScaledPreNorm,
)
from course_lib.config.attention import AlibiAttentionConfig
from course_lib.config.attention_parts import (
    Biases,
    QueryPreAttnScalar,
    ScoreFactor,
    SoftCap,
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
from course_lib.config.feed_forward import (
    PlainFeedForwardConfig,
)
from course_lib.config.norms import (
    HeadQKNorm,
    LayerNormWithoutShiftConfig,
    ProjectionQKNorm,
    UnitOffsetRMSNormConfig,
)
from course_lib.config.rope import LinearScaling, Llama3Scaling, NoRope, RopeConfig, YarnScaling
from course_lib.layers.activations import gelu, gelu_tanh
from course_lib.zoo.gemma import gemma2_layers, gemma3_layers
from course_lib.zoo.gpt import gpt_config
from course_lib.zoo.olmo import olmo3_layers


def _llama(**rope: object) -> Callable[[], nn.Module]:
    return model_of(hf.LlamaForCausalLM, hf.LlamaConfig, rope_parameters=rope_of(1e4, **rope))


def _scaled(scaling: object) -> DecoderConfig:
    return alike(layer_of(replace(HEADS, rope=replace(ROPE, scaling=scaling))))


YARN = YarnScaling(factor=4.0, context=16, alpha=1.0, beta=32.0, is_truncated=True)
GEMMA = {
    "final_norm": UnitOffsetRMSNormConfig(),
    "unembedding": Unembedding.TIED,
    "embedding_steps": (EmbeddingScale(factor=C**0.5),),
}
LOCAL = replace(HEADS, reach=Window(size=WINDOW), scale=QueryPreAttnScalar(scalar=13))
UNIT_OFFSET = HeadQKNorm(norm=UnitOffsetRMSNormConfig())


def _falcon(**changes: object) -> Callable[[], nn.Module]:
    return older_model_of(
        hf.FalconForCausalLM,
        hf.FalconConfig,
        ffn_hidden_size=F,
        max_position_embeddings=CONTEXT,
        rope_parameters=rope_of(1e4),
        **changes,
    )


def _falcon_layer(num_kv_heads: int, arrangement: Arrangement) -> LayerConfig:
    whole = RopeConfig(base=1e4, rotary_dim=SMALL)
    return LayerConfig(
        attention=replace(FILLING, num_kv_heads=num_kv_heads, rope=whole),
        feed_forward=plain_network(has_bias=False),
        norm=LAYER_NORM,
        arrangement=arrangement,
    )


GLOBAL_ROPE = RopeConfig(base=1e6, rotary_dim=D, scaling=LinearScaling(factor=8.0))


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
        ours=alike(layer, unembedding=Unembedding.TIED),
        convert=from_mpt,
    )


DENSE: dict[str, Architecture] = {
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
        theirs=model_of(hf.LlamaForCausalLM, hf.LlamaConfig, num_key_value_heads=H),
        ours=alike(layer_of(replace(HEADS, num_kv_heads=H))),
    ),
    "Llama 3": Architecture(theirs=_llama(), ours=alike(layer_of())),
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
        ours=_scaled(YARN),
    ),
    "Mistral": Architecture(
        theirs=model_of(
            hf.MistralForCausalLM,
            hf.MistralConfig,
            sliding_window=WINDOW,
        ),
        ours=alike(layer_of(replace(HEADS, reach=Window(size=WINDOW)))),
    ),
    "Qwen3": Architecture(
        theirs=model_of(hf.Qwen3ForCausalLM, hf.Qwen3Config),
        ours=alike(layer_of(NORMED)),
    ),
    "OLMo 2": Architecture(
        theirs=model_of(hf.Olmo2ForCausalLM, hf.Olmo2Config),
        ours=alike(
            layer_of(
                replace(HEADS, qk_norm=ProjectionQKNorm(norm=RMS)),
                arrangement=InnerNorm(),
            )
        ),
    ),
    "Olmo 3": Architecture(
        theirs=model_of(
            hf.Olmo3ForCausalLM,
            hf.Olmo3Config,
            sliding_window=WINDOW,
            rope_parameters={
                "sliding_attention": rope_of(1e4),
                "full_attention": rope_of(
                    1e4, rope_type="yarn", factor=4.0, original_max_position_embeddings=16
                ),
            },
        ),
        ours=decoder_of(
            *olmo3_layers(
                L,
                replace(HEADS, qk_norm=ProjectionQKNorm(norm=RMS), reach=Window(size=WINDOW)),
                replace(ROPE, scaling=YARN),
                F,
            )
        ),
    ),
    "SmolLM3": Architecture(
        theirs=model_of(
            hf.SmolLM3ForCausalLM,
            hf.SmolLM3Config,
            tie_word_embeddings=True,
            sliding_window=None,
        ),
        ours=decoder_of(
            *[
                layer_of(replace(HEADS, rope=NoRope() if number % 4 == 3 else ROPE))
                for number in range(L)
            ],
            unembedding=Unembedding.TIED,
        ),
    ),
    "Gemma 2": Architecture(
        theirs=model_of(
            hf.Gemma2ForCausalLM,
            hf.Gemma2Config,
            sliding_window=WINDOW,
            query_pre_attn_scalar=13,
            attn_logit_softcapping=2.0,
            final_logit_softcapping=1.5,
        ),
        ours=decoder_of(
            *gemma2_layers(L, replace(LOCAL, score_steps=(SoftCap(cap=2.0),)), F),
            **GEMMA,
            logit_steps=(SoftCap(cap=1.5),),
        ),
    ),
    "Gemma 3": Architecture(
        theirs=model_of(
            hf.Gemma3ForCausalLM,
            hf.Gemma3TextConfig,
            rope_parameters={
                "sliding_attention": rope_of(1e4),
                "full_attention": rope_of(1e6, rope_type="linear", factor=8.0),
            },
            sliding_window=WINDOW,
            query_pre_attn_scalar=13,
        ),
        ours=decoder_of(
            *gemma3_layers(L, replace(LOCAL, qk_norm=UNIT_OFFSET), GLOBAL_ROPE, F), **GEMMA
        ),
    ),
    # Eight heads are a power of two, six are not: ALiBi takes other slopes.
    "MPT with 8 heads": _mpt(8),
    "MPT with 6 heads": _mpt(6),
    "Falcon": Architecture(
        theirs=_falcon(),
        ours=alike(_falcon_layer(1, Parallel()), unembedding=Unembedding.TIED),
        convert=from_falcon,
    ),
    "Falcon 40B": Architecture(
        theirs=_falcon(num_kv_heads=G, new_decoder_architecture=True),
        ours=alike(_falcon_layer(G, ParallelTwoNorms()), unembedding=Unembedding.TIED),
        convert=from_falcon,
    ),
    "Falcon 2": Architecture(
        theirs=_falcon(num_kv_heads=G, new_decoder_architecture=True, num_ln_in_parallel_attn=1),
        ours=alike(_falcon_layer(G, Parallel()), unembedding=Unembedding.TIED),
        convert=from_falcon,
    ),
    "Falcon without groups": Architecture(
        theirs=_falcon(multi_query=False),
        ours=alike(_falcon_layer(H, Parallel()), unembedding=Unembedding.TIED),
        convert=from_falcon,
    ),
    "Qwen2": Architecture(
        theirs=model_of(
            hf.Qwen2ForCausalLM,
            hf.Qwen2Config,
            use_sliding_window=False,
        ),
        ours=alike(layer_of(replace(HEADS, biases=Biases.QUERY_KEY_VALUE))),
    ),
    "StableLM": Architecture(
        theirs=older_model_of(
            hf.StableLmForCausalLM,
            hf.StableLmConfig,
            intermediate_size=F,
            num_key_value_heads=G,
            use_qkv_bias=True,
            rope_parameters=rope_of(1e4, partial_rotary_factor=0.5),
        ),
        ours=alike(layer_of(replace(FILLING, biases=Biases.QUERY_KEY_VALUE), norm=LAYER_NORM)),
    ),
    "GPT-NeoX": Architecture(
        theirs=older_model_of(
            hf.GPTNeoXForCausalLM,
            hf.GPTNeoXConfig,
            intermediate_size=F,
            max_position_embeddings=CONTEXT,
            rope_parameters=rope_of(1e4, partial_rotary_factor=0.5),
        ),
        ours=alike(
            layer_of(
                replace(FILLING, num_kv_heads=H, biases=Biases.ALL),
                feed_forward=plain_network(),
                norm=LAYER_NORM,
                arrangement=ParallelTwoNorms(),
            )
        ),
        convert=from_gpt_neox,
    ),
    "Granite": Architecture(
        theirs=model_of(
            hf.GraniteForCausalLM,
            hf.GraniteConfig,
            tie_word_embeddings=True,
            embedding_multiplier=3.0,
            attention_multiplier=0.4,
            residual_multiplier=0.7,
            logits_scaling=0.3,
        ),
        ours=alike(
            layer_of(
                replace(HEADS, scale=ScoreFactor(factor=0.4)),
                arrangement=ScaledPreNorm(factor=0.7),
            ),
            unembedding=Unembedding.TIED,
            embedding_steps=(EmbeddingScale(factor=3.0),),
            logit_steps=(LogitFactor(factor=1 / 0.3),),
        ),
    ),
    "Cohere": Architecture(
        theirs=older_model_of(
            hf.CohereForCausalLM,
            hf.CohereConfig,
            intermediate_size=F,
            num_key_value_heads=G,
            logit_scale=0.6,
            rope_parameters=rope_of(1e4),
        ),
        ours=alike(
            layer_of(
                replace(FILLING, rope=RopeConfig(base=1e4, rotary_dim=SMALL)),
                norm=LayerNormWithoutShiftConfig(eps=1e-5),
                arrangement=Parallel(),
            ),
            unembedding=Unembedding.TIED,
            logit_steps=(LogitFactor(factor=0.6),),
        ),
        convert=from_cohere,
    ),
    "BLOOM": Architecture(
        theirs=older_model_of(hf.BloomForCausalLM, hf.BloomConfig),
        ours=alike(
            LayerConfig(
                attention=AlibiAttentionConfig(
                    num_heads=H, num_kv_heads=H, head_dim=SMALL, biases=Biases.ALL
                ),
                feed_forward=replace(plain_network(gelu_tanh), d_ff=4 * C),
                norm=LAYER_NORM,
            ),
            unembedding=Unembedding.TIED,
            embedding_steps=(EmbeddingNorm(norm=LAYER_NORM),),
        ),
        convert=from_bloom,
    ),
    "GPT-J": Architecture(
        theirs=older_model_of(
            hf.GPTJForCausalLM, hf.GPTJConfig, n_inner=F, rotary_dim=SMALL // 2, n_positions=CONTEXT
        ),
        ours=alike(
            layer_of(
                replace(FILLING, num_kv_heads=H),
                feed_forward=plain_network(gelu_tanh),
                norm=LAYER_NORM,
                arrangement=Parallel(),
            ),
            logit_steps=(LogitBias(),),
        ),
        convert=from_gptj,
    ),
    "Phi": Architecture(
        theirs=older_model_of(
            hf.PhiForCausalLM,
            hf.PhiConfig,
            intermediate_size=F,
            num_key_value_heads=G,
            rope_parameters=rope_of(1e4, partial_rotary_factor=0.5),
        ),
        ours=alike(
            layer_of(
                replace(FILLING, biases=Biases.ALL),
                feed_forward=plain_network(gelu_tanh),
                norm=LAYER_NORM,
                arrangement=Parallel(),
            ),
            logit_steps=(LogitBias(),),
        ),
        convert=from_phi,
    ),
}
