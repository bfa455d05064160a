"""Tiny architectures with experts or latent attention, theirs and ours."""

from collections.abc import Callable
from dataclasses import replace

import transformers as hf
from tiny_parts import (
    CONTEXT,
    EXPERTS,
    HEADS,
    NORMED,
    PARTLY,
    RMS,
    WINDOW,
    Architecture,
    D,
    F,
    H,
    L,
    alike,
    decoder_of,
    layer_of,
    model_of,
    rope_of,
)
from torch import nn

from course_lib.checkpoints.deepseek import from_deepseek
from course_lib.checkpoints.interleaved import from_llama4
from course_lib.checkpoints.qwen3_next import from_qwen3_next
from course_lib.config.attention_parts import Biases, Chunk, GrowingScale, OutputGate, Softmax
from course_lib.config.decoder import DecoderConfig
from course_lib.config.delta_rule import GatedDeltaRuleConfig
from course_lib.config.experts import (
    AffinityMixtureConfig,
    ClampedMixtureConfig,
    GatedMixtureConfig,
    GatedSharedMixtureConfig,
    InputWeightedMixtureConfig,
    ShareMixtureConfig,
)
from course_lib.config.feed_forward import GatedFeedForwardConfig
from course_lib.config.latent import LatentAttentionConfig
from course_lib.config.norms import (
    HeadQKNorm,
    NoQKNorm,
    ProjectionQKNorm,
    RMSNormConfig,
    RMSNormWithoutGainConfig,
    UnitOffsetRMSNormConfig,
)
from course_lib.config.rope import NoRope, RopeConfig, YarnScaling
from course_lib.layers.activations import silu
from course_lib.zoo.gpt_oss import gpt_oss_layers
from course_lib.zoo.llama4 import llama4_layers
from course_lib.zoo.qwen3_next import qwen3_next_layers

#: Not rotated, of a value, of the latent vector, rotated.
DEEPSEEK_D, DEEPSEEK_DV, DEEPSEEK_DC, DEEPSEEK_DR = 10, 14, 20, 8


def _deepseek(model: type[nn.Module], config: type, **changes: object) -> Callable[[], nn.Module]:
    """Without experts, unless asked for: every layer is dense, as the first of V2-Lite is."""
    sizes = {
        "num_key_value_heads": H,
        "head_dim": DEEPSEEK_DR,
        "first_k_dense_replace": L,
        "kv_lora_rank": DEEPSEEK_DC,
        "q_lora_rank": None,
        "qk_nope_head_dim": DEEPSEEK_D,
        "qk_rope_head_dim": DEEPSEEK_DR,
        "v_head_dim": DEEPSEEK_DV,
        "tie_word_embeddings": False,
    }
    return model_of(model, config, **{**sizes, **changes})


LATENT = LatentAttentionConfig(
    num_heads=H,
    head_dim=DEEPSEEK_D,
    value_dim=DEEPSEEK_DV,
    latent_dim=DEEPSEEK_DC,
    rope=RopeConfig(base=1e4, rotary_dim=DEEPSEEK_DR),
)
DEEPSEEK = alike(layer_of(LATENT))


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


SHARES = ShareMixtureConfig(
    num_experts=EXPERTS,
    experts_per_token=3,
    d_ff=20,
    num_shared=1,
    weight_factor=2.5,
    num_groups=3,
    groups_kept=2,
)
#: Three dense layers first, queries from a latent vector, experts in three groups.
DEEPSEEK_MIXED = {
    "first_k_dense_replace": 3,
    "q_lora_rank": DEEPSEEK_DCQ,
    "n_routed_experts": EXPERTS,
    "num_experts_per_tok": 3,
    "n_group": 3,
    "topk_group": 2,
    "n_shared_experts": 1,
    "moe_intermediate_size": 20,
    "routed_scaling_factor": 2.5,
    "experts_implementation": "eager",
}


def _mixed(experts: AffinityMixtureConfig | ShareMixtureConfig) -> DecoderConfig:
    attention = replace(LATENT, query_latent_dim=DEEPSEEK_DCQ)
    dense, mixture = layer_of(attention), layer_of(attention, feed_forward=experts)
    return decoder_of(*[dense] * 3, *[mixture] * (L - 3))


CHUNKED = replace(
    HEADS,
    reach=Chunk(size=WINDOW),
    qk_norm=HeadQKNorm(norm=RMSNormWithoutGainConfig(eps=1e-5)),
)
GROWING = replace(HEADS, rope=NoRope(), scale=GrowingScale(floor=4, factor=0.3))
LLAMA4_DENSE = GatedFeedForwardConfig(d_ff=50, activation=silu)
LLAMA4_EXPERTS = InputWeightedMixtureConfig(
    num_experts=EXPERTS, experts_per_token=2, d_ff=F, num_shared=1
)
LLAMA4 = {"final_norm": RMSNormConfig(eps=1e-5)}


def _llama4(**changes: object) -> Callable[[], nn.Module]:
    sizes = {
        "rms_norm_eps": 1e-5,
        "intermediate_size_mlp": 50,
        "num_local_experts": EXPERTS,
        "num_experts_per_tok": 2,
        "attention_chunk_size": WINDOW,
        "floor_scale": 4,
        "attn_scale": 0.3,
    }
    return model_of(hf.Llama4ForCausalLM, hf.Llama4TextConfig, **{**sizes, **changes})


#: States of 5 times 7 numbers, three to a key; two shared experts side by side.
STATES = GatedDeltaRuleConfig(
    num_heads=6, num_key_heads=2, head_dim=5, value_dim=7, window=4, norm=RMS
)
GATED = replace(
    HEADS,
    rope=PARTLY,
    qk_norm=HeadQKNorm(norm=UnitOffsetRMSNormConfig()),
    output_gate=OutputGate.PER_ENTRY,
)
QWEN3_NEXT_EXPERTS = GatedSharedMixtureConfig(
    num_experts=EXPERTS, experts_per_token=3, d_ff=20, num_shared=2
)


def _qwen3_next(model: type[nn.Module], config: type, **rope: object) -> Architecture:
    sizes = {
        "linear_num_value_heads": 6,
        "linear_num_key_heads": 2,
        "linear_key_head_dim": 5,
        "linear_value_head_dim": 7,
        "linear_conv_kernel_dim": 4,
        "num_experts": EXPERTS,
        "num_experts_per_tok": 3,
        "moe_intermediate_size": 20,
        "shared_expert_intermediate_size": 40,
        "experts_implementation": "eager",
        "rope_parameters": rope_of(1e4, partial_rotary_factor=0.4, **rope),
    }
    return Architecture(
        theirs=model_of(model, config, **sizes),
        ours=decoder_of(*qwen3_next_layers(L, STATES, GATED, QWEN3_NEXT_EXPERTS)),
        convert=from_qwen3_next,
    )


MIXED: dict[str, Architecture] = {
    "Qwen3-Next": _qwen3_next(hf.Qwen3NextForCausalLM, hf.Qwen3NextConfig),
    "Qwen3.5": _qwen3_next(
        hf.Qwen3_5MoeForCausalLM, hf.Qwen3_5MoeTextConfig, mrope_section=[1, 1, 0]
    ),
    "Qwen3 MoE": Architecture(
        theirs=model_of(
            hf.Qwen3MoeForCausalLM,
            hf.Qwen3MoeConfig,
            num_experts=EXPERTS,
            num_experts_per_tok=3,
            moe_intermediate_size=20,
            norm_topk_prob=True,
            experts_implementation="eager",
        ),
        ours=alike(
            layer_of(
                NORMED,
                feed_forward=GatedMixtureConfig(num_experts=EXPERTS, experts_per_token=3, d_ff=20),
            )
        ),
    ),
    "Mixtral": Architecture(
        theirs=model_of(
            hf.MixtralForCausalLM,
            hf.MixtralConfig,
            sliding_window=None,
            num_local_experts=EXPERTS,
            num_experts_per_tok=2,
            experts_implementation="eager",
        ),
        ours=alike(
            layer_of(
                feed_forward=GatedMixtureConfig(num_experts=EXPERTS, experts_per_token=2, d_ff=F)
            )
        ),
    ),
    "GLM-4.5": Architecture(
        theirs=model_of(
            hf.Glm4MoeForCausalLM,
            hf.Glm4MoeConfig,
            rope_parameters=rope_of(1e4, partial_rotary_factor=0.4),
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
        ),
        ours=decoder_of(
            *[
                layer_of(
                    replace(
                        HEADS,
                        rope=PARTLY,
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
        theirs=model_of(
            hf.MiniMaxM2ForCausalLM,
            hf.MiniMaxM2Config,
            rope_parameters=rope_of(1e4, partial_rotary_factor=0.4),
            num_local_experts=EXPERTS,
            num_experts_per_tok=4,
            experts_implementation="eager",
        ),
        ours=alike(
            layer_of(
                replace(
                    HEADS,
                    rope=PARTLY,
                    qk_norm=ProjectionQKNorm(norm=RMS),
                ),
                feed_forward=AffinityMixtureConfig(
                    num_experts=EXPERTS, experts_per_token=4, d_ff=F
                ),
            )
        ),
    ),
    "gpt-oss": Architecture(
        theirs=model_of(
            hf.GptOssForCausalLM,
            hf.GptOssConfig,
            rms_norm_eps=1e-5,
            rope_parameters=rope_of(
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
        ),
        ours=decoder_of(
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
            **DEEPSEEK_MIXED,
            norm_topk_prob=True,
        ),
        ours=_mixed(DEEPSEEK_EXPERTS),
        convert=from_deepseek,
    ),
    "Llama 4": Architecture(
        theirs=_llama4(),
        ours=decoder_of(*llama4_layers(CHUNKED, GROWING, [LLAMA4_EXPERTS] * L), **LLAMA4),
        convert=from_llama4,
    ),
    "Llama 4 Maverick": Architecture(
        theirs=_llama4(interleave_moe_layer_step=2, use_qk_norm=False, num_experts_per_tok=1),
        ours=decoder_of(
            *llama4_layers(
                replace(CHUNKED, qk_norm=NoQKNorm()),
                GROWING,
                [
                    replace(LLAMA4_EXPERTS, experts_per_token=1) if number % 2 else LLAMA4_DENSE
                    for number in range(L)
                ],
            ),
            **LLAMA4,
        ),
        convert=from_llama4,
    ),
    "DeepSeek-V2 with experts": Architecture(
        theirs=_deepseek(
            hf.DeepseekV2ForCausalLM,
            hf.DeepseekV2Config,
            **DEEPSEEK_MIXED,
            topk_method="group_limited_greedy",
        ),
        ours=_mixed(SHARES),
        convert=from_deepseek,
    ),
}
